/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Col2Im: adds the columns of sliding blocks up to an image. The input
 * [N, C * block, L] holds L columns; element b of column l falls on the place
 * that element b of block l has in the image [N, C, spatial...].
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"
#include "engine/ops/window.h"

struct col_attrs {
	struct window_attrs window;
};

/* whole numbers wrap */
#define T float
#define SUM(a, b) ((a) + (b))
#define NAME(x) x##_f32
#include "engine/ops/col2im_typed.h"
#define T double
#define SUM(a, b) ((a) + (b))
#define NAME(x) x##_f64
#include "engine/ops/col2im_typed.h"
#define T int32_t
#define SUM(a, b) (int32_t)((uint32_t)(a) + (uint32_t)(b))
#define NAME(x) x##_i32
#include "engine/ops/col2im_typed.h"
#define T uint64_t
#define SUM(a, b) ((a) + (b))
#define NAME(x) x##_u64
#include "engine/ops/col2im_typed.h"

static enum err_code col_read(const struct infer *infer, struct window *ret,
			      int64_t *ret_channels, struct err *err)
{
	const struct col_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	int64_t image[SHAPE_MAX_RANK], block[SHAPE_MAX_RANK];
	struct shape y = { 2, { 1, 1 } };
	struct attr_ints kernel = { 0, block };
	size_t n = 0;
	enum err_code rc = infer_ints(infer, 1, image, &n, err);

	if (!rc)
		rc = infer_ints(infer, 2, block, &kernel.n, err);
	if (rc)
		return rc;
	if (n < 1 || n > WINDOW_DIMS)
		return err_set(err, n ? ERR_UNSUPPORTED : ERR_SHAPE,
			       "input 'image_shape': expected 1 to %d extents, "
			       "got %zu",
			       WINDOW_DIMS, n);
	y.rank = 2 + (unsigned)n;
	memcpy(y.dim + 2, image, n * sizeof(image[0]));
	rc = shape_check(&y, "input 'image_shape'", err);
	if (!rc)
		rc = window_init(&attrs->window, &kernel, &y, ret, err);
	if (rc)
		return rc;
	if (x->rank != 3 || x->dim[1] % ret->n_taps || x->dim[2] != ret->n_out)
		return infer_fail(err,
				  "input 'input': expected [batch, channels "
				  "times %lld, %lld], got rank %u with %lld "
				  "and %lld",
				  (long long)ret->n_taps, (long long)ret->n_out,
				  x->rank,
				  (long long)(x->rank > 1 ? x->dim[1] : 0),
				  (long long)(x->rank > 2 ? x->dim[2] : 0));
	*ret_channels = x->dim[1] / ret->n_taps;
	return ERR_NONE;
}

static enum err_code col_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;
	struct window win;
	int64_t channels;
	enum err_code rc = col_read(infer, &win, &channels, err);

	if (rc)
		return rc;
	*y = (struct shape){ 2 + win.n,
			     { infer->in[0].shape.dim[0], channels } };
	memcpy(y->dim + 2, win.in + WINDOW_DIMS - win.n,
	       win.n * sizeof(y->dim[0]));
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

static void col_plane(const struct kernel_call *call, const struct window *win,
		      int64_t i)
{
	const enum dtype elem = call->query->in[0].type.elem;
	const int64_t n_col = win->n_taps * win->n_out;
	const size_t size = dtype_info(elem)->size;
	const void *col =
	    (const char *)call->in[0] + (size_t)(i * n_col) * size;
	void *y = (char *)call->out[0] + (size_t)(i * win->n_in) * size;

	if (elem == DTYPE_F32)
		plane_f32(win, col, y);
	else if (elem == DTYPE_F64)
		plane_f64(win, col, y);
	else if (elem == DTYPE_I32)
		plane_i32(win, col, y);
	else
		plane_u64(win, col, y);
}

static void col_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct infer infer = query_infer(call->query);
	int64_t first, last, channels;
	struct window win;

	(void)scratch;
	if (!shape_count(&call->query->out[0].shape) ||
	    col_read(&infer, &win, &channels, NULL))
		return;
	kernel_slice(call->query->in[0].shape.dim[0] * channels, call->n_slices,
		     slice, &first, &last);
	for (int64_t i = first; i < last; i++)
		col_plane(call, &win, i);
}

static enum err_code col_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct fact *x = &query->in[0];

	(void)err;
	ret->n_slices =
	    move_slices(query, shape_range(&query->out[0].shape, 0, 2),
			tensor_bytes(x->type.elem, &x->shape));
	return ERR_NONE;
}

static double col_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

/* Where each element of each block lies in its image; behind the image where it
 * is outside. */
static void find_places(const struct window *win, int64_t *at)
{
	for (int64_t i = 0; i < win->n_taps * win->n_out; i++)
		at[i] = win->n_in;
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		struct window_tap box;
		int64_t o, i;

		window_tap(win, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(win, &box, row, &o, &i);
			for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
				at[tap * win->n_out + o + j] =
				    i + j * win->stride[2];
		}
	}
}

/* What was added up gets the gradient of where it went: the image's blocks. */
static enum err_code col_vjp(struct vjp *vjp, struct err *err)
{
	static const int64_t pads[] = { 0, 0, 0, 0, 0, 1 };
	struct build *build = vjp->build;
	struct fact in[3];
	const struct infer infer = { .attrs = vjp->attrs, .n_in = 3, .in = in };
	struct tensor_view view = { .dtype = DTYPE_I64, .shape.rank = 1 };
	struct build_name bound[3] = { { "d", VALUE_NONE } };
	struct build_name out = { "y", VALUE_NONE };
	struct window win;
	int64_t channels;
	enum err_code rc;

	for (int i = 0; i < 3; i++)
		in[i] = *build_fact(build, vjp->in[i]);
	rc = col_read(&infer, &win, &channels, err);
	if (rc)
		return rc;
	view.shape.dim[0] = win.n_taps * win.n_out;
	view.data = arena_array(build->graph->arena, (size_t)view.shape.dim[0],
				sizeof(int64_t));
	if (!view.data)
		return err_set(err, ERR_NO_MEMORY, "gradient: out of memory");
	find_places(&win, view.data);
	bound[0].value = build_reshape(
	    build, vjp->grad_out[0],
	    &(struct shape){ 3, { in[0].shape.dim[0], channels, win.n_in } });
	bound[1] = (struct build_name){ "p", build_ints(build, pads, 6) };
	bound[2] = (struct build_name){ "i", build_const(build, &view) };
	build_text(build, "y = Gather<axis=2>(Pad(d, p), i)", bound, 3, NULL,
		   &out, 1);
	vjp->grad_in[0] = build_reshape(build, out.value, &in[0].shape);
	return build_check(build, err);
}

static const struct kernel col_kernel = {
	.name = "col2im.taps",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = col_cost,
	.prepare = col_prepare,
	.run = col_run,
};
static const struct kernel *const col_kernels[] = { &col_kernel, NULL };

static const struct port col_in[] = {
	{ "input",
	  "T:float,double,float16,bfloat16,int8,uint8,int16,uint16,int32,"
	  "uint32,int64,uint64",
	  0 },
	{ "image_shape", "int64", 0 },
	{ "block_shape", "int64", 0 },
	{ 0 },
};
static const struct port col_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr col_attrs[] = {
	{ .name = "dilations",
	  .help = "distance of a block's elements, by axis",
	  .offset = offsetof(struct col_attrs, window.dilations),
	  .kind = ATTR_INTS,
	  .min = 1,
	  .max = INT32_MAX },
	{ .name = "pads",
	  .help = "padding before each axis, then after each",
	  .offset = offsetof(struct col_attrs, window.pads),
	  .kind = ATTR_INTS,
	  .max = INT32_MAX },
	{ .name = "strides",
	  .help = "steps of the blocks, by axis",
	  .offset = offsetof(struct col_attrs, window.strides),
	  .kind = ATTR_INTS,
	  .min = 1,
	  .max = INT32_MAX },
	{ 0 },
};

static const struct op_case col_cases[] = {
	{ .name = "image",
	  .graph = "y = Col2Im(x:float[2,12,6], s:int64[2]={4,3}, "
		   "b:int64[2]={3,1})" },
	{ .name = "overlapping",
	  .graph = "y = Col2Im<pads=[1,0,1,1]>(x:double[1,8,20], "
		   "s:int64[2]={4,4}, b:int64[2]={2,2})" },
	{ .name = "strides and dilations",
	  .graph = "y = Col2Im<strides=[2,1], dilations=[1,2]>("
		   "x:float[1,4,6], s:int64[2]={5,5}, b:int64[2]={2,2})" },
	{ .name = "volume",
	  .graph = "y = Col2Im(x:float[1,8,12], s:int64[3]={3,4,3}, "
		   "b:int64[3]={2,2,2})" },
	{ .name = "sequence",
	  .graph = "y = Col2Im(x:int32[1,4,4], s:int64[1]={5}, "
		   "b:int64[1]={2})" },
	{ .name = "bytes",
	  .graph = "y = Col2Im(x:uint8[1,2,4], s:int64[1]={5}, "
		   "b:int64[1]={2})" },
	{ .name = "long numbers",
	  .graph = "y = Col2Im(x:int64[1,2,4], s:int64[1]={5}, "
		   "b:int64[1]={2})" },
	{ .name = "no batch",
	  .graph = "y = Col2Im(x:float[0,2,4], s:int64[1]={5}, "
		   "b:int64[1]={2})" },
	{ .name = "another length",
	  .graph = "y = Col2Im(x:float[1,2,5], s:int64[1]={5}, "
		   "b:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "a part of a block",
	  .graph = "y = Col2Im(x:float[1,3,4], s:int64[1]={5}, "
		   "b:int64[1]={2})",
	  .want = ERR_SHAPE },
	{ .name = "block of another rank",
	  .graph = "y = Col2Im(x:float[1,2,4], s:int64[1]={5}, "
		   "b:int64[2]={2,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_col2im;
const struct op op_col2im = {
	.domain = "",
	.name = "Col2Im",
	.help = "Adds columns of blocks up to an image.",
	.since = 18,
	.flags = OP_ZERO_STAYS_ZERO,
	.value_inputs = 1u << 1 | 1u << 2,
	.in = col_in,
	.out = col_out,
	.attrs = col_attrs,
	.attrs_size = sizeof(struct col_attrs),
	.infer = col_infer,
	.kernels = col_kernels,
	.vjp = col_vjp,
	.cases = col_cases,
};
