/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows of the test of spellings.
 */
#ifndef TESTS_UNIT_ENGINE_SPELLING_ROW_H
#define TESTS_UNIT_ENGINE_SPELLING_ROW_H

#include "engine/spelling.h"

enum { ATTRS_MAX = 5 };

/** An old or foreign node and the graph text that means the same. `inputs`
 * declares the node's inputs in order; one whose name begins with "hole" is
 * left out. A name may begin with a domain: "com.microsoft.Gelu". */
struct row {
	const char *name;
	unsigned opset;
	struct attr_named attr[ATTRS_MAX];
	const char *inputs, *canonical;
};

#define INT(label, number)                              \
	{                                               \
		label,                                  \
		{                                       \
			.kind = ATTR_INT, .i = (number) \
		}                                       \
	}
#define FLOAT(label, number)                              \
	{                                                 \
		label,                                    \
		{                                         \
			.kind = ATTR_FLOAT, .f = (number) \
		}                                         \
	}
#define TEXT(label, text)                                                    \
	{                                                                    \
		label,                                                       \
		{                                                            \
			.kind = ATTR_STRING, .s = { text, sizeof(text) - 1 } \
		}                                                            \
	}
#define FLOATS(label, ...)                                            \
	{                                                             \
		label,                                                \
		{                                                     \
			.kind = ATTR_FLOATS, .floats = {              \
				sizeof((float[]){ __VA_ARGS__ }) / 4, \
				(const float[]){ __VA_ARGS__ }        \
			}                                             \
		}                                                     \
	}
#define STRS(label, ...)                                                \
	{                                                               \
		label,                                                  \
		{                                                       \
			.kind = ATTR_STRINGS, .strings = {              \
				sizeof((struct str[]){ __VA_ARGS__ }) / \
				    sizeof(struct str),                 \
				(const struct str[]){ __VA_ARGS__ }     \
			}                                               \
		}                                                       \
	}
#define INTS(label, ...)                                                \
	{                                                               \
		label,                                                  \
		{                                                       \
			.kind = ATTR_INTS, .ints = {                    \
				sizeof((int64_t[]){ __VA_ARGS__ }) / 8, \
				(const int64_t[]){ __VA_ARGS__ }        \
			}                                               \
		}                                                       \
	}

/** One table a file; the last row has no name. */
extern const struct row spelling_early_rows[], spelling_more_rows[],
    spelling_image_rows[], spelling_index_rows[], spelling_quantized_rows[];
/** Of ai.onnx.ml, over three strings or integers. */
extern const struct row spelling_ml_rows[];

#endif
