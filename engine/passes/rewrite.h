/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rewrite: a few nodes and what they become, both as graph text.
 *
 *	match "y = Mul(x:float, Sigmoid(x))"   make "y = Swish(x)"
 *
 * Operands declared in `match` are any values, numbers in it constants (within
 * 1e-6) that change no shape by broadcasting. Types do not matter. Values in
 * between have no other reader; operators that commute are tried both ways.
 * Attributes must agree, numbers within 1e-6.
 *
 * Ownership: rows are const.
 * Threads:   one graph, one thread.
 * Limits:    REWRITE_NODES_MAX nodes, and as many values again.
 */
#ifndef ENGINE_PASSES_REWRITE_H
#define ENGINE_PASSES_REWRITE_H

#include "engine/passes/edit.h"

enum { REWRITE_NODES_MAX = 24, REWRITE_VALUES_MAX = 48 };

struct rewrite_match {
	struct edit *edit;
	const struct graph *pattern;
	int32_t value[REWRITE_VALUES_MAX]; /**< by value of the pattern */
};

/** A table ends with a NULL match. */
struct rewrite {
	const char *match; /**< its last statement defines y */
	const char *make;  /**< defines y, or NULL: build() does */
	/** What the text cannot say; NULL: nothing. */
	bool (*guard)(const struct rewrite_match *match);
	/** y, or VALUE_NONE to leave all as it is. */
	int32_t (*build)(const struct rewrite_match *match);
};

/** The value that a name of the pattern stands for. */
int32_t rewrite_value(const struct rewrite_match *match, const char *name);

/** One walk over the graph. */
MUST_USE enum err_code rewrite_all(const struct pass_context *context,
				   const struct rewrite *rows,
				   bool *ret_changed, struct err *err);

#endif
