/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Spellings: older and foreign forms of operators, lowered at import.
 *
 * (domain, name, opset) finds a spelling, else the row itself. Most spellings
 * turn an attribute into a constant input. Kernels, gradients and passes
 * never see an opset.
 */
#ifndef ENGINE_SPELLING_H
#define ENGINE_SPELLING_H

#include "engine/build.h"

struct lower {
	struct build *build; /**< no facts; types are not known yet */
	const char *node_name;
	const void *attrs;   /**< of the spelling's own table */
	unsigned opset;
	const int32_t *in;   /**< VALUE_NONE: absent */
	unsigned n_in;
	int32_t *out;        /**< to fill: n_out values */
	unsigned n_out;
	const struct tensor_view *const *in_const; /**< by input: its constant, or NULL */
};

struct spelling {
	const char *domain, *name;
	uint16_t from, to; /**< opsets, inclusive */
	const struct op_attr *attrs;
	size_t attrs_size;
	enum err_code (*lower)(struct lower *lower, struct err *err);
};

/** NULL: use the row. */
const struct spelling *spelling_find(const char *domain, const char *name,
				     unsigned opset);

#endif
