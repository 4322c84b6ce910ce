/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization of [N, C, ...]: y = (x - mean) rstd scale + bias for
 * each channel, rstd = 1 / sqrt(var + epsilon).
 *
 * BatchNormalization is ONNX's row (running statistics, or the batch's with
 * training_mode); BatchNormTrain is PyTorch's training form, whose results
 * `mean` and `rstd` are what BatchNormGrad reads.
 */
#include <math.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/planes.h"
#include "engine/ops/norm.h"

enum { CHANNELS = 64, LANES = 8, MAX_SLICES = 32, SLICE_ELEMENTS = 1 << 14 };

/* [batch, channels, inner], and which n channels from `first` on */
struct batch_norm {
	int64_t batch, channels, inner, first, n;
	int64_t count; /* elements of a channel */
	bool uses_batch;
	double epsilon;
	double fresh;  /* share of the batch in new running values */
	double unbias; /* factor of its variance there */
	void *mean, *rstd, *new_mean, *new_var; /* NULL: nobody reads it */
};

static void *output(const struct kernel_call *call, unsigned i)
{
	return i < call->query->n_out ? call->out[i] : NULL;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/batch_norm_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/batch_norm_typed.h"

static struct batch_norm query_geometry(const struct shape *x)
{
	const int64_t channels = x->rank > 1 ? x->dim[1] : 1;
	const int64_t inner = x->rank > 2 ? shape_range(x, 2, x->rank) : 1;

	return (struct batch_norm){
		.batch = x->dim[0],
		.channels = channels,
		.inner = inner,
		.count = x->dim[0] * inner,
		.unbias = 1,
	};
}

/* the channels of one slice, CHANNELS at a time */
static void
run(struct batch_norm *g, const struct kernel_call *call, unsigned slice,
    void (*channels)(const struct batch_norm *, const struct kernel_call *))
{
	int64_t last;

	kernel_slice(g->channels, call->n_slices, slice, &g->first, &last);
	for (; g->first < last; g->first += CHANNELS) {
		g->n = last - g->first < CHANNELS ? last - g->first : CHANNELS;
		channels(g, call);
	}
}

static bool is_f64(const struct kernel_call *call)
{
	return call->query->in[0].type.elem == DTYPE_F64;
}

static void onnx_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct batch_norm_attrs *attrs = call->query->attrs;
	struct batch_norm g = query_geometry(&call->query->in[0].shape);

	(void)scratch;
	g.uses_batch = attrs->training_mode != 0;
	g.epsilon = attrs->epsilon;
	g.fresh = 1 - attrs->momentum;
	g.new_mean = output(call, 1);
	g.new_var = output(call, 2);
	run(&g, call, slice, is_f64(call) ? forward_f64 : forward_f32);
}

static void train_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct batch_norm_train_attrs *attrs = call->query->attrs;
	struct batch_norm g = query_geometry(&call->query->in[0].shape);

	(void)scratch;
	g.uses_batch = true;
	g.epsilon = attrs->epsilon;
	g.fresh = attrs->momentum;
	g.unbias = (double)g.count / (double)(g.count - 1);
	g.mean = output(call, 1);
	g.rstd = output(call, 2);
	g.new_mean = output(call, 3);
	g.new_var = output(call, 4);
	run(&g, call, slice, is_f64(call) ? forward_f64 : forward_f32);
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct batch_norm_grad_attrs *attrs = call->query->attrs;
	struct batch_norm g = query_geometry(&call->query->in[0].shape);

	(void)scratch;
	g.uses_batch = !attrs->frozen;
	run(&g, call, slice, is_f64(call) ? backward_f64 : backward_f32);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	(void)err;
	if (x->rank < 2 || n > x->dim[1])
		n = x->rank < 2 ? 1 : x->dim[1];
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

/* inputs first..last-1 are [C] */
static enum err_code check_channels(const struct infer *infer, unsigned first,
				    unsigned last, int64_t channels,
				    struct err *err)
{
	static const char *const names[] = { "X", "scale", "B", "mean", "var" };

	for (unsigned i = first; i < last; i++) {
		const struct shape *s = &infer->in[i].shape;
		char text[64];

		if (s->rank != 1 || s->dim[0] != channels)
			return infer_fail(err,
					  "input '%s': expected [%lld], one "
					  "for each channel, got %s",
					  names[first == 1 ? i : i - 1],
					  (long long)channels,
					  shape_text(s, text, sizeof(text)));
	}
	return ERR_NONE;
}

static void set_shape(struct infer *infer, unsigned i,
		      const struct shape *shape)
{
	if (i >= infer->n_out)
		return;
	infer->out[i].shape = *shape;
	infer->out[i].has_shape = true;
}

static enum err_code onnx_infer(struct infer *infer, struct err *err)
{
	const struct batch_norm_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct shape channels = { 1, { x->rank > 1 ? x->dim[1] : 1 } };
	enum err_code rc;

	if (!x->rank)
		return infer_fail(err, "input 'X': expected [batch, channels, "
				       "...], got a scalar");
	rc = check_channels(infer, 1, 5, channels.dim[0], err);
	if (rc)
		return rc;
	if (infer->n_out > 1 && !attrs->training_mode)
		return err_set(err, ERR_INVALID,
			       "outputs 'running_mean' and 'running_var' are "
			       "there only with training_mode 1");
	set_shape(infer, 0, x);
	set_shape(infer, 1, &channels);
	set_shape(infer, 2, &channels);
	return ERR_NONE;
}

static enum err_code train_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape channels = { .rank = 1 };
	char text[64];
	enum err_code rc;

	if (x->rank < 2 || shape_count(x) < 2 * x->dim[1])
		return infer_fail(err,
				  "input 'x': expected [batch, channels, ...] "
				  "with more than one value for each channel, "
				  "got %s",
				  shape_text(x, text, sizeof(text)));
	channels.dim[0] = x->dim[1];
	rc = check_channels(infer, 1, 5, channels.dim[0], err);
	if (rc)
		return rc;
	set_shape(infer, 0, x);
	for (unsigned i = 1; i < 5; i++)
		set_shape(infer, i, &channels);
	return ERR_NONE;
}

static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[1].shape;
	const struct shape channels = { 1, { x->rank > 1 ? x->dim[1] : 1 } };
	enum err_code rc;

	if (!x->rank || !shape_equal(&infer->in[0].shape, x))
		return infer_fail(err, "input 'dy': expected the shape of "
				       "input 'x'");
	rc = check_channels(infer, 2, 5, channels.dim[0], err);
	if (rc)
		return rc;
	set_shape(infer, 0, x);
	set_shape(infer, 1, &channels);
	set_shape(infer, 2, &channels);
	return ERR_NONE;
}

static enum err_code build_grad(struct vjp *vjp, int32_t mean, int32_t rstd,
				bool frozen, struct err *err)
{
	const struct batch_norm_grad_attrs attrs = { .frozen = frozen };
	const int32_t in[5] = { vjp->grad_out[0], vjp->in[0], vjp->in[1], mean,
				rstd };

	if (vjp->wanted[3] || vjp->wanted[4])
		return err_set(err, ERR_UNSUPPORTED,
			       "batch normalization: the running statistics "
			       "have no gradient");
	for (int32_t i = 1; i < vjp->node->n_out; i++) {
		if (vjp->grad_out[i] != VALUE_NONE)
			return err_set(err, ERR_UNSUPPORTED,
				       "batch normalization: only its first "
				       "result has a gradient");
	}
	build_nodes(vjp->build, "BatchNormGrad", &attrs, in, 5, vjp->grad_in,
		    3);
	return build_check(vjp->build, err);
}

static enum err_code train_vjp(struct vjp *vjp, struct err *err)
{
	const struct batch_norm_train_attrs *attrs = vjp->attrs;
	int32_t out[3] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };

	if (vjp->node->n_out > 2) {
		out[1] = vjp->out[1];
		out[2] = vjp->out[2];
	}
	if (out[1] == VALUE_NONE || out[2] == VALUE_NONE)
		build_nodes(vjp->build, "BatchNormTrain", attrs, vjp->in, 5,
			    out, 3);
	return build_grad(vjp, out[1], out[2], false, err);
}

static enum err_code onnx_vjp(struct vjp *vjp, struct err *err)
{
	const struct batch_norm_attrs *attrs = vjp->attrs;
	const struct batch_norm_train_attrs train = { attrs->epsilon, 0 };
	struct build *build = vjp->build;
	const enum dtype elem = build_fact(build, vjp->in[4])->type.elem;
	int32_t out[3], root;

	if (attrs->training_mode) {
		build_nodes(build, "BatchNormTrain", &train, vjp->in, 5, out,
			    3);
		return build_grad(vjp, out[1], out[2], false, err);
	}
	root = build_1(build, "Sqrt",
		       build_2(build, "Add", vjp->in[4],
			       build_scalar(build, elem, attrs->epsilon)));
	return build_grad(
	    vjp, vjp->in[3],
	    build_2(build, "Div", build_scalar(build, elem, 1), root), true,
	    err);
}

/* the reference kernels take one type for all inputs */
static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	for (unsigned i = 1; i < query->n_in; i++) {
		if (query->in[i].type.elem != elem)
			return false;
	}
	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

static const struct kernel onnx_kernel = {
	.name = "batch_norm.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = onnx_run,
};
static const struct kernel train_kernel = {
	.name = "batch_norm_train.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = train_run,
};
static const struct kernel grad_kernel = {
	.name = "batch_norm_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = grad_run,
};
static const struct kernel *const onnx_kernels[] = { &batch_norm_planes,
						     &onnx_kernel, NULL };
static const struct kernel *const train_kernels[] = { &batch_norm_train_planes,
						      &train_kernel, NULL };
static const struct kernel *const grad_kernels[] = { &batch_norm_grad_planes,
						     &grad_kernel, NULL };

/* clang-format off */
static const struct port onnx_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "scale", "T1:float16,float,double,bfloat16", 0 },
	{ "B", "T1", 0 },
	{ "input_mean", "T2:float16,float,double,bfloat16", 0 },
	{ "input_var", "T2", 0 },
	{ 0 },
};
static const struct port onnx_out[] = {
	{ "Y", "T", 0 },
	{ "running_mean", "T2", PORT_OPTIONAL },
	{ "running_var", "T2", PORT_OPTIONAL },
	{ 0 },
};
static const struct port train_in[] = {
	{ "x", "T:float,double", 0 },
	{ "scale", "T", 0 },
	{ "bias", "T", 0 },
	{ "running_mean", "T", 0 },
	{ "running_var", "T", 0 },
	{ 0 },
};
static const struct port train_out[] = {
	{ "y", "T", 0 },
	{ "mean", "T", PORT_OPTIONAL },
	{ "rstd", "T", PORT_OPTIONAL },
	{ "new_mean", "T", PORT_OPTIONAL },
	{ "new_var", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port grad_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "x", "T", 0 },
	{ "scale", "T", 0 },
	{ "mean", "T", 0 },
	{ "rstd", "T", 0 },
	{ 0 },
};
static const struct port grad_out[] = {
	{ "dx", "T", 0 },
	{ "dscale", "T", PORT_OPTIONAL },
	{ "dbias", "T", PORT_OPTIONAL },
	{ 0 },
};

static const struct op_attr onnx_attrs[] = {
	{ .name = "epsilon", .help = "added to the variance",
	  .offset = offsetof(struct batch_norm_attrs, epsilon), .kind = ATTR_FLOAT, .max = 1e30,
	  .def = 1e-5 },
	{ .name = "momentum", .help = "share of the old running value",
	  .offset = offsetof(struct batch_norm_attrs, momentum), .kind = ATTR_FLOAT, .def = 0.9 },
	{ .name = "training_mode", .help = "1: the batch's own statistics",
	  .offset = offsetof(struct batch_norm_attrs, training_mode), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
static const struct op_attr train_attrs[] = {
	{ .name = "epsilon", .help = "added to the variance",
	  .offset = offsetof(struct batch_norm_train_attrs, epsilon), .kind = ATTR_FLOAT,
	  .max = 1e30, .def = 1e-5 },
	{ .name = "momentum", .help = "share of the batch in the new running value",
	  .offset = offsetof(struct batch_norm_train_attrs, momentum), .kind = ATTR_FLOAT,
	  .def = 0.1 },
	{ 0 },
};
static const struct op_attr grad_attrs[] = {
	{ .name = "frozen", .help = "1: mean and rstd are constants",
	  .offset = offsetof(struct batch_norm_grad_attrs, frozen), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};

#define PARAMS_3 "s:float[3], b:float[3], m:float[3]={0.1,-0.2,0.3}, v:float[3]={0.5,1,2}"

static const struct op_case onnx_cases[] = {
	{ .name = "images", .graph = "y = BatchNormalization(x:float[2,3,4,5], " PARAMS_3 ")" },
	{ .name = "rows", .graph = "y = BatchNormalization(x:float[7,3], " PARAMS_3 ")" },
	{ .name = "sequences",
	  .graph = "y = BatchNormalization<epsilon=0.01>(x:float[2,3,9], " PARAMS_3 ")" },
	{ .name = "volumes", .graph = "y = BatchNormalization(x:float[1,3,2,3,2], " PARAMS_3 ")" },
	{ .name = "training mode",
	  .graph = "y, rm, rv = BatchNormalization<training_mode=1>"
		   "(x:float[2,3,4,5], " PARAMS_3 ")",
	  .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y = BatchNormalization(x:double[2,3,4], s:double[3], b:double[3], "
		   "m:double[3], v:double[3]={1,2,3})" },
	{ .name = "more channels than a block",
	  .graph = "y, rm, rv = BatchNormalization<training_mode=1>(x:float[300,70], "
		   "s:float[70], b:float[70], m:float[70], v:float[70])", .tolerance = 1e-4 },
	{ .name = "no batch", .graph = "y = BatchNormalization(x:float[0,3,4], " PARAMS_3 ")" },
	{ .name = "scale too short",
	  .graph = "y = BatchNormalization(x:float[2,3,4], s:float[2], b:float[3], "
		   "m:float[3], v:float[3])", .want = ERR_SHAPE },
	{ .name = "var is a matrix",
	  .graph = "y = BatchNormalization(x:float[2,3,4], s:float[3], b:float[3], "
		   "m:float[3], v:float[3,1])", .want = ERR_SHAPE },
	{ .name = "a scalar",
	  .graph = "y = BatchNormalization(x:float[], s:float[1], b:float[1], "
		   "m:float[1], v:float[1])", .want = ERR_SHAPE },
	{ .name = "running values without training",
	  .graph = "y, rm, rv = BatchNormalization(x:float[2,3,4], " PARAMS_3 ")",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case train_cases[] = {
	{ .name = "images",
	  .graph = "y, me, r, nm, nv = predictd.BatchNormTrain(x:float[4,3,5,5], " PARAMS_3 ")",
	  .tolerance = 1e-4 },
	{ .name = "rows",
	  .graph = "y, me, r, nm, nv = predictd.BatchNormTrain(x:float[8,3], " PARAMS_3 ")",
	  .tolerance = 1e-4 },
	{ .name = "y alone",
	  .graph = "y = predictd.BatchNormTrain<momentum=0.5>(x:float[8,3,3], " PARAMS_3 ")",
	  .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y, me, r = predictd.BatchNormTrain(x:double[3,2,4], s:double[2], "
		   "b:double[2], m:double[2], v:double[2])", .tolerance = 1e-4 },
	{ .name = "large",
	  .graph = "y, me, r, nm, nv = predictd.BatchNormTrain(x:float[12,70,5,5], "
		   "s:float[70], b:float[70], m:float[70], v:float[70])", .tolerance = 1e-4 },
	{ .name = "one value for a channel",
	  .graph = "y = predictd.BatchNormTrain(x:float[1,3], " PARAMS_3 ")",
	  .want = ERR_SHAPE },
	{ .name = "no value",
	  .graph = "y = predictd.BatchNormTrain(x:float[0,3,4], " PARAMS_3 ")",
	  .want = ERR_SHAPE },
	{ .name = "a vector", .graph = "y = predictd.BatchNormTrain(x:float[3], " PARAMS_3 ")",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "images",
	  .graph = "dx, ds, db = predictd.BatchNormGrad(dy:float[2,3,4,5], "
		   "x:float[2,3,4,5], s:float[3], m:float[3], r:float[3])", .tolerance = 1e-4 },
	{ .name = "rows",
	  .graph = "dx, ds, db = predictd.BatchNormGrad(dy:double[9,3], x:double[9,3], "
		   "s:double[3], m:double[3], r:double[3])" },
	{ .name = "frozen",
	  .graph = "dx, ds, db = predictd.BatchNormGrad<frozen=1>(dy:float[2,3,4], "
		   "x:float[2,3,4], s:float[3], m:float[3], r:float[3])", .tolerance = 1e-4 },
	{ .name = "dx alone",
	  .graph = "dx = predictd.BatchNormGrad(dy:float[2,3,4], x:float[2,3,4], "
		   "s:float[3], m:float[3], r:float[3])", .tolerance = 1e-4 },
	{ .name = "shapes differ",
	  .graph = "dx = predictd.BatchNormGrad(dy:float[2,3,4], x:float[2,3,5], "
		   "s:float[3], m:float[3], r:float[3])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_batch_normalization;
const struct op op_batch_normalization = {
	.domain = "",
	.name = "BatchNormalization",
	.help = "Normalizes each channel by running statistics, or by the "
		"batch's own with training_mode.",
	.since = 15,
	.in = onnx_in,
	.out = onnx_out,
	.attrs = onnx_attrs,
	.attrs_size = sizeof(struct batch_norm_attrs),
	.infer = onnx_infer,
	.kernels = onnx_kernels,
	.vjp = onnx_vjp,
	.cases = onnx_cases,
};

extern const struct op op_batch_norm_grad;
const struct op op_batch_norm_grad = {
	.domain = "predictd",
	.name = "BatchNormGrad",
	.help = "Gradients of batch normalization from its statistics.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct batch_norm_grad_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};

extern const struct op op_batch_norm_train;
const struct op op_batch_norm_train = {
	.domain = "predictd",
	.name = "BatchNormTrain",
	.help = "Normalizes each channel by the batch's own statistics and "
		"gives new running ones.",
	.since = 1,
	.in = train_in,
	.out = train_out,
	.attrs = train_attrs,
	.attrs_size = sizeof(struct batch_norm_train_attrs),
	.infer = train_infer,
	.kernels = train_kernels,
	.vjp = train_vjp,
	.cases = train_cases,
};
