/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Einsum: an equation over the shapes of its operands.
 *
 * Labels are numbers: 0 to 7 are the axes of "...", counted so that the last
 * one is 7; then A to Z, then a to z. An axis of extent 1 goes with any extent
 * of its label.
 *
 * Threads: plain data and pure functions.
 * Limits:  16 operands.
 */
#ifndef ENGINE_OPS_EINSUM_H
#define ENGINE_OPS_EINSUM_H

#include "engine/kernel.h"

enum {
	EINSUM_MAX_OPERANDS = 16,
	EINSUM_FIRST_LETTER = SHAPE_MAX_RANK,
	EINSUM_LABELS = SHAPE_MAX_RANK + 2 * 26
};

struct einsum_attrs {
	const char *equation;
};

struct einsum_term {
	unsigned rank;
	uint8_t label[SHAPE_MAX_RANK];
};

struct einsum {
	unsigned n_in;
	struct einsum_term in[EINSUM_MAX_OPERANDS], out;
	int64_t extent[EINSUM_LABELS]; /**< 0 and more; -1: no such label */
};

/** The equation on those shapes; a missing right-hand side is what ONNX says:
 * the axes of "..." and every letter that stands once, in order. */
MUST_USE enum err_code einsum_parse(const char *equation, unsigned n_in,
				    const struct fact *in, struct einsum *ret,
				    struct err *err);
/** The letter of a label from EINSUM_FIRST_LETTER on. */
char einsum_letter(unsigned label);
/** By label: elements from one to the next in a dense operand; 0 where it has
 * not that label or extent 1. Of a repeated label the sum: the diagonal. */
void einsum_strides(const struct einsum *e, unsigned operand,
		    const struct shape *shape, int64_t stride[EINSUM_LABELS]);

extern const struct kernel einsum_product, einsum_plain;

#endif
