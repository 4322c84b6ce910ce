/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "plan_pass_check.h"

/* clang-format off */
#define BN(x) "BatchNormalization(" x ", s:float[3]={1,2,-3}, b:float[3]={4,5,6}, " \
	"m:float[3]={0.5,0.25,-1}, v:float[3]={1,2,3})"
#define ROW(name) "Reshape(Cos(Range(0., 16., 1.)), " name ":int64[1]={16})"
#define CONV(x) "Conv(" x ", Reshape(Sin(Range(0., 256., 1.)), w:int64[4]={16,16,1,1}))"

static const struct plan_pass_case cases[] = {
	{ "an image", "y = Relu(" BN("x:float[2,3,20,30]") ")", "Chain" },
	{ "a matrix", "y = " BN("x:float[50,3]"), "Chain" },
	{ "a sequence", "y = " BN("x:float[2,3,50]"), "Chain" },
	{ "behind a convolution, with its activation",
	  "a = Relu(" CONV("x:float[1,16,9,8]") ")\n"
	  "y = Relu(BatchNormalization(a, " ROW("i") ", " ROW("j") ", " ROW("k")
	  ", Exp(" ROW("l") ")))\nreturn y", "Block ConvBlocked ConvBlocked Unblock" },
	{ "statistics that an input gives",
	  "y = BatchNormalization(x:float[2,3,5], s:float[3]={1,2,3}, b:float[3]={1,2,3}, "
	  "m:float[3], v:float[3]={1,2,3})", "BatchNormalization" },
	{ "nothing to normalize", "y = " BN("x:float[0,3,5,5]"), "BatchNormalization" },
};
/* clang-format on */

Test(batch_norm_parts, are_what_the_normalization_is)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		plan_pass_check(&cases[i], 1e-5);
}
