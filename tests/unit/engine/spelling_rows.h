/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows of old forms: what spelling.c lowers, runs and compares.
 */
#ifndef TESTS_UNIT_ENGINE_SPELLING_ROWS_H
#define TESTS_UNIT_ENGINE_SPELLING_ROWS_H

#include "engine/spelling.h"

enum { ATTRS_MAX = 5 };

/* An old node and the graph text that means the same. `inputs` declares the
 * node's inputs in order; a '-' in `holes` at place i leaves input i out. */
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

/** Those that stand in spelling_rows.c; NULL past the end. */
const struct row *spelling_row(size_t i);

#endif
