/* SPDX-License-Identifier: Apache-2.0 */
#include "spelling_rows.h"

static const struct row rows[] = {
	{ "Scatter",
	  9,
	  { INT("axis", 1) },
	  "x:float[2,3]; i:int64[1,2]={2,0}; u:float[1,2]",
	  "y = ScatterElements<axis=1>(x:float[2,3], i:int64[1,2]={2,0}, "
	  "u:float[1,2])" },
	{ "TopK",
	  1,
	  { INT("k", 2), INT("axis", 0) },
	  "x:float[5,3]",
	  "y, i = TopK<axis=0>(x:float[5,3], k:int64[1]={2})" },
	{ "TopK",
	  10,
	  { { 0 } },
	  "x:float[5,3]; k:int64[1]={2}",
	  "y, i = TopK(x:float[5,3], k:int64[1]={2})" },
	{ "Einsum",
	  12,
	  { TEXT("equation", "ab, bc, ...cd -> ...da") },
	  "a:float[2,3]; b:float[3,4]; c:float[2,4,5]",
	  "y = Einsum<equation=\"ab,bc,...cd->...da\">(a:float[2,3], "
	  "b:float[3,4], c:float[2,4,5])" },
	{ "Einsum",
	  12,
	  { TEXT("equation", "ab,bc,cc,ae") },
	  "a:float[2,3]; b:float[3,4]; c:float[4,4]; d:float[2,5]",
	  "y = Einsum<equation=\"ab,bc,cc,ae->e\">(a:float[2,3], "
	  "b:float[3,4], c:float[4,4], d:float[2,5])" },
	{ "Einsum",
	  12,
	  { TEXT("equation", "ba") },
	  "x:float[2,3]",
	  "y = Transpose(x:float[2,3])" },
	{ "DFT",
	  17,
	  { INT("inverse", 1) },
	  "x:float[2,5,3,2]",
	  "y = DFT<inverse=1>(x:float[2,5,3,2], , a:int64[]={1})" },
	{ "DFT",
	  19,
	  { INT("axis", 0), INT("onesided", 1) },
	  "x:float[5,1]; n:int64[]={7}",
	  "y = DFT<onesided=1>(x:float[5,1], n:int64[]={7}, a:int64[]={0})" },
	{ "Adagrad",
	  1,
	  { FLOAT("decay_factor", 0.5), FLOAT("epsilon", 0.25),
	    FLOAT("norm_coefficient", 0.5) },
	  "r:float[]={2}; t:int64[]={2}; x:float[2]={1,2}; g:float[2]={1,-1}; "
	  "h:float[2]={0,2}",
	  "x = Add(a:float[2]={0.142857142857,2}, 0); "
	  "h = Add(b:float[2]={2.25,2}, 0)" },
	{ "Adam",
	  1,
	  { FLOAT("alpha", 0.5), FLOAT("beta", 0.75), FLOAT("epsilon", 0),
	    FLOAT("norm_coefficient_post", 0.5) },
	  "r:float[]={3}; t:int64[]={1}; x:float[1]={1}; y:double[1]={5}; "
	  "g:float[1]={2}; f:double[1]={0}; v:float[1]={2}; w:double[1]={0}; "
	  "h:float[1]={4}; k:double[1]={4}",
	  "x = Add(a:float[1]={-1}, 0); y = Add(b:double[1]={2.5}, 0); "
	  "v = Add(c:float[1]={2}, 0); w = Add(d:double[1]={0}, 0); "
	  "h = Add(e:float[1]={4}, 0); k = Add(f:double[1]={3}, 0)" },
	{ "Momentum",
	  1,
	  { FLOAT("alpha", 0.5), FLOAT("beta", 0.25),
	    FLOAT("norm_coefficient", 0), TEXT("mode", "standard") },
	  "r:float[]={2}; t:int64[]={1}; x:float[1]={1}; g:float[1]={4}; "
	  "v:float[1]={2}",
	  "x = Add(a:float[1]={-3}, 0); v = Add(b:float[1]={2}, 0)" },
	{ "Momentum",
	  1,
	  { FLOAT("alpha", 0.5), FLOAT("beta", 0.25),
	    FLOAT("norm_coefficient", 1), TEXT("mode", "nesterov") },
	  "r:float[]={2}; t:int64[]={0}; x:float[1]={1}; g:float[1]={3}; "
	  "v:float[1]={2}",
	  "x = Add(a:float[1]={-12}, 0); v = Add(b:float[1]={5}, 0)" },
	{ "PRelu",
	  6,
	  { { 0 } },
	  "x:float[2,3,4]; s:float[3]",
	  "y = PRelu(x:float[2,3,4], Reshape(s:float[3], n:int64[2]={3,1}))" },
	{ "PRelu",
	  6,
	  { { 0 } },
	  "x:float[2,3]; s:float[1]",
	  "y = PRelu(x:float[2,3], s:float[1])" },
	{ "GroupNormalization",
	  18,
	  { INT("num_groups", 2), FLOAT("epsilon", 0.25) },
	  "x:float[2,6,5]; s:float[2]={1,2}; b:float[2]={3,4}",
	  "y = GroupNormalization<num_groups=2, epsilon=0.25>(x:float[2,6,5], "
	  "s:float[6]={1,1,1,2,2,2}, b:float[6]={3,3,3,4,4,4})" },
	{ "NegativeLogLikelihoodLoss",
	  12,
	  { TEXT("reduction", "sum") },
	  "x:float[3,2]; t:int64[3]",
	  "y = NegativeLogLikelihoodLoss<reduction=\"sum\">(x:float[3,2], "
	  "t:int64[3])" },
	{ "SoftmaxCrossEntropyLoss",
	  12,
	  { { 0 } },
	  "x:float[3,2]; t:int64[3]",
	  "y = SoftmaxCrossEntropyLoss(x:float[3,2], t:int64[3])" },
};

const struct row *spelling_row(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}
