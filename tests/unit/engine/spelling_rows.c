/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of several operators, and those of com.microsoft. */
#include "spelling_row.h"

/* clang-format off */
const struct row spelling_more_rows[] = {
	{ "Hardmax", 12, { { 0 } }, "x:float[2,3,2]",
	  "y = Reshape(Hardmax(Reshape(x:float[2,3,2], f:int64[2]={2,6})), "
	  "s:int64[3]={2,3,2})" },
	{ "Mean", 13, { { 0 } }, "x:float[2,3]; y:float[3]; z:float[2,1]",
	  "m = Mul(Add(Add(x:float[2,3], y:float[3]), z:float[2,1]), 0.3333333333)" },
	{ "MeanVarianceNormalization", 9, { INTS("axes", 1) }, "x:float[3,5]",
	  "d = Sub(x:float[3,5], ReduceMean(x, a:int64[1]={1})); "
	  "y = Div(d, Sqrt(ReduceMean(Mul(d, d), a)))" },
	{ 0 },
};
/* clang-format on */
