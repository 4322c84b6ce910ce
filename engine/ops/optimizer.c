/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizers over flat arenas. Formulas as in PyTorch's documentation, of
 * Lamb as in You et al. 2019, of Lars as in You et al. 2017, of Lion as in
 * Chen et al. 2023 (optimizer_rules.c says where each factor stands):
 *
 *   all       g <- clip(g) + l2 p + l1 sign(p)    p <- keep p
 *   Sgd       b <- mu b + fresh g            p <- p - rate (b, or g + mu b)
 *   RMSprop   s <- alpha s + (1 - alpha) g g    d = g / (sqrt(s) + eps)
 *             centered: sqrt(s - a a), a <- a + (1 - alpha) (g - a)
 *             b <- mu b + d                  p <- p - rate (b or d)
 *   Adagrad   s <- s + g g                   p <- p - rate g / (sqrt(s) + eps)
 *   Adadelta  d = sqrt(e + eps) / sqrt(s + eps) g, s and e averages of g g
 *             and d d                        p <- p - rate d
 *   Adam      m <- m + (1 - beta1) (g - m)   v <- beta2 v + (1 - beta2) g g
 *             p <- p - rate m / (root sqrt(v or the largest v) + eps)
 *   Adamax    u <- max(beta2 u, |g| + eps)   p <- p - rate m / u
 *   NAdam     p <- p - (a g + b m) / (root sqrt(v) + eps)
 *   RAdam     p <- p - rate m (r / (sqrt(v) + eps), or 1 in the first steps)
 *   Lion      p <- p - rate sign(beta1 m + (1 - beta1) g)
 *             m <- beta2 m + (1 - beta2) g
 *   Rprop     the size grows where g keeps its sign and shrinks where it
 *             turns, there without a step    p <- p - size sign(g)
 *   Lamb      d = m' / (sqrt(v') + eps) + decay p    p <- p - rate |p|/|d| d
 *   Muon      engine/ops/muon.c
 *   Lars      q = trust |p| / (|g| + decay |p| + eps)
 *             b <- mu b + q (g + decay p)    p <- p - rate b
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/row_loops.h"
#include "engine/ops/optimizer_priv.h"

enum { MAX_SLICES = 64, SLICE_ELEMENTS = 1 << 16 };

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

void optimizer_segment_init(struct optimizer_segment *s,
			    const struct kernel_call *call, const float *hyper)
{
	const struct optimizer_attrs *attrs = call->query->attrs;

	s->call = call;
	s->n_moments = call_moments(call);
	s->only_looks = false;
	s->update = (struct row_update){
		.grad = s->room,
		.hyper = hyper,
		.momentum = attrs->momentum != 0,
		.nesterov = attrs->nesterov != 0,
		.centered = attrs->centered != 0,
		.amsgrad = attrs->amsgrad != 0,
		.trust = 1,
	};
}

void optimizer_load_block(struct optimizer_segment *s, int64_t at, int64_t last)
{
	const struct kernel_call *call = s->call;
	const float *grad = call->in[OPTIMIZER_GRAD];
	const float *norm = call->in[OPTIMIZER_NORM];
	float *part[1 + OPTIMIZER_MAX_MOMENTS] = { NULL };
	struct row_update *u = &s->update;

	u->n = last - at < UPDATE_BLOCK ? last - at : UPDATE_BLOCK;
	for (unsigned i = 0; i <= s->n_moments; i++) {
		const float *old = call->out[i] ? call->out[i] : call->in[i];

		part[i] = s->spare[i];
		if (call->out[i] && (i == 0 || !s->only_looks))
			part[i] = (float *)call->out[i] + at;
		else
			memcpy(s->spare[i], old + at,
			       (size_t)u->n * sizeof(float));
	}
	u->param = part[0];
	memcpy(u->moment, part + 1, sizeof(u->moment));
	update_loops()->load_grad(u, grad + at, clip_scale(u->hyper, norm[0]));
}

void optimizer_run_segment(struct optimizer_segment *s, update_loop *loop,
			   int64_t first, int64_t last)
{
	for (int64_t at = first; at < last; at += UPDATE_BLOCK) {
		optimizer_load_block(s, at, last);
		loop(&s->update);
	}
}

static bool is_untouched(const float *grad, int64_t n)
{
	uint32_t any = 0; /* bits of all but their signs */

	for (int64_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, grad + i, sizeof(bits));
		any |= bits << 1;
	}
	return any == 0;
}

/* The rows of first..last whose gradient is not 0, neighbours together; the
 * ends may lie within rows, which belong to two slices then. */
static void run_rows(struct optimizer_segment *s, update_loop *loop,
		     const int64_t segment[2], int64_t width,
		     const int64_t range[2])
{
	const float *grad = s->call->in[OPTIMIZER_GRAD];
	int64_t row = (range[0] - segment[0]) / width * width + segment[0];
	int64_t begin = range[0];

	for (; row < range[1]; row += width) {
		if (!is_untouched(grad + row, width))
			continue;
		optimizer_run_segment(s, loop, begin,
				      row < range[1] ? row : range[1]);
		begin = row + width;
	}
	optimizer_run_segment(s, loop, begin, range[1]);
}

static float ratio(const float *hyper, double param, double direction,
		   bool is_lars)
{
	const double p = sqrt(param), d = sqrt(direction);

	if (hyper[HYPER_OWN + 2] > 0 || !(p > 0) || !(d > 0))
		return 1;
	if (!is_lars)
		return (float)(p / d);
	return (float)((double)hyper[HYPER_OWN + 1] * p /
		       (d + (double)hyper[HYPER_OWN] * p +
			(double)hyper[HYPER_EPS]));
}

/* Twice over a parameter: for its norms, then for its step. */
static void run_parameter(struct optimizer_segment *s, size_t i, void *scratch)
{
	const struct optimizer_attrs *attrs = s->call->query->attrs;
	const int64_t first = attrs->segments.v[3 * i];
	const int64_t last = attrs->segments.v[3 * i + 1];
	const struct optimizer_rule *rule =
	    optimizer_rule_find(s->call->query->op->name);
	const struct update_loops *loops = update_loops();
	const bool is_lars = rule->loop == offsetof(struct update_loops, lars);
	struct row_update *u = &s->update;
	double param = 0, direction = 0;

	(void)scratch;
	s->only_looks = true;
	for (int64_t at = first; at < last; at += UPDATE_BLOCK) {
		optimizer_load_block(s, at, last);
		if (!is_lars) {
			loops->lamb_moments(u);
			loops->lamb_look(u);
		}
		param += row_loops()->squares(u->param, u->n);
		direction += row_loops()->squares(u->grad, u->n);
	}
	s->only_looks = false;
	u->trust = ratio(u->hyper, param, direction, is_lars);
	for (int64_t at = first; at < last; at += UPDATE_BLOCK) {
		optimizer_load_block(s, at, last);
		if (is_lars) {
			loops->lars(u);
			continue;
		}
		loops->lamb_moments(u);
		loops->lamb_look(u);
		loops->lamb(u);
	}
}

static void copy_over(const struct kernel_call *call, int64_t first,
		      int64_t last)
{
	for (unsigned i = 0; i <= call_moments(call); i++) {
		if (call->out[i] && call->out[i] != call->in[i] && first < last)
			memcpy((float *)call->out[i] + first,
			       (const float *)call->in[i] + first,
			       (size_t)(last - first) * sizeof(float));
	}
}

/* Slices of elements. */
static void run_elements(const struct kernel_call *call, unsigned slice,
			 const struct optimizer_rule *rule)
{
	const struct optimizer_attrs *attrs = call->query->attrs;
	const struct attr_ints *list = &attrs->segments;
	const float *hyper = call->in[OPTIMIZER_HYPERS];
	const float *norm = call->in[OPTIMIZER_NORM];
	update_loop *loop;
	struct optimizer_segment s;
	int64_t first, last;

	memcpy(&loop, (const char *)update_loops() + rule->loop, sizeof(loop));
	kernel_slice(shape_count(&call->query->in[0].shape), call->n_slices,
		     slice, &first, &last);
	copy_over(call, first, last);
	for (size_t i = 0; isfinite(norm[0]) && i < list->n; i += 3) {
		const int64_t from = list->v[i], to = list->v[i + 1];
		const int64_t range[] = { from > first ? from : first,
					  to < last ? to : last };
		const int64_t width = attrs->rows.n ? attrs->rows.v[i / 3] : 0;

		if (range[0] >= range[1])
			continue;
		optimizer_segment_init(
		    &s, call, hyper + list->v[i + 2] * OPTIMIZER_HYPER);
		if (width)
			run_rows(&s, loop, list->v + i, width, range);
		else
			optimizer_run_segment(&s, loop, range[0], range[1]);
	}
}

void optimizer_run_parameters(const struct kernel_call *call, unsigned slice,
			      void (*update)(struct optimizer_segment *s,
					     size_t i, void *scratch),
			      void *scratch)
{
	const struct optimizer_attrs *attrs = call->query->attrs;
	const struct attr_ints *list = &attrs->segments;
	const int64_t n = shape_count(&call->query->in[0].shape);
	const float *hyper = call->in[OPTIMIZER_HYPERS];
	const float *norm = call->in[OPTIMIZER_NORM];
	struct optimizer_segment s;
	int64_t first, last;

	kernel_slice((int64_t)(list->n / 3), call->n_slices, slice, &first,
		     &last);
	/* what lies between segments goes with the one before */
	copy_over(call, slice ? list->v[3 * first] : 0,
		  slice + 1 < call->n_slices ? list->v[3 * last] : n);
	for (int64_t i = first; isfinite(norm[0]) && i < last; i++) {
		const int64_t *at = list->v + 3 * i;

		optimizer_segment_init(&s, call,
				       hyper + at[2] * OPTIMIZER_HYPER);
		update(&s, (size_t)i, scratch);
	}
}

void optimizer_run(const struct kernel_call *call, unsigned slice,
		   void *scratch)
{
	const struct optimizer_rule *rule =
	    optimizer_rule_find(call->query->op->name);

	if (rule->is_by_parameter)
		optimizer_run_parameters(call, slice, run_parameter, scratch);
	else
		run_elements(call, slice, rule);
}

enum err_code optimizer_prepare(const struct kernel_query *query,
				struct kernel_setup *ret, struct err *err)
{
	const struct optimizer_attrs *attrs = query->attrs;
	int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;

	(void)err;
	if (optimizer_is_by_parameter(query->op) &&
	    n > (int64_t)(attrs->segments.n / 3))
		n = (int64_t)(attrs->segments.n / 3);
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

double optimizer_cost(const struct kernel_query *query)
{
	const unsigned n = optimizer_moments(query->op, query->attrs);

	return 0.1 + (double)shape_count(&query->in[0].shape) *
			 (1 + (double)n) * 2e-4;
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

/* The width of each segment's rows, 0 where it has none; or none of all. */
static enum err_code check_widths(const struct infer *infer, const char *name,
				  const struct attr_ints *width,
				  struct err *err)
{
	const struct optimizer_attrs *attrs = infer->attrs;
	const int64_t *segment = attrs->segments.v;

	if (width->n && width->n != attrs->segments.n / 3)
		return err_set(err, ERR_INVALID,
			       "attribute '%s': expected a number for each of "
			       "%zu segments, got %zu",
			       name, attrs->segments.n / 3, width->n);
	for (size_t i = 0; i < width->n; i++) {
		const int64_t n = segment[3 * i + 1] - segment[3 * i];

		if (width->v[i] < 0 || width->v[i] > INT32_MAX ||
		    (width->v[i] && n % width->v[i]))
			return err_set(err, ERR_INVALID,
				       "attribute '%s': %lld elements are no "
				       "whole number of rows of %lld",
				       name, (long long)n,
				       (long long)width->v[i]);
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

enum err_code optimizer_infer(struct infer *infer, const struct op *op,
			      struct err *err)
{
	const struct optimizer_attrs *attrs = infer->attrs;
	const unsigned n_moments = optimizer_moments(op, attrs);
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
	if (!rc)
		rc = check_widths(infer, "columns", &attrs->columns, err);
	if (!rc)
		rc = check_widths(infer, "rows", &attrs->rows, err);
	for (unsigned i = 0; !rc && i <= n_moments; i++) {
		infer->out[i].shape = *flat;
		infer->out[i].has_shape = true;
	}
	return rc;
}
