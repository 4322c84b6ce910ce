/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * TensorScatter: a cache with new rows written into it, for each batch from
 * its own place on. In `circular` mode places go round; in `linear` mode rows
 * that do not fit are a fault, and that batch is all zeros.
 */
#include <string.h>

#include "engine/ops/move.h"

struct tensor_scatter_attrs {
	const char *mode;
	int64_t axis;
};

/* cache [batch, outer, n_cache, bytes], update [batch, outer, n_update, bytes]
 */
struct scatter {
	int64_t n_batch, outer, n_cache, n_update;
	size_t bytes;
	bool circular;
};

static struct scatter query_scatter(const struct kernel_query *query)
{
	const struct tensor_scatter_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);

	return (struct scatter){
		.n_batch = x->dim[0],
		.outer = shape_range(x, 1, axis),
		.n_cache = x->dim[axis],
		.n_update = query->in[1].shape.dim[axis],
		.bytes = (size_t)shape_range(x, axis + 1, x->rank) *
			 query_size(query),
		.circular = !strcmp(attrs->mode, "circular"),
	};
}

/* Where batch b's first row goes; -1, and a fault, where it cannot. */
static int64_t first_row(const struct scatter *g,
			 const struct kernel_call *call, int64_t b)
{
	const int64_t *list = call->query->n_in > 2 ? call->in[2] : NULL;
	const int64_t at = list ? list[b] : 0;

	if (g->circular && g->n_cache)
		return at < 0 ? (at % g->n_cache + g->n_cache) % g->n_cache
			      : at % g->n_cache;
	if (at >= 0 && at <= g->n_cache - g->n_update)
		return at;
	kernel_fault(call, b);
	return -1;
}

static void write_rows(const struct scatter *g, int64_t first,
		       const char *update, char *cache)
{
	for (int64_t i = 0; i < g->n_update && g->bytes; i++) {
		const int64_t at = first + i;

		memcpy(cache +
			   (size_t)(at < g->n_cache ? at : at - g->n_cache) *
			       g->bytes,
		       update + (size_t)i * g->bytes, g->bytes);
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct scatter g = query_scatter(call->query);
	const size_t cache = (size_t)g.n_cache * g.bytes;
	const size_t update = (size_t)g.n_update * g.bytes;
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_batch * g.outer, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last && cache; i++) {
		const char *from =
		    (const char *)call->in[0] + (size_t)i * cache;
		char *to = (char *)call->out[0] + (size_t)i * cache;
		const int64_t at = first_row(&g, call, i / g.outer);

		if (at < 0) {
			memset(to, 0, cache);
			continue;
		}
		if (to != from)
			memcpy(to, from, cache);
		write_rows(&g, at,
			   (const char *)call->in[1] + (size_t)i * update, to);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct scatter g = query_scatter(query);
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, g.n_batch * g.outer,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static enum err_code check_shapes(const struct infer *infer, unsigned axis,
				  struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	const struct shape *update = &infer->in[1].shape;
	struct shape want = *x;
	char text[2][64];

	if (update->rank == x->rank && update->dim[axis] <= x->dim[axis])
		want.dim[axis] = update->dim[axis];
	if (!shape_equal(&want, update))
		return infer_fail(
		    err, "input 'update': expected %s or fewer rows, got %s",
		    shape_text(&want, text[0], sizeof(text[0])),
		    shape_text(update, text[1], sizeof(text[1])));
	if (infer_has(infer, 2) && (infer->in[2].shape.rank != 1 ||
				    infer->in[2].shape.dim[0] != x->dim[0]))
		return infer_fail(
		    err, "input 'write_indices': expected [%lld], got %s",
		    (long long)x->dim[0],
		    shape_text(&infer->in[2].shape, text[0], sizeof(text[0])));
	return ERR_NONE;
}

static enum err_code scatter_infer(struct infer *infer, struct err *err)
{
	const struct tensor_scatter_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	unsigned axis;
	enum err_code rc =
	    shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);

	if (rc)
		return rc;
	if (axis == 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'axis': expected another axis than "
			       "that of the batch, got %lld",
			       (long long)attrs->axis);
	if (strcmp(attrs->mode, "linear") != 0 &&
	    strcmp(attrs->mode, "circular") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'mode': expected linear or circular, "
			       "got '%.40s'",
			       attrs->mode);
	rc = check_shapes(infer, axis, err);
	return rc ? rc : infer_same(infer, err);
}

static const struct kernel scatter_kernel = {
	.name = "tensor_scatter.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = move_cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &scatter_kernel, NULL };

static const struct port scatter_in[] = {
	{ "past_cache", "T:any", 0 },
	{ "update", "T", 0 },
	{ "write_indices", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port scatter_out[] = { { "present_cache", "T", 0 }, { 0 } };

/* clang-format off */
static const struct op_attr attrs[] = {
	{ .name = "axis", .help = "the axis of rows, not the first",
	  .offset = offsetof(struct tensor_scatter_attrs, axis), .kind = ATTR_INT, .def = -2 },
	{ .name = "mode", .help = "linear or circular",
	  .offset = offsetof(struct tensor_scatter_attrs, mode), .kind = ATTR_STRING,
	  .def_text = "linear" },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "from the start",
	  .graph = "y = TensorScatter(x:float[2,3,5,4], u:float[2,3,2,4])" },
	{ .name = "by batch",
	  .graph = "y = TensorScatter(x:float[2,3,5,4], u:float[2,3,2,4], i:int64[2]={3,0})" },
	{ .name = "round",
	  .graph = "y = TensorScatter<mode=\"circular\">(x:float[2,3,5,4], u:float[2,3,3,4], "
		   "i:int64[2]={4,-1})" },
	{ .name = "first axis behind the batch",
	  .graph = "y = TensorScatter<axis=1>(x:int32[2,5], u:int32[2,2], i:int64[2]={1,3})" },
	{ .name = "text", .graph = "y = TensorScatter<axis=1>(x:string[2,5], u:string[2,2])" },
	{ .name = "half", .graph = "y = TensorScatter(x:float16[1,5,3], u:float16[1,5,3])" },
	{ .name = "no rows", .graph = "y = TensorScatter(x:float[2,5,4], u:float[2,0,4])" },
	{ .name = "no cache", .graph = "y = TensorScatter(x:float[2,0,4], u:float[2,0,4])" },
	{ .name = "past the end",
	  .graph = "y = TensorScatter(x:float[1,5,4], u:float[1,2,4], i:int64[1]={4})",
	  .want = ERR_INVALID },
	{ .name = "more rows than the cache",
	  .graph = "y = TensorScatter(x:float[2,5,4], u:float[2,6,4])", .want = ERR_SHAPE },
	{ .name = "another mode",
	  .graph = "y = TensorScatter<mode=\"round\">(x:float[2,5,4], u:float[2,2,4])",
	  .want = ERR_INVALID },
	{ .name = "the axis of the batch",
	  .graph = "y = TensorScatter<axis=0>(x:float[2,5,4], u:float[2,5,4])",
	  .want = ERR_INVALID },
	{ .name = "too many places",
	  .graph = "y = TensorScatter(x:float[2,5,4], u:float[2,2,4], i:int64[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_tensor_scatter;
const struct op op_tensor_scatter = {
	.domain = "",
	.name = "TensorScatter",
	.help = "A cache with new rows written into it.",
	.since = 24,
	.flags = OP_MOVES,
	.in = scatter_in,
	.out = scatter_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct tensor_scatter_attrs),
	.infer = scatter_infer,
	.kernels = kernels,
	.cases = cases,
};
