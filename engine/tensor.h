/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Shapes and views of tensors.
 *
 * Shapes are always concrete: rank at most 8, extents from 0 to 2^31 - 1,
 * counts below 2^40, checked where a shape is made (shape_check). Code behind
 * that check may multiply and cast freely. A view borrows dense elements.
 *
 * Ownership: a view has no destroy; its bytes belong to somebody else.
 * Threads:   plain data.
 */
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/dtype.h"

struct arena;

enum { SHAPE_MAX_RANK = 8 };
#define SHAPE_MAX_EXTENT ((int64_t)INT32_MAX)
#define SHAPE_MAX_COUNT ((int64_t)1 << 40)

struct shape {
	unsigned rank;
	int64_t dim[SHAPE_MAX_RANK];
};

/** Elements are dense and row-major. */
struct tensor_view {
	void *data;
	enum dtype dtype;
	struct shape shape;
};

/** Element of a string tensor; its bytes outlive the run. */
struct str {
	const char *bytes;
	size_t len;
};

/** Refuses what no tensor may be; `what` names it in the message. */
MUST_USE enum err_code shape_check(const struct shape *shape, const char *what,
				   struct err *err);
/** n extents, at most SHAPE_MAX_RANK, as a shape. */
struct shape shape_of(const int64_t *dim, size_t n);
/** Product of the extents; 1 for a scalar. */
int64_t shape_count(const struct shape *shape);
/** Product of dim[first..last-1]. */
int64_t shape_range(const struct shape *shape, unsigned first, unsigned last);
bool shape_equal(const struct shape *a, const struct shape *b);
/** Numpy's rule; ERR_SHAPE with both shapes in the message. */
MUST_USE enum err_code shape_broadcast(const struct shape *a,
				       const struct shape *b, struct shape *ret,
				       struct err *err);
/** Axis -rank..rank-1 to 0..rank-1; ERR_SHAPE names axis and rank. */
MUST_USE enum err_code shape_axis(int64_t axis, unsigned rank, const char *what,
				  unsigned *ret_axis, struct err *err);
/** "[1,3,224,224]" into text, cut to cap; returns text. */
const char *shape_text(const struct shape *shape, char *text, size_t cap);

/** A copy with its own elements (of strings their bytes too), 64-byte
 * aligned in the arena; NULL: out of memory. */
struct tensor_view *tensor_copy(const struct tensor_view *view,
				struct arena *arena);

/** The same type, shape, layout and bits; texts by their bytes. */
bool tensor_equal(const struct tensor_view *a, const struct tensor_view *b);

/** Bytes in memory of a checked shape. */
size_t tensor_bytes(enum dtype dtype, const struct shape *shape);
/** Bytes of any extents a stranger may send: checks rank, signs, overflow and
 * the limits above. Every reader of files and requests goes through it. */
MUST_USE enum err_code tensor_bytes_checked(enum dtype dtype, unsigned rank,
					    const int64_t *dim,
					    const char *what, size_t *ret_bytes,
					    struct err *err);

#endif
