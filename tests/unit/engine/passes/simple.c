/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pass_check.h"

static const struct pass_case cases[] = {
	{ "dead code", "dead_code",
	  "a = Exp(x:float[3]); b = Neg(a); y = Relu(x); return y",
	  "y = Relu(x:float[3])" },
	{ 0 },
};

Test(passes, simple_ones)
{
	pass_check_all(cases);
}
