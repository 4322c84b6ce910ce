/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DeformConv: a convolution whose taps are moved, each by its own offset at
 * each place, and weighed by a mask: Y = B + sum over taps of
 * W mask X[place + tap + offset], X read by linear interpolation and 0 outside.
 * Offsets are [N, groups * taps * 2, rows, columns], rows first.
 *
 * Source: Dai et al., Deformable convolutional networks; Zhu et al., version 2.
 */
#include "engine/ops/deform_conv.h"

#include <math.h>
#include <string.h>

#include "engine/ops/move.h"

enum { SLICE_PLACES = 32 };

struct deform_attrs {
	struct window_attrs window;
	int64_t group, offset_group;
};

int64_t deform_place(const struct deform *d, unsigned axis, int64_t i,
		     int64_t tap)
{
	return i * d->win.stride[axis] - d->win.begin[axis] +
	       tap * d->win.dilation[axis];
}

#define T float
#define FLOOR floorf
#define NAME(x) x##_f32
#include "engine/ops/deform_conv_typed.h"
#define T double
#define FLOOR floor
#define NAME(x) x##_f64
#include "engine/ops/deform_conv_typed.h"

static enum err_code want_shape(const struct infer *infer, unsigned i,
				const char *name, const struct shape *want,
				struct err *err)
{
	const struct shape *got = &infer->in[i].shape;
	char text[2][64];

	if (!infer_has(infer, i) || shape_equal(got, want))
		return ERR_NONE;
	return infer_fail(err, "input '%s': expected shape %s, got %s", name,
			  shape_text(want, text[0], sizeof(text[0])),
			  shape_text(got, text[1], sizeof(text[1])));
}

/* X, W and the groups. */
static enum err_code read_groups(const struct infer *infer, struct deform *d,
				 struct err *err)
{
	const struct deform_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape, *w = &infer->in[1].shape;
	char text[64];

	if (x->rank != 4)
		return err_set(err, x->rank < 3 ? ERR_SHAPE : ERR_UNSUPPORTED,
			       "input 'X': expected rank 4 (batch, channels, "
			       "rows, columns), got %u",
			       x->rank);
	d->channels = x->dim[1];
	d->groups = attrs->group;
	d->offset_groups = attrs->offset_group;
	if (w->rank != 4 || d->channels % d->groups ||
	    d->channels % d->offset_groups ||
	    w->dim[1] != d->channels / d->groups || w->dim[0] % d->groups)
		return infer_fail(err,
				  "input 'W': expected [filters, %lld / %lld, "
				  "rows, columns] with groups (and %lld offset "
				  "groups) that divide, got %s",
				  (long long)d->channels, (long long)d->groups,
				  (long long)d->offset_groups,
				  shape_text(w, text, sizeof(text)));
	d->filters = w->dim[0];
	return ERR_NONE;
}

enum err_code deform_read(const struct infer *infer, struct deform *ret,
			  struct err *err)
{
	const struct deform_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape, *w = &infer->in[1].shape;
	const struct attr_ints kernel = { 2, w->dim + 2 };
	const struct attr_ints *told = &attrs->window.kernel_shape;
	struct shape want = { 4, { x->dim[0] } };
	struct deform d = { 0 };
	enum err_code rc = read_groups(infer, &d, err);

	if (!rc && told->n &&
	    (told->n != 2 || told->v[0] != w->dim[2] ||
	     told->v[1] != w->dim[3]))
		rc = infer_fail(err,
				"attribute 'kernel_shape': expected %lld and "
				"%lld, as in 'W'",
				(long long)w->dim[2], (long long)w->dim[3]);
	if (!rc)
		rc = window_init(&attrs->window, &kernel, x, &d.win, err);
	if (rc)
		return rc;
	d.has_bias = infer_has(infer, 3);
	d.has_mask = infer_has(infer, 4);
	want.dim[1] = 2 * d.offset_groups * d.win.n_taps;
	want.dim[2] = d.win.out[1];
	want.dim[3] = d.win.out[2];
	rc = want_shape(infer, 2, "offset", &want, err);
	want.dim[1] /= 2;
	if (!rc)
		rc = want_shape(infer, 4, "mask", &want, err);
	want = (struct shape){ 1, { d.filters } };
	if (!rc)
		rc = want_shape(infer, 3, "B", &want, err);
	*ret = d;
	return rc;
}

static enum err_code deform_infer(struct infer *infer, struct err *err)
{
	struct deform d;
	enum err_code rc = deform_read(infer, &d, err);

	infer->out[0].has_shape = !rc;
	return rc ? rc
		  : window_shape(&d.win, infer->in[0].shape.dim[0], d.filters,
				 &infer->out[0].shape, err);
}

static enum err_code deform_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	struct deform d;
	enum err_code rc = deform_read(&infer, &d, err);
	int64_t n;

	if (rc)
		return rc;
	n = query->in[0].shape.dim[0] * d.win.n_out / SLICE_PLACES;
	ret->n_slices = kernel_slices(query, (double)n);
	ret->scratch_bytes =
	    (size_t)(d.channels * d.win.n_taps) * sizeof(double);
	return ERR_NONE;
}

static void deform_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct infer infer = query_infer(call->query);
	int64_t first, last;
	struct deform d;

	if (!shape_count(&call->query->out[0].shape) ||
	    deform_read(&infer, &d, NULL))
		return;
	kernel_slice(call->query->in[0].shape.dim[0] * d.win.n_out,
		     call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		if (call->query->in[0].type.elem == DTYPE_F32)
			place_f32(&d, call, i, scratch);
		else
			place_f64(&d, call, i, scratch);
	}
}

static double deform_cost(const struct kernel_query *query)
{
	const struct shape *w = &query->in[1].shape;

	return 1 + (double)shape_count(&query->out[0].shape) *
		       (double)shape_range(w, 1, w->rank) * 1e-3;
}

static const struct kernel deform_kernel = {
	.name = "deform_conv.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = deform_cost,
	.prepare = deform_prepare,
	.run = deform_run,
};
static const struct kernel *const deform_kernels[] = { &deform_kernel, NULL };

static const struct port deform_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "W", "T", 0 },
	{ "offset", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "mask", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port deform_out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define AT(member) offsetof(struct deform_attrs, member)
static const struct op_attr deform_attrs[] = {
	{ .name = "dilations", .help = "distance of taps, by axis",
	  .offset = AT(window.dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "groups of channels",
	  .offset = AT(group), .kind = ATTR_INT, .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "extents of the window, as in W",
	  .offset = AT(window.kernel_shape), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "offset_group", .help = "groups of channels with offsets of their own",
	  .offset = AT(offset_group), .kind = ATTR_INT, .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "pads", .help = "padding before each axis, then after each",
	  .offset = AT(window.pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "steps of the window, by axis",
	  .offset = AT(window.strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case deform_cases[] = {
	{ .name = "plain",
	  .graph = "y = DeformConv(x:float[2,3,5,6], w:float[4,3,2,3], f:float[2,12,4,4])" },
	{ .name = "bias and mask",
	  .graph = "y = DeformConv<pads=[1,1,0,0], strides=[2,1], dilations=[1,2]>("
		   "x:float[1,2,5,6], w:float[3,2,2,2], f:float[1,8,3,5], b:float[3], "
		   "m:float[1,4,3,5])" },
	{ .name = "a small one",
	  .graph = "y = DeformConv<pads=[1,0,1,0], group=2, offset_group=2>(x:float[1,2,3,2], "
		   "w:float[2,1,2,1], f:float[1,8,4,2], b:float[2], m:float[1,4,4,2])" },
	{ .name = "a column, and a whole step beside it",
	  .graph = "y = DeformConv<pads=[0,1,0,1]>(x:float[1,1,4,1], w:float[1,1,2,2], "
		   "f:float[1,8,3,2])" },
	{ .name = "groups",
	  .graph = "y = DeformConv<group=2, offset_group=2, kernel_shape=[2,2]>("
		   "x:double[1,4,4,4], w:double[2,2,2,2], f:double[1,16,3,3])" },
	{ .name = "no batch",
	  .graph = "y = DeformConv(x:float[0,1,3,3], w:float[1,1,2,2], f:float[0,8,2,2])" },
	{ .name = "sliced",
	  .graph = "y = DeformConv(x:float[2,2,12,12], w:float[2,2,3,3], f:float[2,18,10,10])" },
	{ .name = "another offset",
	  .graph = "y = DeformConv(x:float[1,1,3,3], w:float[1,1,2,2], f:float[1,4,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "groups that do not divide",
	  .graph = "y = DeformConv<group=2>(x:float[1,3,3,3], w:float[2,1,2,2], f:float[1,8,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "another window",
	  .graph = "y = DeformConv<kernel_shape=[3,3]>(x:float[1,1,3,3], w:float[1,1,2,2], "
		   "f:float[1,8,2,2])", .want = ERR_SHAPE },
	{ .name = "another bias",
	  .graph = "y = DeformConv(x:float[1,1,3,3], w:float[1,1,2,2], f:float[1,8,2,2], "
		   "b:float[2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_deform_conv;
const struct op op_deform_conv = {
	.domain = "",
	.name = "DeformConv",
	.help = "Convolution with taps that move.",
	.since = 19,
	.in = deform_in,
	.out = deform_out,
	.attrs = deform_attrs,
	.attrs_size = sizeof(struct deform_attrs),
	.infer = deform_infer,
	.kernels = deform_kernels,
	.vjp = deform_vjp,
	.cases = deform_cases,
};
