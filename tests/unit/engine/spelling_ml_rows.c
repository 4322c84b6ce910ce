/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of ai.onnx.ml over x, three strings or integers. */
#include "spelling_row.h"

/* clang-format off */
#define A { "a", 1 }
#define B { "b", 1 }

const struct row spelling_ml_rows[] = {
	{ "ai.onnx.ml.LabelEncoder", 1, { STRS("classes_strings", A, B), INT("default_int64", 9) },
	  "x:string[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_strings=[\"a\",\"b\"], "
	  "values_int64s=[0,1], default_int64=9>(x:string[3])" },
	{ "ai.onnx.ml.LabelEncoder", 1,
	  { STRS("classes_strings", A, B), TEXT("default_string", "?") },
	  "x:int64[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_int64s=[0,1], "
	  "values_strings=[\"a\",\"b\"], default_string=\"?\">(x:int64[3])" },
	{ "ai.onnx.ml.CategoryMapper", 1, { STRS("cats_strings", A, B), INTS("cats_int64s", 7, 1) },
	  "x:string[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_strings=[\"a\",\"b\"], "
	  "values_int64s=[7,1]>(x:string[3])" },
	{ "ai.onnx.ml.CategoryMapper", 3, { STRS("cats_strings", A, B), INTS("cats_int64s", 7, 1) },
	  "x:int64[3]",
	  "y = ai.onnx.ml.LabelEncoder<keys_int64s=[7,1], "
	  "values_strings=[\"a\",\"b\"]>(x:int64[3])" },
	{ 0 },
};
/* clang-format on */
