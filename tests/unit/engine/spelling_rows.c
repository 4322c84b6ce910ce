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
};

const struct row *spelling_row(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}
