/* SPDX-License-Identifier: Apache-2.0 */
/* Values of corners that the documents of operators name one by one. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/engine/ops/run_text.h"

static void expect_bytes(const char *text, const void *want, size_t bytes)
{
	struct run_text run;

	run_text(&run, text, NULL);
	cr_expect_eq(memcmp(run_text_output(&run, 0), want, bytes), 0, "%s",
		     text);
	run_text_finish(&run);
}

/* BitShift-28: signs are filled in from the left; a number of places below 0,
 * or as many as there are bits, leaves nothing but the sign. */
Test(elementwise, shifts_to_the_right_keep_signs)
{
	static const int8_t bytes[] = { -4, -1, -1, 0, 0, -1 };
	static const int32_t words[] = { -4, -1, -1, 0, 0 };
	static const uint8_t plain[] = { 127, 0, 1, 0 };
	static const uint32_t plain_words[] = { 1, 0, 0x7fffffff };

	expect_bytes(
	    "z = BitShift<direction=\"RIGHT\">("
	    "x:int8[6]={-8,-8,-8,8,8,-128}, y:int8[6]={1,8,-1,8,-1,7})",
	    bytes, sizeof(bytes));
	expect_bytes("z = BitShift<direction=\"RIGHT\">("
		     "x:int32[5]={-8,-8,-8,8,8}, y:int32[5]={1,32,-1,32,-1})",
		     words, sizeof(words));
	expect_bytes("z = BitShift<direction=\"RIGHT\">("
		     "x:uint8[4]={254,254,128,1}, y:uint8[4]={1,8,7,200})",
		     plain, sizeof(plain));
	expect_bytes("z = BitShift<direction=\"RIGHT\">("
		     "x:uint32[3]={4294967295,4294967295,4294967295}, "
		     "y:uint32[3]={31,32,1})",
		     plain_words, sizeof(plain_words));
}

Test(elementwise, shifts_to_the_left_lose_signs)
{
	static const int8_t bytes[] = { -16, -128, 0, 0 };
	static const int64_t words[] = { -16, INT64_MIN, 0, 0 };

	expect_bytes("z = BitShift<direction=\"LEFT\">("
		     "x:int8[4]={-8,1,-1,-1}, y:int8[4]={1,7,8,-1})",
		     bytes, sizeof(bytes));
	expect_bytes("z = BitShift<direction=\"LEFT\">("
		     "x:int64[4]={-8,1,-1,-1}, y:int64[4]={1,63,64,-1})",
		     words, sizeof(words));
}

/* Mod-28: a zero has the divisor's sign; what is infinite divides nothing. */
Test(elementwise, what_a_division_leaves_has_the_sign_of_the_divisor)
{
	static const float want[] = {
		0, -0.0F, 0, -0.0F, 2.0F, -INFINITY, 1.0F
	};

	expect_bytes("z = Mod(x:float[7]={0,0,-0.0,-0.0,2,2,-5}, "
		     "y:float[7]={3,-3,3,-3,inf,-inf,3})",
		     want, sizeof(want));
}
