/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Move: copies of N-dimensional blocks, whatever their element type.
 *
 * A move walks `dim` and copies the element at offset sum(i * from) to offset
 * sum(i * to); strides count elements, may be negative, and `from` may be 0
 * (broadcast). Transpose, Slice, Expand, Tile and their gradients are one move
 * each. Extents may be 0.
 *
 * Ownership: a struct move is plain data.
 * Threads:   pure functions; slices of one move touch different elements.
 */
#ifndef ENGINE_OPS_MOVE_H
#define ENGINE_OPS_MOVE_H

#include "engine/kernel.h"

/** More than a tensor's rank: Tile walks every axis twice. */
enum { MOVE_MAX_RANK = 2 * SHAPE_MAX_RANK };

struct move {
	unsigned rank;
	int64_t dim[MOVE_MAX_RANK], to[MOVE_MAX_RANK], from[MOVE_MAX_RANK];
};

/** Strides of a dense row-major block. */
void move_strides(const struct shape *shape, int64_t stride[SHAPE_MAX_RANK]);
/** Leaves out extents of 1 and joins axes that run on in both blocks. */
void move_simplify(struct move *move);
/** Part `slice` of n_slices: cuts the first axis and advances both addresses
 * (bytes of elements of `size`). False when nothing is left. */
bool move_part(struct move *move, unsigned n_slices, unsigned slice,
	       int64_t *ret_to, int64_t *ret_from);
/** size: 1, 2, 4, 8 or 16 bytes. The blocks may not overlap. */
void move_run(const struct move *move, size_t size, void *to, const void *from);
/** Simplifies a copy of the move and runs one slice of it. */
void move_run_slice(const struct move *move, const struct kernel_call *call,
		    unsigned slice);

/** Slices for `rows` independent parts of a result of that many bytes. */
unsigned move_slices(const struct kernel_query *query, int64_t rows,
		     size_t bytes);
/** kernel.cost of what reads in 0 and writes out 0 once. */
double move_cost(const struct kernel_query *query);
/** The same for gathers of single elements. */
double move_cost_scattered(const struct kernel_query *query);

/** True when input i was given. */
static inline bool infer_has(const struct infer *infer, unsigned i)
{
	return i < infer->n_in && infer->in[i].type.elem != DTYPE_NONE;
}

/** Element i of a known int32 or int64 value. */
int64_t fact_int(const struct fact *fact, int64_t i);
/** The question of a kernel as infer() saw it. */
struct infer query_infer(const struct kernel_query *query);
/** Bytes of an element of output 0. */
static inline size_t query_size(const struct kernel_query *query)
{
	return dtype_info(query->out[0].type.elem)->size;
}

/** The axes that input i lists, each 0..rank-1, as a set of bits; ERR_SHAPE
 * for one out of range or given twice. An absent input gives 0. */
MUST_USE enum err_code infer_axes(const struct infer *infer, unsigned i,
				  unsigned rank, uint32_t *ret_axes,
				  struct err *err);

#endif
