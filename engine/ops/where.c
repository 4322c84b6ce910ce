/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Where: X where the condition holds, else Y, element by element.
 *
 * Elements move whole, whatever their type. All three operands broadcast.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"

/* One row of n elements of `size` bytes; a step of 0 stays. */
struct where_row {
	const bool *c;
	const char *x, *y;
	char *out;
	int64_t n;
	int64_t c_step, x_step, y_step;
};

/* Elements of any type are read and written as these. */
typedef uint32_t any_u32 __attribute__((may_alias));
typedef uint64_t any_u64 __attribute__((may_alias));

#define T any_u32
#define NAME(x) u32_##x
#include "engine/ops/where_typed.h"
#undef T
#undef NAME
#define T any_u64
#define NAME(x) u64_##x
#include "engine/ops/where_typed.h"
#undef T
#undef NAME

static void any_size(const struct where_row *row, size_t size)
{
	for (int64_t i = 0; i < row->n; i++) {
		const size_t at_x = (size_t)(i * row->x_step) * size;
		const size_t at_y = (size_t)(i * row->y_step) * size;

		memcpy(row->out + (size_t)i * size,
		       row->c[i * row->c_step] ? row->x + at_x : row->y + at_y,
		       size);
	}
}

static void where_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *shape[3];
	const size_t size = dtype_info(query->out[0].type.elem)->size;
	struct broadcast_row at;
	struct where_row row;
	struct broadcast b;
	int64_t first, last;

	(void)scratch;
	for (unsigned i = 0; i < 3; i++)
		shape[i] = &query->in[i].shape;
	kernel_slice(shape_count(&query->out[0].shape), call->n_slices, slice,
		     &first, &last);
	broadcast_init(&b, &query->out[0].shape, shape, 3);
	broadcast_first(&b, first, last, &at);
	row.c_step = b.step[0][b.rank - 1];
	row.x_step = b.step[1][b.rank - 1];
	row.y_step = b.step[2][b.rank - 1];
	while (broadcast_next(&b, &at)) {
		row.n = at.n;
		row.c = (const bool *)call->in[0] + at.in[0];
		row.x = (const char *)call->in[1] + (size_t)at.in[1] * size;
		row.y = (const char *)call->in[2] + (size_t)at.in[2] * size;
		row.out = (char *)call->out[0] + (size_t)at.at * size;
		if (size == sizeof(uint32_t))
			u32_where(&row);
		else if (size == sizeof(uint64_t))
			u64_where(&row);
		else
			any_size(&row, size);
	}
}

static void where_reference(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *out = &query->out[0].shape;
	const size_t size = dtype_info(query->out[0].type.elem)->size;
	const bool *c = call->in[0];
	const int64_t n = shape_count(out);

	(void)slice;
	(void)scratch;
	for (int64_t at = 0; at < n; at++) {
		const unsigned i =
		    c[broadcast_index(out, &query->in[0].shape, at)] ? 1 : 2;
		const int64_t from =
		    broadcast_index(out, &query->in[i].shape, at);

		memcpy((char *)call->out[0] + (size_t)at * size,
		       (const char *)call->in[i] + (size_t)from * size, size);
	}
}

static double where_cost(const struct kernel_query *query)
{
	return 0.05 + 5e-4 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel fast = {
	.name = "where",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = where_cost,
	.prepare = elementwise_prepare,
	.run = where_run,
};
static const struct kernel reference = {
	.name = "where.reference",
	.flags = KERNEL_QUICK,
	.run = where_reference,
};
static const struct kernel *const where_kernels[] = { &fast, &reference, NULL };

static enum err_code where_vjp(struct vjp *vjp, struct err *err)
{
	struct build *b = vjp->build;
	const int32_t dy = vjp->grad_out[0];
	const enum dtype elem = b->graph->value[vjp->in[1]].type.elem;
	const int32_t zero = build_scalar(b, elem, 0.0);
	const int32_t to_x[3] = { vjp->in[0], dy, zero };
	const int32_t to_y[3] = { vjp->in[0], zero, dy };

	if (vjp->wanted[1])
		vjp->grad_in[1] =
		    build_2(b, "SumTo", build_node(b, "Where", NULL, to_x, 3),
			    vjp->in[1]);
	if (vjp->wanted[2])
		vjp->grad_in[2] =
		    build_2(b, "SumTo", build_node(b, "Where", NULL, to_y, 3),
			    vjp->in[2]);
	return build_check(b, err);
}

static const struct op_case where_cases[] = {
	{ .name = "same shape",
	  .graph = "y = Where(c:bool[3,5], a:float[3,5], b:float[3,5])" },
	{ .name = "scalars",
	  .graph = "y = Where(c:bool[3,5], a:float[], b:float[])" },
	{ .name = "all broadcast",
	  .graph = "y = Where(c:bool[3,1,1], a:float[1,5,1], b:float[4])" },
	{ .name = "one condition",
	  .graph = "y = Where(c:bool[1], a:float[7], b:float[7])" },
	{ .name = "bytes",
	  .graph = "y = Where(c:bool[9], a:uint8[9], b:uint8[])" },
	{ .name = "int64",
	  .graph = "y = Where(c:bool[9], a:int64[9], b:int64[9])" },
	{ .name = "text",
	  .graph = "y = Where(c:bool[5], Cast<to=8>(a:int64[5]), "
		   "Cast<to=8>(b:int64[1]))" },
	{ .name = "nothing",
	  .graph = "y = Where(c:bool[0,3], a:float[3], b:float[])" },
	{ .name = "shapes that do not meet",
	  .graph = "y = Where(c:bool[4], a:float[3], b:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_where;

const struct op op_where = {
	.domain = "",
	.name = "Where",
	.help = "X where the condition holds, else Y",
	.since = 9,
	.flags = OP_MOVES,
	.in = (const struct port[]){ { "condition", "bool", 0 },
				     { "X", "T:any", 0 },
				     { "Y", "T", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "output", "T", 0 }, { 0 } },
	.infer = infer_broadcast,
	.kernels = where_kernels,
	.vjp = where_vjp,
	.cases = where_cases,
};
