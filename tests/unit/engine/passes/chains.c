/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "plan_pass_check.h"

static const struct plan_pass_case cases[] = {
	{ "two", "y = Neg(Relu(x:float[40,50]))", "Chain" },
	{ "by numbers", "y = Add(Mul(HardSwish(x:float[40,50]), 2), 3)",
	  "Chain" },
	{ "the value on the right", "y = Div(1, Sub(3, Tanh(x:float[40,50])))",
	  "Chain" },
	{ "numbers of loops",
	  "y = Neg(Gelu<approximate=\"tanh\">(LeakyRelu<alpha=0.3>("
	  "x:float[2000])))",
	  "Chain" },
	{ "limits", "y = Neg(Clip(Exp(x:float[40,50]), 0.5, 2))", "Chain" },
	{ "a number a channel",
	  "y = Relu(Add(Mul(x:float[2,3,20,30], s:float[3,1,1]), "
	  "t:float[1,3,1,1]))",
	  "Chain" },
	{ "the first input again", "y = Mul(x:float[3000], Add(Erf(x), 1))",
	  "Chain" },
	{ "two chains that meet",
	  "y = Add(Neg(Exp(x:float[40,50])), Tanh(Abs(Neg(x))))",
	  "Chain Chain" },
	{ "a value read twice", "a = Neg(x:float[40,50]); y = Add(Exp(a), a)",
	  "Neg Chain" },
	{ "a value that is an output",
	  "a = Neg(x:float[40,50]); y = Exp(a); return a, y", "Neg Exp" },
	{ "a value that grows",
	  "y = Exp(Add(Neg(x:float[50]), z:float[40,50]))", "Neg Chain" },
	{ "rows by columns",
	  "y = Tanh(Sub(x:float[1,41,1,70], z:float[2,1,13,70]))", "Chain" },
	{ "rows by columns, by a constant",
	  "y = Tanh(Sub(c:float[3,1]={1,2,3}, z:float[1,40]))", "Chain" },
	{ "another type", "y = Neg(Cast<to=double>(Neg(x:float[40])))",
	  "Neg Cast Neg" },
	{ "double", "y = Neg(Exp(x:double[40]))", "Exp Neg" },
	{ "one alone", "y = Neg(x:float[40])", "Neg" },
	{ "more links than one node takes",
	  "a = Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(Neg(x:float[40])))))))));"
	  "y = Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(Neg(Abs(a))))))))))",
	  "Chain Chain" },
};

Test(chains, are_made_where_one_node_alone_reads_another)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		plan_pass_check(&cases[i], 0);
}
