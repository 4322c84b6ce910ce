/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RotaryEmbedding (https://arxiv.org/abs/2104.09864): pairs (a, b) of a head's
 * elements turned by angles that grow with the token's position.
 *
 *   a' = a cos - b sin,   b' = a sin + b cos
 * Pairs are neighbours where `interleaved`, else an element and the one half a
 * head later; what lies behind rotary_embedding_dim stays. The gradient turns
 * back.
 *
 * X is [batch, heads, rows, size] or [batch, rows, heads * size]. ONNX has
 * caches of [batch, rows, pairs], or of [positions, pairs] with position_ids.
 * com.microsoft names the positions first; one alone is that of row 0.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 13 };

struct rotary_attrs {
	int64_t interleaved, num_heads, rotary_embedding_dim;
	int64_t is_packed_batching;
	double scale;
};

struct rotary {
	int64_t n_batch, n_rows, n_heads, size, n_pairs;
	int64_t step_batch, step_head, step_row; /* of X */
	int64_t n_positions;			 /* rows of the caches */
	unsigned in_cos, in_positions;
	bool interleaved, has_positions, is_offset;
};

static bool is_foreign(const struct port *cos)
{
	return !strcmp(cos->name, "position_ids");
}

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

/* infer() has seen it pass, or asks whether it may */
static struct rotary read_rotary(const struct fact *in, unsigned n_in,
				 const struct rotary_attrs *attrs, bool foreign)
{
	const struct shape *x = &in[0].shape;
	const struct shape *cos = &in[foreign ? 2 : 1].shape;
	struct rotary g = {
		.n_batch = x->dim[0],
		.n_rows = x->dim[x->rank == 4 ? 2 : 1],
		.in_cos = foreign ? 2 : 1,
		.in_positions = foreign ? 1 : 3,
		.interleaved = attrs->interleaved != 0,
	};

	g.n_pairs = cos->rank ? cos->dim[cos->rank - 1] : 0;
	g.n_positions = cos->rank ? shape_range(cos, 0, cos->rank - 1) : 0;
	g.has_positions = has(in, n_in, g.in_positions);
	g.is_offset = g.has_positions && in[g.in_positions].shape.rank < 2;
	if (x->rank == 4) {
		g.n_heads = x->dim[1];
		g.size = x->dim[3];
		g.step_row = g.size;
		g.step_head = g.n_rows * g.size;
	} else {
		g.n_heads = attrs->num_heads;
		/* com.microsoft: heads of whole pairs */
		if (!g.n_heads && g.n_pairs)
			g.n_heads = x->dim[2] / (2 * g.n_pairs);
		g.size = g.n_heads ? x->dim[2] / g.n_heads : 0;
		g.step_row = x->dim[2];
		g.step_head = g.size;
	}
	g.step_batch = g.n_heads * g.n_rows * g.size;
	return g;
}

static struct rotary query_rotary(const struct kernel_query *query)
{
	return read_rotary(query->in, query->n_in, query->attrs,
			   is_foreign(&query->op->in[1]));
}

/* Row of the caches for row s of batch b; -1, and a fault, where there is
 * none. */
static int64_t position(const struct rotary *g, const struct kernel_call *call,
			int64_t b, int64_t s)
{
	const int64_t at = b * g->n_rows + s;
	const int64_t *ids = call->in[g->in_positions];
	int64_t id = at;

	if (g->has_positions)
		id = g->is_offset ? ids[0] : ids[at];
	if (id >= 0 && id < g->n_positions) {
		id += g->is_offset ? s : 0;
		if (id < g->n_positions)
			return id;
	}
	kernel_fault(call, at);
	return -1;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/rotary_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/rotary_typed.h"

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct rotary g = query_rotary(call->query);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_batch * g.n_rows, call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64)
			token_f64(&g, call, i);
		else
			token_f32(&g, call, i);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct rotary g = query_rotary(query);
	const int64_t rows = g.n_batch * g.n_rows;
	int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;

	(void)err;
	n = n > rows ? rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static enum err_code check_input(const struct infer *infer,
				 const struct rotary_attrs *attrs,
				 struct err *err)
{
	const struct shape *x = &infer->in[0].shape;

	if (x->rank != 3 && x->rank != 4)
		return infer_fail(
		    err, "input 'X': expected rank 3 or 4, got %u", x->rank);
	if (x->rank == 3 && attrs->num_heads && x->dim[2] % attrs->num_heads)
		return infer_fail(err,
				  "attribute 'num_heads': expected a divisor "
				  "of %lld, got %lld",
				  (long long)x->dim[2],
				  (long long)attrs->num_heads);
	return ERR_NONE;
}

/* the turned part of a head, and caches of as many pairs */
static enum err_code check_pairs(const struct infer *infer,
				 const struct rotary *g, int64_t turned,
				 struct err *err)
{
	const struct shape *cos = &infer->in[g->in_cos].shape;
	const struct shape *sin = &infer->in[g->in_cos + 1].shape;
	char text[2][64];

	/* com.microsoft: caches tell how much turns */
	if (turned == 0)
		turned = g->in_cos == 2 ? 2 * g->n_pairs : g->size;
	if (turned % 2 || turned > g->size)
		return infer_fail(err,
				  "input 'X': expected heads of an even size, "
				  "%lld or more, got %lld",
				  (long long)turned, (long long)g->size);
	if (g->n_pairs != turned / 2)
		return infer_fail(err,
				  "input 'cos_cache': expected %lld for its "
				  "last extent, got %lld",
				  (long long)(turned / 2),
				  (long long)g->n_pairs);
	if (!shape_equal(cos, sin))
		return infer_fail(err, "input 'sin_cache': expected %s, got %s",
				  shape_text(cos, text[0], sizeof(text[0])),
				  shape_text(sin, text[1], sizeof(text[1])));
	return ERR_NONE;
}

static enum err_code check_positions(const struct infer *infer,
				     const struct rotary *g, bool foreign,
				     struct err *err)
{
	const struct shape *cos = &infer->in[g->in_cos].shape;
	const struct shape *ids = &infer->in[g->in_positions].shape;
	const unsigned rank = g->has_positions ? 2 : 3;
	char text[64];

	if (cos->rank != rank || (rank == 3 && (cos->dim[0] != g->n_batch ||
						cos->dim[1] != g->n_rows)))
		return infer_fail(err, "input 'cos_cache': expected %s, got %s",
				  rank == 2 ? "[positions, pairs]"
					    : "[batch, rows, pairs]",
				  shape_text(cos, text, sizeof(text)));
	if (!g->has_positions ||
	    (foreign && ids->rank == 1 && ids->dim[0] == 1))
		return ERR_NONE;
	if (ids->rank != 2 || ids->dim[0] != g->n_batch ||
	    ids->dim[1] != g->n_rows)
		return infer_fail(err,
				  "input 'position_ids': expected [%lld,%lld], "
				  "got %s",
				  (long long)g->n_batch, (long long)g->n_rows,
				  shape_text(ids, text, sizeof(text)));
	return ERR_NONE;
}

static enum err_code infer_rotary(struct infer *infer, bool foreign,
				  struct err *err)
{
	const struct rotary_attrs *attrs = infer->attrs;
	enum err_code rc = check_input(infer, attrs, err);
	struct rotary g;

	if (rc)
		return rc;
	g = read_rotary(infer->in, infer->n_in, attrs, foreign);
	rc = check_positions(infer, &g, foreign, err);
	if (!rc && infer->in[0].shape.rank == 3 &&
	    (foreign ? g.n_heads * g.size != infer->in[0].shape.dim[2]
		     : !attrs->num_heads))
		rc = infer_fail(err,
				"attribute 'num_heads': expected a number of "
				"heads for an input of rank 3");
	if (!rc)
		rc = check_pairs(infer, &g, attrs->rotary_embedding_dim, err);
	return rc ? rc : infer_same(infer, err);
}

static enum err_code onnx_infer(struct infer *infer, struct err *err)
{
	return infer_rotary(infer, false, err);
}

static enum err_code foreign_infer(struct infer *infer, struct err *err)
{
	const struct rotary_attrs *attrs = infer->attrs;

	if (attrs->is_packed_batching || attrs->scale != 1)
		return err_set(
		    err, ERR_UNSUPPORTED, "attribute '%s' is not supported",
		    attrs->scale != 1 ? "scale" : "is_packed_batching");
	return infer_rotary(infer, true, err);
}

static enum err_code vjp(struct vjp *v, struct err *err)
{
	const bool foreign = is_foreign(&v->node->op->in[1]);
	const unsigned cos = foreign ? 2 : 1;
	int32_t in[4] = { VALUE_NONE, VALUE_NONE, VALUE_NONE, VALUE_NONE };
	int32_t out = VALUE_NONE;

	if (v->wanted[cos] || v->wanted[cos + 1])
		return err_set(err, ERR_UNSUPPORTED,
			       "RotaryEmbedding: its caches have no gradient");
	for (int32_t i = 0; i < v->node->n_in; i++)
		in[i] = v->in[i];
	in[0] = v->grad_out[0];
	in[cos + 1] = build_1(v->build, "Neg", in[cos + 1]);
	build_row(v->build, v->node->op, v->attrs, in, (unsigned)v->node->n_in,
		  &out, 1);
	v->grad_in[0] = out;
	return build_check(v->build, err);
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

static const struct kernel rotary_kernel = {
	.name = "rotary.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &rotary_kernel, NULL };

static const struct port onnx_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "cos_cache", "T", 0 },
	{ "sin_cache", "T", 0 },
	{ "position_ids", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port onnx_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port foreign_in[] = {
	{ "input", "T:float,double,float16,bfloat16", 0 },
	{ "position_ids", "int64", 0 },
	{ "cos_cache", "T", 0 },
	{ "sin_cache", "T", 0 },
	{ 0 },
};
static const struct port foreign_out[] = { { "output", "T", 0 }, { 0 } };

/* clang-format off */
#define AT(member) .offset = offsetof(struct rotary_attrs, member)
#define COMMON \
	{ .name = "interleaved", .help = "1: pairs are neighbours", AT(interleaved), \
	  .kind = ATTR_INT, .max = 1 }, \
	{ .name = "num_heads", .help = "heads of an input of rank 3", AT(num_heads), \
	  .kind = ATTR_INT, .max = INT32_MAX }, \
	{ .name = "rotary_embedding_dim", .help = "elements of a head that turn; 0: all", \
	  AT(rotary_embedding_dim), .kind = ATTR_INT, .max = INT32_MAX }

static const struct op_attr onnx_attrs[] = { COMMON, { 0 } };
static const struct op_attr foreign_attrs[] = {
	COMMON,
	{ .name = "is_packed_batching", .help = "1 is not supported", AT(is_packed_batching),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "scale", .help = "anything but 1 is not supported", AT(scale),
	  .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};

static const struct op_case onnx_cases[] = {
	{ .name = "heads",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,6], c:float[9,3], "
		   "s:float[9,3], p:int64[2,4])" },
	{ .name = "neighbours",
	  .graph = "y = RotaryEmbedding<interleaved=1>(x:float[2,3,4,6], "
		   "c:float[9,3], s:float[9,3], p:int64[2,4])" },
	{ .name = "packed",
	  .graph = "y = RotaryEmbedding<num_heads=3>(x:float[2,4,18], CastLike(c:int64[2,4,3], "
		   "x), s:float[2,4,3])" },
	{ .name = "part of a head",
	  .graph = "y = RotaryEmbedding<num_heads=3, rotary_embedding_dim=4, "
		   "interleaved=1>(x:float[2,4,18], c:float[9,2], CastLike(s:int64[9,2], "
		   "x), p:int64[2,4])" },
	{ .name = "double",
	  .graph = "y = RotaryEmbedding(x:double[2,3,4,6], c:double[9,3], "
		   "s:double[9,3], p:int64[2,4])" },
	{ .name = "no rows",
	  .graph = "y = RotaryEmbedding(x:float[2,3,0,6], c:float[9,3], "
		   "s:float[9,3], p:int64[2,0])" },
	{ .name = "long",
	  .graph = "y = RotaryEmbedding(x:float[2,4,40,32], c:float[2,40,16], "
		   "s:float[2,40,16])" },
	{ .name = "no such position",
	  .graph = "y = RotaryEmbedding(x:float[1,3,2,6], c:float[9,3], s:float[9,3], "
		   "p:int64[1,2]={8,9})", .want = ERR_INVALID },
	{ .name = "odd heads",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,5], c:float[2,4,2], s:float[2,4,2])",
	  .want = ERR_SHAPE },
	{ .name = "heads not told",
	  .graph = "y = RotaryEmbedding(x:float[2,4,18], c:float[2,4,9], s:float[2,4,9])",
	  .want = ERR_SHAPE },
	{ .name = "caches of other pairs",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,6], c:float[2,4,2], s:float[2,4,2])",
	  .want = ERR_SHAPE },
	{ .name = "caches differ",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,6], c:float[2,4,3], s:float[1,4,3])",
	  .want = ERR_SHAPE },
	{ .name = "cache without positions",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,6], c:float[9,3], s:float[9,3])",
	  .want = ERR_SHAPE },
	{ .name = "positions of another shape",
	  .graph = "y = RotaryEmbedding(x:float[2,3,4,6], c:float[9,3], s:float[9,3], "
		   "p:int64[4])", .want = ERR_SHAPE },
	{ .name = "rank 2",
	  .graph = "y = RotaryEmbedding(x:float[4,6], c:float[9,3], s:float[9,3], p:int64[1,4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case foreign_cases[] = {
	{ .name = "positions",
	  .graph = "y = com.microsoft.RotaryEmbedding(x:float[2,4,18], p:int64[2,4], "
		   "c:float[9,3], s:float[9,3])" },
	{ .name = "first position",
	  .graph = "y = com.microsoft.RotaryEmbedding<interleaved=1>(x:float[2,3,4,6], "
		   "p:int64[1]={4}, c:float[9,3], s:float[9,3])" },
	{ .name = "part of a head",
	  .graph = "y = com.microsoft.RotaryEmbedding<num_heads=3, "
		   "rotary_embedding_dim=4>(x:float[2,4,18], p:int64[2,4], c:float[9,2], "
		   "s:float[9,2])" },
	{ .name = "past the cache",
	  .graph = "y = com.microsoft.RotaryEmbedding(x:float[2,3,4,6], p:int64[1]={6}, "
		   "c:float[9,3], s:float[9,3])", .want = ERR_INVALID },
	{ .name = "heads do not divide",
	  .graph = "y = com.microsoft.RotaryEmbedding(x:float[2,4,17], p:int64[2,4], "
		   "c:float[9,3], s:float[9,3])", .want = ERR_SHAPE },
	{ .name = "scaled",
	  .graph = "y = com.microsoft.RotaryEmbedding<scale=2>(x:float[2,4,18], p:int64[2,4], "
		   "c:float[9,3], s:float[9,3])", .want = ERR_UNSUPPORTED },
	{ 0 },
};
/* clang-format on */

extern const struct op op_rotary_embedding;
const struct op op_rotary_embedding = {
	.domain = "",
	.name = "RotaryEmbedding",
	.help = "Pairs of elements turned by angles of their position.",
	.since = 23,
	.in = onnx_in,
	.out = onnx_out,
	.attrs = onnx_attrs,
	.attrs_size = sizeof(struct rotary_attrs),
	.infer = onnx_infer,
	.kernels = kernels,
	.vjp = vjp,
	.cases = onnx_cases,
};

extern const struct op op_microsoft_rotary_embedding;
const struct op op_microsoft_rotary_embedding = {
	.domain = "com.microsoft",
	.name = "RotaryEmbedding",
	.help = "RotaryEmbedding with its positions as the second input.",
	.since = 1,
	.in = foreign_in,
	.out = foreign_out,
	.attrs = foreign_attrs,
	.attrs_size = sizeof(struct rotary_attrs),
	.infer = foreign_infer,
	.kernels = kernels,
	.vjp = vjp,
	.cases = foreign_cases,
};
