/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trilu keeps one triangle of each matrix, its border moved by k diagonals:
 * upper keeps column j of row i where j >= i + k, lower where j <= i + k.
 * EyeLike gives the ones of a diagonal. dX of Trilu is Trilu of dY.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"

/* a diagonal further away than any extent is as good as that */
#define DIAGONAL_MAX ((int64_t)1 << 32)

struct trilu_attrs {
	int64_t upper;
};
struct eye_attrs {
	int64_t dtype, k;
};

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static enum err_code trilu_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;

	if (x->rank < 2)
		return infer_fail(err,
				  "input 'input': expected rank 2 or more, got "
				  "%u",
				  x->rank);
	if (infer_has(infer, 1) && shape_count(&infer->in[1].shape) != 1)
		return infer_fail(err,
				  "input 'k': expected one number, got %lld",
				  (long long)shape_count(&infer->in[1].shape));
	return infer_same(infer, err);
}

static enum err_code trilu_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices =
	    move_slices(query, shape_range(&y->shape, 0, y->shape.rank - 1),
			tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void trilu_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct trilu_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t n = x->dim[x->rank - 1], height = x->dim[x->rank - 2];
	const size_t size = query_size(call->query);
	int64_t first, last, k = 0;

	(void)scratch;
	if (call->query->n_in > 1 && call->in[1])
		k = clamp(*(const int64_t *)call->in[1], -DIAGONAL_MAX,
			  DIAGONAL_MAX);
	kernel_slice(shape_range(x, 0, x->rank - 1), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; n && i < last; i++) {
		const int64_t border = i % height + k;
		const size_t at = (size_t)(i * n) * size;
		const char *from = (const char *)call->in[0] + at;
		char *to = (char *)call->out[0] + at;
		const int64_t begin = attrs->upper ? clamp(border, 0, n) : 0;
		const int64_t end = attrs->upper ? n : clamp(border + 1, 0, n);
		const size_t skip = (size_t)begin * size;

		memset(to, 0, skip);
		memmove(to + skip, from + skip, (size_t)(end - begin) * size);
		memset(to + (size_t)end * size, 0, (size_t)(n - end) * size);
	}
}

static enum err_code trilu_vjp(struct vjp *vjp, struct err *err)
{
	const int32_t in[2] = { vjp->grad_out[0],
				vjp->node->n_in > 1 ? vjp->in[1] : VALUE_NONE };

	vjp->grad_in[0] = build_node(vjp->build, "Trilu", vjp->attrs, in, 2);
	return build_check(vjp->build, err);
}

static enum err_code eye_infer(struct infer *infer, struct err *err)
{
	enum err_code rc;

	if (infer->in[0].shape.rank != 2)
		return infer_fail(err, "input 'input': expected rank 2, got %u",
				  infer->in[0].shape.rank);
	rc = infer_real(infer, err);
	return rc ? rc : infer_same(infer, err);
}

static void eye_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct eye_attrs *attrs = call->query->attrs;
	const struct fact *y = &call->query->out[0];
	const int64_t rows = y->shape.dim[0], n = y->shape.dim[1];
	const int64_t k = clamp(attrs->k, -DIAGONAL_MAX, DIAGONAL_MAX);
	const size_t size = query_size(call->query);
	const double number = 1;
	char one[16] = { 0 };

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(y->type.elem, &y->shape));
	dtype_convert(DTYPE_F64, &number, y->type.elem, one, 1, true);
	for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < n; i++)
		memcpy((char *)call->out[0] + (size_t)(i * n + i + k) * size,
		       one, size);
}

static const struct kernel trilu_kernel = {
	.name = "trilu.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = move_cost,
	.prepare = trilu_prepare,
	.run = trilu_run,
};
static const struct kernel *const trilu_kernels[] = { &trilu_kernel, NULL };

static const struct kernel eye_kernel = {
	.name = "eye_like.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.run = eye_run,
};
static const struct kernel *const eye_kernels[] = { &eye_kernel, NULL };

static const struct port trilu_in[] = {
	{ "input", "T:any", 0 },
	{ "k", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port trilu_out[] = { { "output", "T", 0 }, { 0 } };

#define EYE_TYPES                                                  \
	"uint8,uint16,uint32,uint64,int8,int16,int32,int64,float," \
	"float16,bfloat16,double,bool"
static const struct port eye_in[] = { { "input", "T:" EYE_TYPES, 0 }, { 0 } };
static const struct port eye_out[] = { { "output", "@dtype:T", 0 }, { 0 } };

static const struct op_attr trilu_attrs[] = {
	{ .name = "upper",
	  .help = "1: the upper triangle stays, 0: the lower one",
	  .offset = offsetof(struct trilu_attrs, upper),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};
static const struct op_attr eye_attrs[] = {
	{ .name = "dtype",
	  .help = "type of the result; that of the input where not given",
	  .offset = offsetof(struct eye_attrs, dtype),
	  .kind = ATTR_INT },
	{ .name = "k",
	  .help = "which diagonal; above 0: an upper one",
	  .offset = offsetof(struct eye_attrs, k),
	  .kind = ATTR_INT },
	{ 0 },
};

static const struct op_case trilu_cases[] = {
	{ .name = "upper", .graph = "y = Trilu(x:float[3,4])" },
	{ .name = "lower", .graph = "y = Trilu<upper=0>(x:float[5,4])" },
	{ .name = "upper, further",
	  .graph = "y = Trilu(x:float[2,3,4], k:int64[]={1})" },
	{ .name = "lower, less",
	  .graph = "y = Trilu<upper=0>(x:int64[2,3,4], k:int64[1]={-1})" },
	{ .name = "far out",
	  .graph = "y = Trilu(x:uint8[3,3], k:int64[]={9223372036854775807})" },
	{ .name = "all of it",
	  .graph = "y = Trilu(x:bool[3,3], k:int64[]={-9000000000})" },
	{ .name = "nothing", .graph = "y = Trilu(x:float[2,0,3])" },
	{ .name = "sliced", .graph = "y = Trilu(x:float[7,80,90])" },
	{ .name = "vector",
	  .graph = "y = Trilu(x:float[3])",
	  .want = ERR_SHAPE },
	{ .name = "two diagonals",
	  .graph = "y = Trilu(x:float[3,3], k:int64[2]={0,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case eye_cases[] = {
	{ .name = "texts",
	  .graph = "y = EyeLike<dtype=8>(x:float[2,2])",
	  .want = ERR_INVALID },
	{ .name = "square", .graph = "y = EyeLike(x:float[3,3])" },
	{ .name = "upper", .graph = "y = EyeLike<k=2>(x:int32[3,4])" },
	{ .name = "lower",
	  .graph = "y = EyeLike<k=-1, dtype=float16>(x:bool[4,2])" },
	{ .name = "outside", .graph = "y = EyeLike<k=9>(x:uint8[3,4])" },
	{ .name = "nothing", .graph = "y = EyeLike(x:float[0,4])" },
	{ .name = "vector",
	  .graph = "y = EyeLike(x:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_eye_like;
const struct op op_eye_like = {
	.domain = "",
	.name = "EyeLike",
	.help = "Ones on a diagonal, zeros elsewhere.",
	.since = 9,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = eye_in,
	.out = eye_out,
	.attrs = eye_attrs,
	.attrs_size = sizeof(struct eye_attrs),
	.infer = eye_infer,
	.kernels = eye_kernels,
	.cases = eye_cases,
};

extern const struct op op_trilu;
const struct op op_trilu = {
	.domain = "",
	.name = "Trilu",
	.help = "One triangle of each matrix, zeros elsewhere.",
	.since = 14,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.in = trilu_in,
	.out = trilu_out,
	.attrs = trilu_attrs,
	.attrs_size = sizeof(struct trilu_attrs),
	.infer = trilu_infer,
	.kernels = trilu_kernels,
	.vjp = trilu_vjp,
	.cases = trilu_cases,
};
