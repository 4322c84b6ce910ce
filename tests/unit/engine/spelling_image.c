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
};
const size_t n_image_rows = sizeof(image_rows) / sizeof(image_rows[0]);
