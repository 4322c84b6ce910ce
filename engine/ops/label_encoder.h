/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LabelEncoder's attributes, for the older operators that are lowered to it
 * (engine/spellings/label.c).
 *
 * Threads: plain data.
 */
#ifndef ENGINE_OPS_LABEL_ENCODER_H
#define ENGINE_OPS_LABEL_ENCODER_H

#include "engine/op.h"

struct label_encoder_attrs {
	struct attr_strings keys_strings, values_strings;
	struct attr_ints keys_int64s, values_int64s;
	struct attr_floats keys_floats, values_floats;
	const struct tensor_view *keys_tensor, *values_tensor, *default_tensor;
	const char *default_string;
	int64_t default_int64;
	double default_float;
};

#endif
