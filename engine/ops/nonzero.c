/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * NonZero: the places of all elements that are not zero, and Compress: the
 * slices that a condition picks.
 *
 *   NonZero:  y[d][i] = coordinate d of the i-th element that is not 0
 *   Compress: y = x without the slices along axis whose condition is false
 *
 * The elements themselves decide the shape, so that infer() counts them and
 * the kernel walks once more. Source: ONNX, NonZero 13 and Compress 11.
 */
#include <string.h>

#include "engine/kernel.h"

/* ---- NonZero ------------------------------------------------------------- */

static bool is_zero_str(const void *at)
{
	return ((const struct str *)at)->len == 0;
}

/* A float's sign is no part of its being zero; the last byte has it. */
static bool is_zero_bytes(enum dtype elem, const unsigned char *at, size_t size)
{
	const bool has_sign = dtype_is_float(elem) && elem != DTYPE_F8E8M0 &&
			      elem != DTYPE_F8E4M3FNUZ &&
			      elem != DTYPE_F8E5M2FNUZ;
	const unsigned char sign = elem == DTYPE_F4E2M1 ? 0x08 : 0x80;
	const size_t part =
	    elem == DTYPE_C64 || elem == DTYPE_C128 ? size / 2 : size;
	unsigned char any = 0;

	for (size_t i = 0; i < size; i++) {
		const bool is_top =
		    i % part == part - 1 && (has_sign || part != size);

		any |= is_top ? (unsigned char)(at[i] & ~sign) : at[i];
	}
	return any == 0;
}

static bool is_zero(enum dtype elem, const void *x, int64_t i)
{
	const size_t size = dtype_info(elem)->size;
	const unsigned char *at = (const unsigned char *)x + (size_t)i * size;

	return elem == DTYPE_STRING ? is_zero_str(at)
				    : is_zero_bytes(elem, at, size);
}

static enum err_code nonzero_infer(struct infer *infer, struct err *err)
{
	const struct fact *x = &infer->in[0];
	const int64_t n = shape_count(&x->shape);
	int64_t count = 0;

	(void)err;
	for (int64_t i = 0; i < n; i++)
		count += !is_zero(x->type.elem, x->value, i);
	infer->out[0].shape =
	    (struct shape){ 2, { (int64_t)x->shape.rank, count } };
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

/* The next place in row-major order. */
static void step(const struct shape *shape, int64_t at[SHAPE_MAX_RANK])
{
	for (unsigned d = shape->rank; d-- > 0;) {
		if (++at[d] < shape->dim[d])
			return;
		at[d] = 0;
	}
}

static void nonzero_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct fact *x = &call->query->in[0];
	const int64_t n = shape_count(&x->shape);
	const int64_t count = call->query->out[0].shape.dim[1];
	int64_t at[SHAPE_MAX_RANK] = { 0 }, *y = call->out[0];

	(void)slice;
	(void)scratch;
	for (int64_t i = 0, j = 0; i < n && j < count; i++) {
		if (!is_zero(x->type.elem, call->in[0], i)) {
			for (unsigned d = 0; d < x->shape.rank; d++)
				y[d * count + j] = at[d];
			j++;
		}
		step(&x->shape, at);
	}
}

static const struct kernel nonzero_kernel = {
	.name = "nonzero.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = nonzero_run,
};
static const struct kernel *const nonzero_kernels[] = { &nonzero_kernel, NULL };
static const struct port nonzero_in[] = { { "X", "T:any", 0 }, { 0 } };
static const struct port nonzero_out[] = { { "Y", "int64", 0 }, { 0 } };

static const struct op_case nonzero_cases[] = {
	{ .name = "matrix",
	  .graph = "y = NonZero(x:float[3,4]={0,1,-0.0,2,0,0,3,0,0,0,0,4})" },
	{ .name = "drawn", .graph = "y = NonZero(x:int32[3,5,2])" },
	{ .name = "flags", .graph = "y = NonZero(x:bool[7])" },
	{ .name = "half types", .graph = "y = NonZero(x:float16[2,3])" },
	{ .name = "all zero", .graph = "y = NonZero(x:int8[2,2]={0,0,0,0})" },
	{ .name = "nothing", .graph = "y = NonZero(x:float[2,0])" },
	{ .name = "scalar", .graph = "y = NonZero(x:double[]={5})" },
	{ .name = "read by others",
	  .graph = "y = Transpose<perm=[1,0]>(NonZero(x:int64[2,3]))" },
	{ 0 },
};

extern const struct op op_nonzero;
const struct op op_nonzero = {
	.domain = "",
	.name = "NonZero",
	.help = "Places of the elements that are not zero.",
	.since = 9,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = nonzero_in,
	.out = nonzero_out,
	.infer = nonzero_infer,
	.kernels = nonzero_kernels,
	.cases = nonzero_cases,
};

/* ---- Compress ------------------------------------------------------------ */

enum { AXIS_NONE = INT32_MIN };

struct compress_attrs {
	int64_t axis;
};

static const struct op_attr compress_attrs[] = {
	{ .name = "axis",
	  .help = "the axis that is thinned; by itself the flat tensor",
	  .offset = offsetof(struct compress_attrs, axis),
	  .kind = ATTR_INT,
	  .def = AXIS_NONE },
	{ 0 },
};

/* x seen as [outer, n, inner] with the axis in the middle. */
struct cut {
	int64_t outer, n, inner;
	unsigned axis;
};

static enum err_code cut_at(const struct shape *x, int64_t axis,
			    struct cut *ret, struct err *err)
{
	enum err_code rc;

	if (axis == AXIS_NONE) {
		*ret = (struct cut){ 1, shape_count(x), 1, 0 };
		return ERR_NONE;
	}
	rc = shape_axis(axis, x->rank, "attribute 'axis'", &ret->axis, err);
	if (rc)
		return rc;
	ret->outer = shape_range(x, 0, ret->axis);
	ret->n = x->dim[ret->axis];
	ret->inner = shape_range(x, ret->axis + 1, x->rank);
	return ERR_NONE;
}

static enum err_code compress_infer(struct infer *infer, struct err *err)
{
	const struct compress_attrs *a = infer->attrs;
	const struct fact *x = &infer->in[0], *condition = &infer->in[1];
	const bool *flag = condition->value;
	struct cut cut = { 0 };
	int64_t count = 0, n;
	enum err_code rc = cut_at(&x->shape, a->axis, &cut, err);

	if (rc)
		return rc;
	n = shape_count(&condition->shape);
	if (condition->shape.rank != 1 || n > cut.n)
		return infer_fail(err,
				  "input 'condition': expected a list of at "
				  "most %lld, got %lld in %u dimensions",
				  (long long)cut.n, (long long)n,
				  condition->shape.rank);
	for (int64_t i = 0; i < n; i++)
		count += flag[i];
	infer->out[0].shape = (struct shape){ 1, { count } };
	if (a->axis != AXIS_NONE) {
		infer->out[0].shape = x->shape;
		infer->out[0].shape.dim[cut.axis] = count;
	}
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void compress_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	const struct compress_attrs *a = call->query->attrs;
	const struct fact *x = &call->query->in[0];
	const struct fact *condition = &call->query->in[1];
	const bool *flag = condition->value;
	const char *from = call->in[0];
	char *to = call->out[0];
	struct cut cut;
	size_t bytes;

	(void)slice;
	(void)scratch;
	if (cut_at(&x->shape, a->axis, &cut, NULL))
		return;
	bytes = (size_t)cut.inner * dtype_info(x->type.elem)->size;
	if (!bytes)
		return;
	for (int64_t o = 0; o < cut.outer; o++) {
		for (int64_t i = 0; i < shape_count(&condition->shape); i++) {
			if (!flag[i])
				continue;
			memcpy(to, from + (size_t)(o * cut.n + i) * bytes,
			       bytes);
			to += bytes;
		}
	}
}

static const struct kernel compress_kernel = {
	.name = "compress.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = compress_run,
};
static const struct kernel *const compress_kernels[] = { &compress_kernel,
							 NULL };
static const struct port compress_in[] = {
	{ "input", "T:any", 0 },
	{ "condition", "bool", 0 },
	{ 0 },
};
static const struct port compress_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_case compress_cases[] = {
	{ .name = "rows",
	  .graph = "y = Compress<axis=0>(x:float[3,2], c:bool[3]={0,1,1})" },
	{ .name = "columns, from the back",
	  .graph = "y = Compress<axis=-1>(x:int64[3,2], c:bool[2]={1,0})" },
	{ .name = "flat",
	  .graph = "y = Compress(x:uint8[3,2], c:bool[5]={0,1,0,0,1})" },
	{ .name = "short condition",
	  .graph = "y = Compress<axis=1>(x:float[2,5,3], c:bool[2]={0,1})" },
	{ .name = "nothing picked",
	  .graph = "y = Compress(x:float[3], c:bool[3]={0,0,0})" },
	{ .name = "no rows",
	  .graph = "y = Compress<axis=0>(x:float[0,3], c:bool[0])" },
	{ .name = "condition too long",
	  .graph = "y = Compress<axis=0>(x:float[1,3], c:bool[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "no such axis",
	  .graph = "y = Compress<axis=2>(x:float[1,3], c:bool[1]={1})",
	  .want = ERR_SHAPE },
	{ .name = "condition of two dimensions",
	  .graph = "y = Compress(x:float[3], c:bool[1,1]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_compress;
const struct op op_compress = {
	.domain = "",
	.name = "Compress",
	.help = "The slices that a condition picks.",
	.since = 9,
	.flags = OP_ANY_TYPE,
	.value_inputs = 2u,
	.in = compress_in,
	.out = compress_out,
	.attrs = compress_attrs,
	.attrs_size = sizeof(struct compress_attrs),
	.infer = compress_infer,
	.kernels = compress_kernels,
	.cases = compress_cases,
};
