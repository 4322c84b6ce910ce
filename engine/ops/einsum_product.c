/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum of two operands as matrix products.
 *
 * Labels fall into groups: batch (in both operands and the result), rows (in
 * the first and the result), columns (in the second and the result), inner (in
 * both operands only) and what only one operand has, which is summed first. An
 * operand whose rows and inner labels each run on evenly, one of them by steps
 * of 1, goes to BLAS as it lies; others are packed, one batch at a time.
 */
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/ops/einsum.h"
#include "engine/ops/move.h"

enum { MAX_SLICES = 16, ROWS = 16, AXES_MAX = 2 * SHAPE_MAX_RANK };

#define US_PER_FLOP 1.2e-5
#define SLICE_FLOPS 4e6
/* below this a product is not worth a call of BLAS */
#define WORTH_FLOPS 64

/* Labels of one group, by their steps in both operands and the result. */
enum { LEFT, RIGHT, RESULT, SIDES };
struct group {
	unsigned n;
	int64_t dim[AXES_MAX], step[AXES_MAX][SIDES];
	int64_t count; /* product of dim */
};

/* How a matrix of (outer, inner) groups lies. */
struct side {
	bool is_direct, is_transposed;
	int64_t pitch; /* from one row to the next, as BLAS counts */
};

struct contraction {
	unsigned left, right; /* which operand is which */
	struct group batch, rows, columns, inner, only[2];
	struct side side[SIDES];
};

static void group_add(struct group *g, int64_t dim, const int64_t step[SIDES])
{
	g->dim[g->n] = dim;
	memcpy(g->step[g->n], step, sizeof(g->step[0]));
	g->n++;
	g->count *= dim;
}

/* True when the labels of a group are one even run; its step. */
static bool is_even(const struct group *g, unsigned side, int64_t *ret_step)
{
	for (unsigned i = 0; i + 1 < g->n; i++)
		if (g->step[i][side] != g->dim[i + 1] * g->step[i + 1][side])
			return false;
	*ret_step = g->n ? g->step[g->n - 1][side] : 1;
	return true;
}

static struct side side_of(const struct group *rows,
			   const struct group *columns, unsigned side)
{
	struct side ret = { .pitch = columns->count };
	int64_t row, column;

	if (!is_even(rows, side, &row) || !is_even(columns, side, &column))
		return ret;
	if (column == 1 || columns->count == 1) {
		ret.is_direct = true;
		ret.pitch = rows->n ? row : columns->count;
	} else if (row == 1 || rows->count == 1) {
		ret.is_direct = true;
		ret.is_transposed = true;
		ret.pitch = column;
	}
	return ret;
}

static void place_label(struct contraction *c, int64_t dim,
			const int64_t step[SIDES])
{
	const bool left = step[LEFT] != 0, right = step[RIGHT] != 0;

	if (step[RESULT])
		group_add(left && right ? &c->batch
			  : left	? &c->rows
					: &c->columns,
			  dim, step);
	else if (left && right)
		group_add(&c->inner, dim, step);
	else
		group_add(&c->only[left ? LEFT : RIGHT], dim, step);
}

/* Labels of the result first, in its order; the others by the left operand. */
static void place_labels(struct contraction *c, const struct einsum *e,
			 const struct kernel_query *q)
{
	const struct einsum_term *order[3] = { &e->out, &e->in[c->left],
					       &e->in[c->right] };
	int64_t stride[SIDES][EINSUM_LABELS] = { { 0 } };
	int64_t dense[SHAPE_MAX_RANK];
	uint64_t seen = 0;

	einsum_strides(e, c->left, &q->in[c->left].shape, stride[LEFT]);
	einsum_strides(e, c->right, &q->in[c->right].shape, stride[RIGHT]);
	move_strides(&q->out[0].shape, dense);
	for (unsigned i = 0; i < e->out.rank; i++)
		stride[RESULT][e->out.label[i]] = dense[i];
	for (unsigned t = 0; t < 3; t++) {
		for (unsigned i = 0; i < order[t]->rank; i++) {
			const unsigned label = order[t]->label[i];
			const int64_t step[SIDES] = { stride[LEFT][label],
						      stride[RIGHT][label],
						      stride[RESULT][label] };

			if (e->extent[label] == 1 || seen >> label & 1)
				continue;
			seen |= (uint64_t)1 << label;
			place_label(c, e->extent[label], step);
		}
	}
}

static void contraction_fill(struct contraction *c, const struct einsum *e,
			     const struct kernel_query *q, unsigned left)
{
	const struct group none = { .count = 1 };

	*c = (struct contraction){
		.left = left,
		.right = 1 - left,
		.batch = none,
		.rows = none,
		.columns = none,
		.inner = none,
		.only = { none, none },
	};
	place_labels(c, e, q);
	c->side[LEFT] = side_of(&c->rows, &c->inner, LEFT);
	c->side[RIGHT] = side_of(&c->inner, &c->columns, RIGHT);
	c->side[RESULT] = side_of(&c->rows, &c->columns, RESULT);
	c->side[RESULT].is_direct &= !c->side[RESULT].is_transposed;
	for (unsigned s = LEFT; s <= RIGHT; s++)
		if (c->only[s].n)
			c->side[s].is_direct = false;
	if (!c->side[LEFT].is_direct)
		c->side[LEFT] = (struct side){ .pitch = c->inner.count };
	if (!c->side[RIGHT].is_direct)
		c->side[RIGHT] = (struct side){ .pitch = c->columns.count };
	if (!c->side[RESULT].is_direct)
		c->side[RESULT] = (struct side){ .pitch = c->columns.count };
}

/* The operands change places where that makes the result's rows run on. */
static bool contraction_of(const struct kernel_query *q, struct contraction *c)
{
	const struct einsum_attrs *attrs = q->attrs;
	struct einsum e;

	if (einsum_parse(attrs->equation, q->n_in, q->in, &e, NULL))
		return false;
	contraction_fill(c, &e, q, 0);
	if (!c->side[RESULT].is_direct) {
		struct contraction other;

		contraction_fill(&other, &e, q, 1);
		if (other.side[RESULT].is_direct)
			*c = other;
	}
	return true;
}

static double flops(const struct contraction *c)
{
	return 2.0 * (double)c->rows.count * (double)c->columns.count *
	       (double)c->inner.count;
}

/* Elements that a slice packs: left, right, result. */
static void room(const struct contraction *c, int64_t ret[SIDES])
{
	ret[LEFT] =
	    c->side[LEFT].is_direct ? 0 : c->rows.count * c->inner.count;
	ret[RIGHT] =
	    c->side[RIGHT].is_direct ? 0 : c->inner.count * c->columns.count;
	ret[RESULT] =
	    c->side[RESULT].is_direct ? 0 : c->rows.count * c->columns.count;
	for (unsigned s = 0; s < SIDES; s++)
		ret[s] = (ret[s] + 15) / 16 * 16; /* 64 bytes */
}

static unsigned cut(const struct contraction *c)
{
	const double want = flops(c) * (double)c->batch.count / SLICE_FLOPS;
	int64_t parts = c->batch.count;

	if (parts == 1 && c->side[LEFT].is_direct && c->side[RIGHT].is_direct &&
	    c->side[RESULT].is_direct)
		parts = c->rows.count / ROWS;
	if (parts > MAX_SLICES)
		parts = MAX_SLICES;
	if ((double)parts > want)
		parts = (int64_t)want;
	return parts < 1 ? 1 : (unsigned)parts;
}

static bool product_fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;
	struct contraction c;

	if (query->n_in != 2 || (elem != DTYPE_F32 && elem != DTYPE_F64) ||
	    !shape_count(&query->in[0].shape) ||
	    !shape_count(&query->in[1].shape))
		return false;
	return contraction_of(query, &c) && flops(&c) >= WORTH_FLOPS;
}

static double product_cost(const struct kernel_query *query)
{
	struct contraction c;
	int64_t n[SIDES];

	if (!contraction_of(query, &c))
		return 1;
	room(&c, n);
	return 1 + (double)c.batch.count *
		       (0.5 + flops(&c) * US_PER_FLOP +
			(double)(n[LEFT] + n[RIGHT] + n[RESULT]) * 1e-3);
}

static enum err_code product_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	struct contraction c;
	int64_t n[SIDES];

	(void)err;
	if (!contraction_of(query, &c))
		return ERR_UNSUPPORTED;
	room(&c, n);
	ret->n_slices = cut(&c);
	ret->scratch_bytes =
	    (size_t)(n[LEFT] + n[RIGHT] + n[RESULT]) * query_size(query);
	return ERR_NONE;
}

static void move_axes(struct move *move, const struct group *g, unsigned side)
{
	for (unsigned i = 0; i < g->n; i++) {
		move->dim[move->rank] = g->dim[i];
		move->from[move->rank++] = g->step[i][side];
	}
}

/* The dense block of (rows, columns) of one side, and the way to it. */
static struct move dense_move(const struct group *rows,
			      const struct group *columns, unsigned side)
{
	struct move move = { 0 };
	int64_t step = 1;

	move_axes(&move, rows, side);
	move_axes(&move, columns, side);
	for (unsigned i = move.rank; i-- > 0;) {
		move.to[i] = step;
		step *= move.dim[i];
	}
	return move;
}

static void add_elements(const void *from, void *to, int64_t n, enum dtype elem)
{
	for (int64_t i = 0; i < n && elem == DTYPE_F32; i++)
		((float *)to)[i] += ((const float *)from)[i];
	for (int64_t i = 0; i < n && elem == DTYPE_F64; i++)
		((double *)to)[i] += ((const double *)from)[i];
}

/* Offset of place i of a group on one side. */
static int64_t place(const struct group *g, int64_t i, unsigned side)
{
	int64_t offset = 0;

	for (unsigned a = g->n; a-- > 0;) {
		offset += i % g->dim[a] * g->step[a][side];
		i /= g->dim[a];
	}
	return offset;
}

struct job {
	const struct contraction *c;
	enum dtype elem;
	size_t size;
	const char *in[2];
	char *out;
	char *packed[SIDES];
};

/* One operand's matrix of a batch, where BLAS may read it. Labels that it
 * alone has are summed: each of their places is added to the first. */
static const char *pack(const struct job *job, unsigned side,
			const struct group *rows, const struct group *columns,
			int64_t offset)
{
	const struct group *only = &job->c->only[side];
	const char *from = job->in[side] + (size_t)offset * job->size;
	char *to = job->packed[side];
	struct move move;

	if (job->c->side[side].is_direct)
		return from;
	move = dense_move(rows, columns, side);
	if (only->n) {
		/* element by element, which is rare */
		const int64_t n = rows->count * columns->count;

		memset(to, 0, (size_t)n * job->size);
		for (int64_t i = 0; i < n; i++) {
			const int64_t at =
			    place(rows, i / columns->count, side) +
			    place(columns, i % columns->count, side);

			for (int64_t j = 0; j < only->count; j++)
				add_elements(
				    from + (size_t)(at + place(only, j, side)) *
					       job->size,
				    to + (size_t)i * job->size, 1, job->elem);
		}
		return to;
	}
	move_simplify(&move);
	move_run(&move, job->size, to, from);
	return to;
}

/* Rows first to last - 1 of one batch. */
static void run_batch(const struct job *job, int64_t batch, int64_t first,
		      int64_t last)
{
	const struct contraction *c = job->c;
	const struct side *side = c->side;
	const struct blas_product blas = {
		.m = last - first,
		.n = c->columns.count,
		.k = c->inner.count,
		.lda = side[LEFT].pitch,
		.ldb = side[RIGHT].pitch,
		.ldc = side[RESULT].pitch,
		.trans_a = side[LEFT].is_transposed,
		.trans_b = side[RIGHT].is_transposed,
		.alpha = 1,
	};
	const int64_t skip =
	    first * (side[LEFT].is_transposed ? 1 : side[LEFT].pitch);
	const char *a = pack(job, LEFT, &c->rows, &c->inner,
			     place(&c->batch, batch, LEFT)) +
			(size_t)skip * job->size;
	const char *b = pack(job, RIGHT, &c->inner, &c->columns,
			     place(&c->batch, batch, RIGHT));
	char *to =
	    job->out + (size_t)place(&c->batch, batch, RESULT) * job->size;
	char *y = side[RESULT].is_direct ? to : job->packed[RESULT];
	struct move move;

	y += (size_t)(first * side[RESULT].pitch) * job->size;
	if (job->elem == DTYPE_F32)
		blas_product_f32(&blas, (const void *)a, (const void *)b,
				 (void *)y);
	else
		blas_product_f64(&blas, (const void *)a, (const void *)b,
				 (void *)y);
	if (side[RESULT].is_direct)
		return;
	move = dense_move(&c->rows, &c->columns, RESULT);
	for (unsigned i = 0; i < move.rank; i++) {
		const int64_t step = move.to[i];

		move.to[i] = move.from[i];
		move.from[i] = step;
	}
	move_simplify(&move);
	move_run(&move, job->size, to, job->packed[RESULT]);
}

static void product_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct kernel_query *q = call->query;
	struct contraction c;
	struct job job = { .c = &c,
			   .elem = q->out[0].type.elem,
			   .size = query_size(q),
			   .out = call->out[0] };
	int64_t n[SIDES], first = 0, last = 1, from = 0, to;

	if (!contraction_of(q, &c))
		return;
	room(&c, n);
	job.in[LEFT] = call->in[c.left];
	job.in[RIGHT] = call->in[c.right];
	job.packed[LEFT] = scratch;
	job.packed[RIGHT] = job.packed[LEFT] + (size_t)n[LEFT] * job.size;
	job.packed[RESULT] = job.packed[RIGHT] + (size_t)n[RIGHT] * job.size;
	to = c.rows.count;
	if (c.batch.count > 1) {
		kernel_slice(c.batch.count, call->n_slices, slice, &first,
			     &last);
	} else {
		kernel_slice(c.rows.count, call->n_slices, slice, &from, &to);
	}
	for (int64_t i = first; i < last && from < to; i++)
		run_batch(&job, i, from, to);
}

const struct kernel einsum_product = {
	.name = "einsum.blas",
	.flags = KERNEL_QUICK,
	.fits = product_fits,
	.cost = product_cost,
	.prepare = product_prepare,
	.run = product_run,
};
