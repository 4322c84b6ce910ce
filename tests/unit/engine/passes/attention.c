/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "plan_pass_check.h"

/* clang-format off */
#define Q "q:float[2,3,430,8]"
#define K "k:float[2,3,440,8]"
#define V "v:float[2,3,440,5]"
#define SWAP(x) "Transpose<perm=[0,1,3,2]>(" x ")"
#define APART "MatMulT Softmax MatMul"

static const struct plan_pass_case cases[] = {
	{ "bare", "y = MatMul(Softmax(MatMul(" Q ", " SWAP(K) ")), " V ")",
	  "Attention" },
	{ "by a product of swapped matrices",
	  "y = MatMul(Softmax(predictd.MatMulT<trans_b=1>(" Q ", " K ")), " V ")",
	  "Attention" },
	{ "scaled behind",
	  "s = Mul(predictd.MatMulT<trans_b=1>(" Q ", " K "), 0.35355)\n"
	  "y = MatMul(Softmax<axis=3>(s), " V ")", "Attention" },
	{ "divided, with a mask",
	  "s = Div(predictd.MatMulT<trans_b=1>(" Q ", " K "), 2.5)\n"
	  "y = MatMul(Softmax(Add(s, m:float[2,1,1,440])), " V ")", "Attention" },
	{ "a mask on the left",
	  "s = predictd.MatMulT<trans_b=1>(" Q ", " K ")\n"
	  "y = MatMul(Softmax(Add(m:float[430,440], s)), " V ")", "Attention" },
	{ "scaled before, on both sides",
	  "s = MatMul(Mul(" Q ", 0.6), Mul(" SWAP(K) ", 0.5))\n"
	  "y = MatMul(Softmax(s), " V ")", "Attention" },
	{ "keys turned with the heads",
	  "s = MatMul(" Q ", Transpose<perm=[0,2,3,1]>(k:float[2,440,3,8]))\n"
	  "y = MatMul(Softmax(s), " V ")", "Transpose Attention" },
	{ "one head",
	  "s = MatMul(q:float[6,430,8], k:float[6,8,440])\n"
	  "y = MatMul(Softmax(Add(s, m:float[430,440])), v:float[6,440,5])",
	  "Transpose Attention" },
	{ "scores that somebody reads",
	  "s = predictd.MatMulT<trans_b=1>(" Q ", " K ")\n"
	  "y = MatMul(Softmax(s), " V ")\nreturn y, s", APART },
	{ "few scores",
	  "s = predictd.MatMulT<trans_b=1>(q:float[2,3,40,8], k:float[2,3,50,8])\n"
	  "y = MatMul(Softmax(s), v:float[2,3,50,5])", APART },
	{ "another axis",
	  "y = MatMul(Softmax<axis=2>(predictd.MatMulT<trans_b=1>(" Q ", " K ")), "
	  V ")", APART },
	{ "one key head for all",
	  "y = MatMul(Softmax(predictd.MatMulT<trans_b=1>(" Q
	  ", k:float[2,1,440,8])), " V ")", APART },
	{ "a mask of one number a row",
	  "s = predictd.MatMulT<trans_b=1>(" Q ", " K ")\n"
	  "y = MatMul(Softmax(Add(s, m:float[430,1])), " V ")",
	  "MatMulT Add Softmax MatMul" },
	{ "a mask that is wider than the scores",
	  "s = predictd.MatMulT<trans_b=1>(q:float[1,6,430,8], k:float[1,6,440,8])\n"
	  "y = MatMul(Softmax(Add(s, m:float[2,1,1,440])), v:float[1,6,440,5])",
	  "MatMulT Add Softmax MatMul" },
};
/* clang-format on */

Test(attention_pass, finds_it_where_nothing_else_is_read)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		plan_pass_check(&cases[i], 1e-5);
}
