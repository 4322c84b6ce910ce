/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizers over flat arenas: Sgd, RMSprop, Adam. Formulas as in PyTorch's
 * documentation of SGD, RMSprop, Adam and AdamW (optimizer.h says where each
 * factor stands):
 *
 *   all       g <- clip(g) + l2 p            p <- keep p
 *   Sgd       b <- mu b + fresh g            p <- p - rate (b, or g + mu b)
 *   RMSprop   s <- alpha s + (1 - alpha) g g    d = g / (sqrt(s) + eps)
 *             centered: sqrt(s - a a), a <- a + (1 - alpha) (g - a)
 *             b <- mu b + d                  p <- p - rate (b or d)
 *   Adam      m <- m + (1 - beta1) (g - m)   v <- beta2 v + (1 - beta2) g g
 *             p <- p - rate m / (root sqrt(v or the largest v) + eps)
 */
#include "engine/ops/optimizer.h"

#include <math.h>
#include <string.h>

#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"

enum { MAX_SLICES = 64, SLICE_ELEMENTS = 1 << 16 };

/* One of row_loops(). */
typedef void optimizer_rule(struct row_update *update);

/* What the gradients are multiplied by so that their norm is at most that. */
static float clip_scale(const float *hyper, float norm)
{
	const float scale = hyper[HYPER_MAX_NORM] / (norm + 1e-6f);

	return hyper[HYPER_MAX_NORM] > 0 && scale < 1 ? scale : 1;
}

static unsigned call_moments(const struct kernel_call *call)
{
	return optimizer_moments(call->query->op, call->query->attrs);
}

/* Elements first..last-1 of one segment. The outputs hold the old values
 * already; a moment that nobody reads goes through spare memory. */
static void run_segment(const struct kernel_call *call, optimizer_rule *rule,
			const float *hyper, int64_t first, int64_t last)
{
	const struct optimizer_attrs *attrs = call->query->attrs;
	const unsigned n_moments = call_moments(call);
	const float *grad = call->in[OPTIMIZER_GRAD];
	const float *norm = call->in[OPTIMIZER_NORM];
	float spare[1 + OPTIMIZER_MAX_MOMENTS][ROW_BLOCK], room[ROW_BLOCK];
	struct row_update update = {
		.grad = room,
		.hyper = hyper,
		.momentum = attrs->momentum != 0,
		.nesterov = attrs->nesterov != 0,
		.centered = attrs->centered != 0,
		.amsgrad = attrs->amsgrad != 0,
	};

	for (int64_t at = first; at < last; at += ROW_BLOCK) {
		float *part[1 + OPTIMIZER_MAX_MOMENTS] = { NULL };

		update.n = last - at < ROW_BLOCK ? last - at : ROW_BLOCK;
		for (unsigned i = 0; i <= n_moments; i++) {
			part[i] = spare[i];
			if (call->out[i])
				part[i] = (float *)call->out[i] + at;
			else
				memcpy(spare[i],
				       (const float *)call->in[i] + at,
				       (size_t)update.n * sizeof(float));
		}
		update.param = part[0];
		memcpy(update.moment, part + 1, sizeof(update.moment));
		row_loops()->load_grad(&update, grad + at,
				       clip_scale(hyper, norm[0]));
		rule(&update);
	}
}

static void run(const struct kernel_call *call, unsigned slice,
		optimizer_rule *rule)
{
	const struct optimizer_attrs *attrs = call->query->attrs;
	const struct attr_ints *list = &attrs->segments;
	const float *hyper = call->in[OPTIMIZER_HYPERS];
	const float *norm = call->in[OPTIMIZER_NORM];
	int64_t first, last;

	kernel_slice(shape_count(&call->query->in[0].shape), call->n_slices,
		     slice, &first, &last);
	for (unsigned i = 0; i <= call_moments(call); i++) {
		if (call->out[i] && call->out[i] != call->in[i] && first < last)
			memcpy((float *)call->out[i] + first,
			       (const float *)call->in[i] + first,
			       (size_t)(last - first) * sizeof(float));
	}
	if (!isfinite(norm[0]))
		return;
	for (size_t i = 0; i < list->n; i += 3) {
		const int64_t from = list->v[i], to = list->v[i + 1];

		run_segment(call, rule,
			    hyper + list->v[i + 2] * OPTIMIZER_HYPER,
			    from > first ? from : first, to < last ? to : last);
	}
}

static void sgd_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	(void)scratch;
	run(call, slice, row_loops()->sgd);
}

static void rmsprop_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	(void)scratch;
	run(call, slice, row_loops()->rmsprop);
}

static void adam_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	(void)scratch;
	run(call, slice, row_loops()->adam);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;

	(void)err;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const unsigned n = optimizer_moments(query->op, query->attrs);

	return 0.1 + (double)shape_count(&query->in[0].shape) *
			 (1 + (double)n) * 2e-4;
}

unsigned optimizer_moments(const struct op *op,
			   const struct optimizer_attrs *attrs)
{
	const unsigned momentum = attrs->momentum != 0;

	if (!strcmp(op->name, "Adam"))
		return 2 + (attrs->amsgrad != 0);
	if (!strcmp(op->name, "RMSprop"))
		return 1 + momentum + (attrs->centered != 0);
	return momentum;
}

void optimizer_hyper_fill(const struct op *op,
			  const struct optimizer_attrs *attrs,
			  const struct optimizer_setting *setting,
			  uint64_t step, float row[OPTIMIZER_HYPER])
{
	const bool is_adam = !strcmp(op->name, "Adam");
	const double t = (double)step;
	double value[OPTIMIZER_HYPER] = {
		[HYPER_RATE] = setting->rate,
		[HYPER_L2] = attrs->decoupled ? 0 : setting->weight_decay,
		[HYPER_KEEP] = attrs->decoupled
				   ? 1 - setting->rate * setting->weight_decay
				   : 1,
		[HYPER_MOMENTUM] = setting->momentum,
		/* the first step's buffer is the gradient itself */
		[HYPER_FRESH] = step > 1 ? 1 - setting->dampening : 1,
		[HYPER_SQUARE] = setting->square,
		[HYPER_SQUARE_FRESH] = 1 - setting->square,
		[HYPER_EPS] = setting->eps,
		[HYPER_ROOT] = 1,
		[HYPER_MAX_NORM] = setting->max_norm,
		[HYPER_MAX_VALUE] = setting->max_value,
	};

	if (is_adam) {
		value[HYPER_RATE] /= 1 - pow(setting->momentum, t);
		value[HYPER_FRESH] = 1 - setting->momentum;
		value[HYPER_ROOT] = 1 / sqrt(1 - pow(setting->square, t));
	}
	for (int i = 0; i < OPTIMIZER_HYPER; i++)
		row[i] = (float)value[i];
}

static const char *const input_names[] = { "param", "m0",   "m1",   "m2",
					   "grad",  "norm", "hyper" };

static enum err_code check_segments(const struct infer *infer, int64_t n,
				    int64_t n_groups, struct err *err)
{
	const struct optimizer_attrs *attrs = infer->attrs;
	const int64_t *v = attrs->segments.v;
	int64_t end = 0;

	if (attrs->segments.n % 3)
		return err_set(err, ERR_INVALID,
			       "attribute 'segments': expected triples, got "
			       "%zu numbers",
			       attrs->segments.n);
	for (size_t i = 0; i < attrs->segments.n; i += 3) {
		if (v[i] < end || v[i + 1] < v[i] || v[i + 1] > n ||
		    v[i + 2] < 0 || v[i + 2] >= n_groups)
			return err_set(err, ERR_INVALID,
				       "attribute 'segments': expected rising "
				       "ranges in 0..%lld of groups below %lld,"
				       " got %lld..%lld of group %lld",
				       (long long)n, (long long)n_groups,
				       (long long)v[i], (long long)v[i + 1],
				       (long long)v[i + 2]);
		end = v[i + 1];
	}
	return ERR_NONE;
}

static enum err_code check_moments(const struct infer *infer, unsigned n,
				   struct err *err)
{
	for (unsigned i = 0; i < OPTIMIZER_MAX_MOMENTS; i++) {
		const bool has =
		    infer->in[OPTIMIZER_MOMENT + i].type.elem != DTYPE_NONE;

		if (has != (i < n))
			return err_set(err, ERR_INVALID,
				       "input 'm%u': expected %u moments with "
				       "these attributes, %s",
				       i, n,
				       has ? "got one more" : "it is missing");
	}
	if (infer->n_out < n + 1)
		return err_set(err, ERR_INVALID,
			       "outputs: expected %u (the parameters and every "
			       "moment), got %u",
			       n + 1, infer->n_out);
	return ERR_NONE;
}

static enum err_code infer_rule(struct infer *infer, const struct op *op,
				struct err *err)
{
	const unsigned n_moments = optimizer_moments(op, infer->attrs);
	const struct shape *flat = &infer->in[0].shape;
	const struct shape *hyper = &infer->in[OPTIMIZER_HYPERS].shape;
	enum err_code rc = check_moments(infer, n_moments, err);

	for (unsigned i = 0; !rc && i < OPTIMIZER_NORM; i++) {
		if (infer->in[i].type.elem == DTYPE_NONE)
			continue;
		if (flat->rank != 1 || !shape_equal(&infer->in[i].shape, flat))
			rc = infer_fail(err,
					"input '%s': expected a flat tensor "
					"as long as 'param'",
					input_names[i]);
	}
	if (!rc && infer->in[OPTIMIZER_NORM].shape.rank != 0)
		rc = infer_fail(err,
				"input 'norm': expected a scalar, got "
				"rank %u",
				infer->in[OPTIMIZER_NORM].shape.rank);
	if (!rc && (hyper->rank != 2 || hyper->dim[1] != OPTIMIZER_HYPER))
		rc = infer_fail(err, "input 'hyper': expected [groups,%d]",
				OPTIMIZER_HYPER);
	if (!rc)
		rc = check_segments(infer, flat->dim[0], hyper->dim[0], err);
	for (unsigned i = 0; !rc && i <= n_moments; i++) {
		infer->out[i].shape = *flat;
		infer->out[i].has_shape = true;
	}
	return rc;
}

extern const struct op op_adam, op_rmsprop, op_sgd;

static enum err_code adam_infer(struct infer *infer, struct err *err)
{
	return infer_rule(infer, &op_adam, err);
}

static enum err_code rmsprop_infer(struct infer *infer, struct err *err)
{
	return infer_rule(infer, &op_rmsprop, err);
}

static enum err_code sgd_infer(struct infer *infer, struct err *err)
{
	return infer_rule(infer, &op_sgd, err);
}

#define OPTIMIZER_KERNEL(rule, text)                                           \
	static const struct kernel rule##_kernel = {                           \
		.name = text,                                                  \
		.flags =                                                       \
		    KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE_ALL,    \
		.cost = cost,                                                  \
		.prepare = prepare,                                            \
		.run = rule##_run,                                             \
	};                                                                     \
	static const struct kernel *const rule##_kernels[] = { &rule##_kernel, \
							       NULL }

OPTIMIZER_KERNEL(adam, "adam.plain");
OPTIMIZER_KERNEL(rmsprop, "rmsprop.plain");
OPTIMIZER_KERNEL(sgd, "sgd.plain");

static const struct port optimizer_in[] = {
	{ "param", "float", 0 },	  { "m0", "float", PORT_OPTIONAL },
	{ "m1", "float", PORT_OPTIONAL }, { "m2", "float", PORT_OPTIONAL },
	{ "grad", "float", 0 },		  { "norm", "float", 0 },
	{ "hyper", "float", 0 },	  { 0 },
};
static const struct port optimizer_out[] = {
	{ "param_out", "float", 0 },
	{ "m0_out", "float", PORT_OPTIONAL },
	{ "m1_out", "float", PORT_OPTIONAL },
	{ "m2_out", "float", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
#define SEGMENTS \
	{ .name = "segments", .help = "(first, last + 1, group) triples, rising", \
	  .offset = offsetof(struct optimizer_attrs, segments), .kind = ATTR_INTS }
#define FLAG(member, text) \
	{ .name = #member, .help = text, \
	  .offset = offsetof(struct optimizer_attrs, member), .kind = ATTR_INT, .max = 1 }

static const struct op_attr adam_attrs[] = {
	SEGMENTS,
	FLAG(amsgrad, "1: divides by the largest square average so far"),
	FLAG(decoupled, "1: weight decay as in AdamW"),
	{ 0 },
};
static const struct op_attr rmsprop_attrs[] = {
	SEGMENTS,
	FLAG(momentum, "1: with a momentum buffer"),
	FLAG(centered, "1: subtracts the squared gradient average"),
	FLAG(decoupled, "1: weight decay shrinks the parameter, not the gradient"),
	{ 0 },
};
static const struct op_attr sgd_attrs[] = {
	SEGMENTS,
	FLAG(momentum, "1: with a momentum buffer"),
	FLAG(nesterov, "1: looks ahead by the momentum"),
	FLAG(decoupled, "1: weight decay shrinks the parameter, not the gradient"),
	{ 0 },
};

/* columns:  rate  l2  keep   mu  fresh square sfresh eps  root max_norm max_value */
#define HYPER_ONE "float[1,12]={0.1, 0.01, 1, 0.9, 0.1, 0.99, 0.01, 1e-8, 2, 0, 0, 0}"
#define HYPER_TWO "float[2,12]={0.1, 0, 0.999, 0.9, 0.1, 0.99, 0.01, 1e-8, 2, 1, 0, 0, " \
		  "0.2, 0, 1, 0.8, 0.2, 0.98, 0.02, 1e-5, 1, 0, 0.5, 0}"

static const struct op_case adam_cases[] = {
	{ .name = "one segment",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,0]>(w:float[5], a:float[5], "
	  "s:float[5]={1,2,3,4,5}, , g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "two groups with a gap",
	  .graph = "p, m, v = predictd.Adam<segments=[1,4,1, 6,9,0]>(w:float[9], a:float[9], "
	  "s:float[9]={1,2,3,4,5,4,3,2,1}, , g:float[9], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "amsgrad",
	  .graph = "p, m, v, t = predictd.Adam<segments=[0,3,0], "
		   "amsgrad=1>(w:float[3], a:float[3], "
	  "s:float[3]={1,2,3}, l:float[3]={3,2,1}, g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "a norm that is not finite",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,0]>(w:float[5], a:float[5], "
	  "s:float[5]={1,2,3,4,5}, , g:float[5], n:float[]={inf}, h:" HYPER_ONE ")" },
	{ .name = "nothing",
	  .graph = "p, m, v = predictd.Adam(w:float[0], a:float[0], s:float[0], , g:float[0], "
	  "n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "a moment is missing",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], , , g:float[5], "
	  "n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "a moment too many",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], b:float[5], c:float[5], "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "lengths differ",
	  .graph = "p, m, v = predictd.Adam(w:float[5], a:float[5], b:float[5], , g:float[4], "
	  "n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_SHAPE },
	{ .name = "a segment past the end",
	  .graph = "p, m, v = predictd.Adam<segments=[0,6,0]>(w:float[5], a:float[5], "
	  "b:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ .name = "a group that is not there",
	  .graph = "p, m, v = predictd.Adam<segments=[0,5,1]>(w:float[5], a:float[5], "
	  "b:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")", .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case rmsprop_cases[] = {
	{ .name = "plain",
	  .graph = "p, s = predictd.RMSprop<segments=[0,5,0]>(w:float[5], "
		   "a:float[5]={1,2,3,4,5}, , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "momentum",
	  .graph = "p, s, b = predictd.RMSprop<segments=[0,5,0], momentum=1>(w:float[5], "
	  "a:float[5]={1,2,3,4,5}, c:float[5], , g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "centered",
	  .graph = "p, s, b = predictd.RMSprop<segments=[0,3,0], centered=1>(w:float[3], "
	  "a:float[3]={1,2,3}, c:float[3]={0.1,0.2,0.3}, , "
	  "g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "both",
	  .graph = "p, s, b, c = predictd.RMSprop<segments=[0,3,0], momentum=1, "
		   "centered=1>(w:float[3], "
	  "a:float[3]={1,2,3}, d:float[3], e:float[3]={0.1,0.2,0.3}, "
	  "g:float[3], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "norm is a vector",
	  .graph = "p, s = predictd.RMSprop(w:float[5], a:float[5], , , "
	  "g:float[5], n:float[1], h:" HYPER_ONE ")", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case sgd_cases[] = {
	{ .name = "plain",
	  .graph = "p = predictd.Sgd<segments=[0,5,0]>(w:float[5], , , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "momentum",
	  .graph = "p, b = predictd.Sgd<segments=[0,5,0], momentum=1>(w:float[5], "
		   "a:float[5], , , "
	  "g:float[5], n:float[]={2}, h:" HYPER_ONE ")" },
	{ .name = "nesterov",
	  .graph = "p, b = predictd.Sgd<segments=[0,2,1, 2,5,0], momentum=1, "
		   "nesterov=1>(w:float[5], "
	  "a:float[5], , , g:float[5], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "more than a block",
	  .graph = "p, b = predictd.Sgd<segments=[3,1200,0], momentum=1>(w:float[1300], "
	  "a:float[1300], , , g:float[1300], n:float[]={2}, h:" HYPER_TWO ")" },
	{ .name = "hyper is too narrow",
	  .graph = "p = predictd.Sgd(w:float[5], , , , g:float[5], n:float[]={2}, "
	  "h:float[1,11])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

const struct op op_adam = {
	.domain = "predictd",
	.name = "Adam",
	.help = "One step of Adam or AdamW over a flat arena.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = optimizer_in,
	.out = optimizer_out,
	.attrs = adam_attrs,
	.attrs_size = sizeof(struct optimizer_attrs),
	.infer = adam_infer,
	.kernels = adam_kernels,
	.cases = adam_cases,
};

const struct op op_rmsprop = {
	.domain = "predictd",
	.name = "RMSprop",
	.help = "One step of RMSprop over a flat arena.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = optimizer_in,
	.out = optimizer_out,
	.attrs = rmsprop_attrs,
	.attrs_size = sizeof(struct optimizer_attrs),
	.infer = rmsprop_infer,
	.kernels = rmsprop_kernels,
	.cases = rmsprop_cases,
};

const struct op op_sgd = {
	.domain = "predictd",
	.name = "Sgd",
	.help = "One step of gradient descent over a flat arena.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = optimizer_in,
	.out = optimizer_out,
	.attrs = sgd_attrs,
	.attrs_size = sizeof(struct optimizer_attrs),
	.infer = sgd_infer,
	.kernels = sgd_kernels,
	.cases = sgd_cases,
};
