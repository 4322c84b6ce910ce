/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum by loops over all labels: any equation, any number of operands. */
#include <string.h>

#include "engine/ops/einsum.h"
#include "engine/ops/move.h"

/* Loops over labels: those of the result, then those that are summed. */
struct nest {
	unsigned n_in, n_out, n_sum;
	int64_t dim[EINSUM_LABELS];
	int64_t step[EINSUM_LABELS][EINSUM_MAX_OPERANDS];
};

/* A place in loops first to end - 1 of a nest, and the operands' offsets. */
struct walk {
	unsigned first, end;
	int64_t at[EINSUM_LABELS];
	int64_t offset[EINSUM_MAX_OPERANDS];
};

/* False at the end, where it begins anew. */
static bool walk_next(const struct nest *nest, struct walk *walk)
{
	for (unsigned i = walk->end; i-- > walk->first;) {
		const bool ends = ++walk->at[i] == nest->dim[i];
		const int64_t steps = ends ? 1 - nest->dim[i] : 1;

		for (unsigned p = 0; p < nest->n_in; p++)
			walk->offset[p] += steps * nest->step[i][p];
		if (!ends)
			return true;
		walk->at[i] = 0;
	}
	return false;
}

static void walk_to(const struct nest *nest, struct walk *walk, int64_t place)
{
	for (unsigned i = walk->end; i-- > walk->first;) {
		walk->at[i] = place % nest->dim[i];
		place /= nest->dim[i];
		for (unsigned p = 0; p < nest->n_in; p++)
			walk->offset[p] += walk->at[i] * nest->step[i][p];
	}
}

#define T float
#define S double
#define NAME(x) x##_f32
#include "engine/ops/einsum_typed.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "engine/ops/einsum_typed.h"
#undef T
#undef NAME
#undef S
#define S uint64_t
#define T int32_t
#define NAME(x) x##_i32
#include "engine/ops/einsum_typed.h"
#undef T
#undef NAME
#define T int64_t
#define NAME(x) x##_i64
#include "engine/ops/einsum_typed.h"
#undef T
#undef NAME
#define T uint64_t
#define NAME(x) x##_u64
#include "engine/ops/einsum_typed.h"
#undef T
#undef NAME
#undef S

typedef void elements_fn(const struct nest *nest, const void *const *in,
			 void *out, int64_t first, int64_t last);

static elements_fn *elements_of(enum dtype dtype)
{
	static elements_fn *const fn[DTYPE_COUNT] = {
		[DTYPE_F32] = elements_f32, [DTYPE_F64] = elements_f64,
		[DTYPE_I32] = elements_i32, [DTYPE_I64] = elements_i64,
		[DTYPE_U64] = elements_u64,
	};

	return fn[dtype];
}

static bool is_in(const struct einsum_term *term, unsigned label)
{
	for (unsigned i = 0; i < term->rank; i++)
		if (term->label[i] == label)
			return true;
	return false;
}

/* False where a sum has no terms. */
static bool nest_of(const struct kernel_query *q, struct nest *nest)
{
	const struct einsum_attrs *attrs = q->attrs;
	uint8_t order[EINSUM_LABELS];
	struct einsum e;
	unsigned n;

	memset(nest, 0, sizeof(*nest));
	if (einsum_parse(attrs->equation, q->n_in, q->in, &e, NULL))
		return false; /* infer() let it pass */
	memcpy(order, e.out.label, e.out.rank);
	n = e.out.rank;
	for (unsigned i = 0; i < EINSUM_LABELS; i++)
		if (e.extent[i] >= 0 && e.extent[i] != 1 && !is_in(&e.out, i))
			order[n++] = (uint8_t)i;
	nest->n_in = e.n_in;
	nest->n_out = e.out.rank;
	nest->n_sum = n - e.out.rank;
	for (unsigned i = 0; i < n; i++)
		nest->dim[i] = e.extent[order[i]];
	for (unsigned p = 0; p < e.n_in; p++) {
		int64_t stride[EINSUM_LABELS];

		einsum_strides(&e, p, &q->in[p].shape, stride);
		for (unsigned i = 0; i < n; i++)
			nest->step[i][p] = stride[order[i]];
	}
	for (unsigned i = nest->n_out; i < n; i++)
		if (!nest->dim[i])
			return false;
	return true;
}

static bool plain_fits(const struct kernel_query *query)
{
	return elements_of(query->in[0].type.elem) != NULL;
}

static double plain_cost(const struct kernel_query *query)
{
	struct nest nest;
	double n = 0.5e-3 * (double)query->n_in;

	if (!nest_of(query, &nest))
		return 1;
	for (unsigned i = 0; i < nest.n_out + nest.n_sum; i++)
		n *= (double)nest.dim[i];
	return 1 + n + (double)shape_count(&query->out[0].shape) * 0.05;
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];
	const int64_t n = shape_count(&y->shape);

	(void)err;
	ret->n_slices =
	    move_slices(query, n, tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct fact *y = &q->out[0];
	const int64_t n = shape_count(&y->shape);
	int64_t first, last;
	struct nest nest;

	(void)scratch;
	kernel_slice(n, call->n_slices, slice, &first, &last);
	if (first >= last)
		return;
	if (nest_of(q, &nest)) {
		elements_of(y->type.elem)(&nest, call->in, call->out[0], first,
					  last);
	} else {
		const size_t size = query_size(q);

		memset((char *)call->out[0] + (size_t)first * size, 0,
		       (size_t)(last - first) * size);
	}
}

const struct kernel einsum_plain = {
	.name = "einsum.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = plain_fits,
	.cost = plain_cost,
	.prepare = plain_prepare,
	.run = plain_run,
};
