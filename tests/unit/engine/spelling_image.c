/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engine/spelling_rows.h"

const struct row image_rows[] = {
	{ "Resize",
	  10,
	  { TEXT("mode", "linear") },
	  "x:float[1,1,2,3]; s:float[4]={1,1,2,0.5}",
	  "y = Resize<mode=\"linear\", "
	  "coordinate_transformation_mode=\"asymmetric\">(x:float[1,1,2,3], , "
	  "s:float[4]={1,1,2,0.5})" },
	{ "Upsample",
	  1,
	  { FLOAT("height_scale", 2), FLOAT("width_scale", 3) },
	  "x:float[1,1,2,3]",
	  "y = Resize<nearest_mode=\"floor\", "
	  "coordinate_transformation_mode=\"asymmetric\">(x:float[1,1,2,3], , "
	  "s:float[4]={1,1,2,3})" },
	{ "Upsample",
	  7,
	  { FLOATS("scales", 1, 1, 2, 1.5F), TEXT("mode", "linear") },
	  "x:float[1,1,2,4]",
	  "y = Resize<mode=\"linear\", "
	  "coordinate_transformation_mode=\"asymmetric\">(x:float[1,1,2,4], , "
	  "s:float[4]={1,1,2,1.5})" },
	{ "Upsample",
	  9,
	  { { 0 } },
	  "x:float[2,3]; s:float[2]={2,2}",
	  "y = Resize<nearest_mode=\"floor\", "
	  "coordinate_transformation_mode=\"asymmetric\">(x:float[2,3], , "
	  "s:float[2]={2,2})" },
	{ "Affine",
	  1,
	  { FLOAT("alpha", 2), FLOAT("beta", -0.5) },
	  "x:float[2,3]",
	  "y = Sub(Mul(x:float[2,3], 2), 0.5)" },
	{ "Scale",
	  1,
	  { FLOAT("scale", 0.25) },
	  "x:double[3]",
	  "y = Mul(x:double[3], 0.25)" },
	{ "ScaledTanh",
	  1,
	  { FLOAT("alpha", 0.5), FLOAT("beta", 2) },
	  "x:float[3]",
	  "y = Mul(Tanh(Mul(x:float[3], 2)), 0.5)" },
	{ "ParametricSoftplus",
	  1,
	  { FLOAT("alpha", 0.5), FLOAT("beta", 2) },
	  "x:float[3]",
	  "y = Mul(Softplus(Mul(x:float[3], 2)), 0.5)" },
	{ "ImageScaler",
	  1,
	  { FLOAT("scale", 2), FLOATS("bias", 1, -1) },
	  "x:float[1,2,2,3]",
	  "y = Add(Mul(x:float[1,2,2,3], 2), b:float[2,1,1]={1,-1})" },
	{ "ImageScaler",
	  9,
	  { FLOAT("scale", 2) },
	  "x:float[1,2,2,3]",
	  "y = Mul(x:float[1,2,2,3], 2)" },
	{ "Crop",
	  1,
	  { INTS("border", 1, 0, 2, 1) },
	  "x:float[1,2,4,6]",
	  "y = Slice(x:float[1,2,4,6], s:int64[2]={0,1}, e:int64[2]={3,4}, "
	  "a:int64[2]={2,3})" },
	{ "Crop",
	  6,
	  { INTS("border", 1, 2, 0, 0), INTS("scale", 2, 3) },
	  "x:float[1,2,4,6]",
	  "y = Slice(x:float[1,2,4,6], s:int64[2]={2,1}, e:int64[2]={4,4}, "
	  "a:int64[2]={2,3})" },
	{ "GivenTensorFill",
	  1,
	  { FLOATS("values", 1, 2, 3, 4), INTS("shape", 2, 2) },
	  "",
	  "y = Identity(c:float[2,2]={1,2,3,4})" },
	{ "GivenTensorFill",
	  1,
	  { FLOATS("values", 1, 2, 3, 4), INTS("extra_shape", 1) },
	  "x:float[2,2]",
	  "z = Sub(x:float[2,2], x); "
	  "y = Add(c:float[2,2,1]={1,2,3,4}, Unsqueeze(z, a:int64[1]={2}))" },
	{ "GivenTensorFill",
	  1,
	  { FLOATS("values", 1, 2, 3, 4), INT("input_as_shape", 1) },
	  "s:int64[2]={4,1}",
	  "y = Reshape(c:float[4]={1,2,3,4}, s:int64[2]={4,1})" },
	{ "RoiAlign",
	  10,
	  { INT("output_width", 2), TEXT("mode", "max") },
	  "x:float[1,2,4,5]; r:float[1,4]={0,1,3,3}; n:int64[1]={0}",
	  "y = RoiAlign<output_width=2, mode=\"max\", "
	  "coordinate_transformation_mode=\"output_half_pixel\">("
	  "x:float[1,2,4,5], r:float[1,4]={0,1,3,3}, n:int64[1]={0})" },
};
const size_t n_image_rows = sizeof(image_rows) / sizeof(image_rows[0]);
