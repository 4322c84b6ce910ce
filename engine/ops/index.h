/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Index: places given by the elements of a tensor, and what is done there.
 *
 * Indices are int32 or int64; a negative one counts from the end.
 *
 * Threads: pure functions over const tables.
 */
#ifndef ENGINE_OPS_INDEX_H
#define ENGINE_OPS_INDEX_H

#include "engine/autodiff.h"
#include "engine/kernel.h"

/** Index number i, 0 to extent - 1; -1 when it is out of range. */
static inline int64_t index_at(const void *index, bool wide, int64_t i,
			       int64_t extent)
{
	int64_t k =
	    wide ? ((const int64_t *)index)[i] : ((const int32_t *)index)[i];

	if (k < -extent || k >= extent)
		return -1;
	return k < 0 ? k + extent : k;
}

/** to[0..n) = to op from, element by element. */
typedef void combine_fn(const void *from, void *to, int64_t n);
/** The function of a reduction ("none", "add", "mul", "max", "min") on that
 * element type; NULL where there is none. "none" copies. */
combine_fn *combine_find(const char *reduction, enum dtype dtype);
/** ERR_INVALID or ERR_UNSUPPORTED for what combine_find() has not, once
 * narrow types are widened. */
MUST_USE enum err_code combine_check(const char *reduction, enum dtype dtype,
				     struct err *err);
/** What reads back what a scatter put: a node of that name and attributes. */
struct scatter_inverse {
	const char *op;
	const void *attrs;
};
/** The gradients of a scatter (data, indices, updates) with reduction none or
 * add; others have none. */
MUST_USE enum err_code scatter_rule(struct vjp *vjp, const char *reduction,
				    const struct scatter_inverse *inverse,
				    struct err *err);

#endif
