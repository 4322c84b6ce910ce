/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * AffineGrid: the places, from -1 to 1, that GridSample reads when an image is
 * moved by theta: grid[n, o] = theta[n] (o, 1), o from the last axis to the
 * first. align_corners: -1 and 1 are the middles of corner elements, else
 * their outer edges.
 */
#include "base/mem.h"
#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"

struct affine_attrs {
	int64_t align_corners;
};

/* size: [N, C, D?, H, W] */
static enum err_code affine_infer(struct infer *infer, struct err *err)
{
	const struct shape *theta = &infer->in[0].shape;
	int64_t size[SHAPE_MAX_RANK];
	size_t n = 0;
	char text[64];
	enum err_code rc = infer_ints(infer, 1, size, &n, err);

	if (rc)
		return rc;
	if (n != 4 && n != 5)
		return infer_fail(err,
				  "input 'size': expected 4 or 5 extents, got "
				  "%zu",
				  n);
	if (theta->rank != 3 || theta->dim[0] != size[0] ||
	    theta->dim[1] != (int64_t)n - 2 || theta->dim[2] != (int64_t)n - 1)
		return infer_fail(err,
				  "input 'theta': expected [%lld,%zu,%zu], got "
				  "%s",
				  (long long)size[0], n - 2, n - 1,
				  shape_text(theta, text, sizeof(text)));
	infer->out[0].shape = (struct shape){ .rank = (unsigned)n };
	infer->out[0].shape.dim[0] = size[0];
	for (size_t i = 2; i < n; i++)
		infer->out[0].shape.dim[i - 1] = size[i];
	infer->out[0].shape.dim[n - 1] = (int64_t)n - 2;
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'grid'", err);
}

static double place_of(int64_t i, int64_t n, bool align)
{
	if (!align)
		return (double)(2 * i + 1) / (double)n - 1;
	return n > 1 ? (double)(2 * i) / (double)(n - 1) - 1 : 0;
}

static double number(const struct kernel_call *call, int64_t i)
{
	if (call->query->in[0].type.elem == DTYPE_F32)
		return (double)((const float *)call->in[0])[i];
	return ((const double *)call->in[0])[i];
}

static void affine_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct affine_attrs *attrs = call->query->attrs;
	const struct shape *y = &call->query->out[0].shape;
	const int64_t r = (int64_t)y->rank - 2;
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_range(y, 0, y->rank - 1), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first * r; i < last * r; i++) {
		const int64_t n = i / r / shape_range(y, 1, y->rank - 1);
		const int64_t row = (n * r + i % r) * (r + 1);
		double sum = number(call, row + r);
		int64_t rest = i / r;

		for (int64_t k = 0; k < r; k++) {
			const int64_t extent = y->dim[r - k];

			sum += number(call, row + k) *
			       place_of(rest % extent, extent,
					attrs->align_corners != 0);
			rest /= extent;
		}
		if (call->query->out[0].type.elem == DTYPE_F32)
			((float *)call->out[0])[i] = (float)sum;
		else
			((double *)call->out[0])[i] = sum;
	}
}

static enum err_code affine_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices =
	    move_slices(query, shape_range(&y->shape, 0, y->shape.rank - 1),
			tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

/* (o, 1) for each place o: [places, axes + 1] */
static int32_t all_places(struct build *build, const struct fact *grid,
			  bool align)
{
	const int64_t r = (int64_t)grid->shape.rank - 2;
	const int64_t n = shape_range(&grid->shape, 1, grid->shape.rank - 1);
	struct tensor_view view = { .dtype = DTYPE_F64,
				    .shape = { 2, { n, r + 1 } } };
	double *place = mem_array((size_t)(n * (r + 1)) + 1, sizeof(*place));
	int32_t value;

	if (!place) {
		if (!build->code)
			build->code = err_set(&build->err, ERR_NO_MEMORY,
					      "AffineGrid: out of memory");
		return VALUE_NONE;
	}
	for (int64_t i = 0; i < n; i++) {
		int64_t rest = i;

		for (int64_t k = 0; k < r; k++) {
			const int64_t extent = grid->shape.dim[r - k];

			place[i * (r + 1) + k] =
			    place_of(rest % extent, extent, align);
			rest /= extent;
		}
		place[i * (r + 1) + r] = 1;
	}
	view.data = place;
	value = build_const(build, &view);
	mem_free(place);
	return build_2(build, "CastLike", value,
		       build_scalar(build, grid->type.elem, 0));
}

/* dtheta[n] = dgrid[n]^T (o, 1) */
static enum err_code affine_vjp(struct vjp *vjp, struct err *err)
{
	const struct affine_attrs *attrs = vjp->attrs;
	const struct fact grid = *build_fact(vjp->build, vjp->out[0]);
	const struct shape flat = { 3,
				    { grid.shape.dim[0],
				      shape_range(&grid.shape, 1,
						  grid.shape.rank - 1),
				      (int64_t)grid.shape.rank - 2 } };
	const struct build_name in[2] = {
		{ "G", build_reshape(vjp->build, vjp->grad_out[0], &flat) },
		{ "O",
		  all_places(vjp->build, &grid, attrs->align_corners != 0) },
	};
	struct build_name out = { "T", VALUE_NONE };

	build_text(vjp->build, "T = predictd.MatMulT<trans_a=1>(G, O)", in, 2,
		   NULL, &out, 1);
	vjp->grad_in[0] = out.value;
	return build_check(vjp->build, err);
}

static const struct kernel affine_kernel = {
	.name = "affine_grid.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.prepare = affine_prepare,
	.run = affine_run,
};
static const struct kernel *const affine_kernels[] = { &affine_kernel, NULL };

static const struct port affine_in[] = {
	{ "theta", "T:float,double,float16,bfloat16", 0 },
	{ "size", "int64", 0 },
	{ 0 },
};
static const struct port affine_out[] = { { "grid", "T", 0 }, { 0 } };

static const struct op_attr affine_attrs[] = {
	{ .name = "align_corners",
	  .help = "1: -1 and 1 are the middles of corner elements",
	  .offset = offsetof(struct affine_attrs, align_corners),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

static const struct op_case affine_cases[] = {
	{ .name = "image",
	  .graph = "y = AffineGrid(t:float[2,2,3], s:int64[4]={2,3,4,5})" },
	{ .name = "corners",
	  .graph = "y = AffineGrid<align_corners=1>(t:double[1,2,3], "
		   "s:int64[4]={1,1,3,1})" },
	{ .name = "volume",
	  .graph = "y = AffineGrid(t:float[2,3,4], "
		   "s:int64[5]={2,1,2,3,4})" },
	{ .name = "half type",
	  .graph = "y = AffineGrid(t:float16[1,2,3], s:int64[4]={1,1,2,2})" },
	{ .name = "nothing",
	  .graph = "y = AffineGrid(t:float[1,2,3], s:int64[4]={1,1,0,2})" },
	{ .name = "sliced",
	  .graph = "y = AffineGrid(t:float[2,2,3], s:int64[4]={2,1,90,80})" },
	{ .name = "another batch",
	  .graph = "y = AffineGrid(t:float[1,2,3], s:int64[4]={2,1,2,2})",
	  .want = ERR_SHAPE },
	{ .name = "too few extents",
	  .graph = "y = AffineGrid(t:float[1,2,3], s:int64[3]={1,1,2})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_affine_grid;
const struct op op_affine_grid = {
	.domain = "",
	.name = "AffineGrid",
	.help = "The grid of an affine transform, for GridSample.",
	.since = 20,
	.value_inputs = 1u << 1,
	.in = affine_in,
	.out = affine_out,
	.attrs = affine_attrs,
	.attrs_size = sizeof(struct affine_attrs),
	.infer = affine_infer,
	.kernels = affine_kernels,
	.vjp = affine_vjp,
	.cases = affine_cases,
};
