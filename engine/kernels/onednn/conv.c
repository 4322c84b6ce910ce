/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution through oneDNN, forward and backward: the recipe of a slice.
 */
#include "engine/kernels/onednn/conv_priv.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"
#include "engine/ops/round_bfloat16.h"

/* x, w and y of one slice. */
enum operand { OPERAND_X, OPERAND_W, OPERAND_Y, OPERANDS };

struct operands {
	struct shape shape[OPERANDS]; /* of the slice */
	int64_t step[OPERANDS];	      /* floats from slice to slice */
	int64_t stride[OPERANDS][SHAPE_MAX_RANK]; /* of the whole */
};

static void spatial(struct shape *shape, const struct window *w,
		    const int64_t *extent)
{
	for (unsigned i = WINDOW_DIMS - w->n; i < WINDOW_DIMS; i++)
		shape->dim[shape->rank++] = extent[i];
}

struct shape onednn_conv_x(const struct conv *g)
{
	struct shape shape = { 2, { g->batch, g->group * g->c } };

	spatial(&shape, &g->window, g->window.in);
	return shape;
}

struct shape onednn_conv_y(const struct conv *g)
{
	struct shape shape = { 2, { g->batch, g->group * g->m } };

	spatial(&shape, &g->window, g->window.out);
	return shape;
}

struct shape onednn_conv_w(const struct conv *g)
{
	struct shape shape = { 2, { g->m, g->c } };

	if (g->group > 1)
		shape = (struct shape){ 3, { g->group, g->m, g->c } };
	spatial(&shape, &g->window, g->window.kernel);
	return shape;
}

static void strides(const struct shape *shape, int64_t *stride)
{
	int64_t step = 1;

	for (unsigned i = shape->rank; i-- > 0;) {
		stride[i] = step;
		step *= shape->dim[i];
	}
}

/* A part of one group is not one of several: oneDNN counts w's axes. */
static struct operands operands_of(const struct conv_job *job)
{
	const struct conv *part = &job->part, *whole = &job->whole;
	const struct shape all[OPERANDS] = { onednn_conv_x(whole),
					     onednn_conv_w(whole),
					     onednn_conv_y(whole) };
	struct operands o = { .shape = { onednn_conv_x(part),
					 onednn_conv_w(whole),
					 onednn_conv_y(part) } };
	const unsigned g = whole->group > 1;
	/* the axis of each operand that a cut shortens; -1: none */
	static const int axis[][OPERANDS] = {
		[CUT_NONE] = { -1, -1, -1 }, [CUT_BATCH] = { 0, -1, 0 },
		[CUT_GROUP] = { 1, 0, 1 },   [CUT_OUT] = { -1, 0, 1 },
		[CUT_IN] = { 1, 1, -1 },
	};

	o.shape[OPERAND_W].dim[0] = g ? part->group : part->m;
	o.shape[OPERAND_W].dim[1] = g ? part->m : part->c;
	for (int i = 0; i < OPERANDS; i++) {
		const int cut = axis[job->cut][i];

		strides(&all[i], o.stride[i]);
		if (cut >= 0)
			o.step[i] = o.stride[i][cut] * o.shape[i].dim[cut];
	}
	return o;
}

struct onednn_window onednn_window(const struct window *w)
{
	struct onednn_window ret = { 0 };

	for (unsigned i = 0; i < w->n; i++) {
		const unsigned k = WINDOW_DIMS - w->n + i;

		ret.stride[i] = w->stride[k];
		ret.dilation[i] = w->dilation[k] - 1;
		ret.begin[i] = w->begin[k];
		ret.end[i] = w->end[k];
	}
	return ret;
}

/* By kind and operand: what oneDNN calls it, and where it comes from. */
struct conv_role {
	dnnl_query_t query;
	int arg;
	bool is_result;
	unsigned index; /* of the node's input */
};

static const struct conv_role roles[CONV_N_KINDS][OPERANDS] = {
	[CONV_FORWARD] = {
		{ dnnl_query_src_md, DNNL_ARG_SRC, false, 0 },
		{ dnnl_query_weights_md, DNNL_ARG_WEIGHTS, false, 1 },
		{ dnnl_query_dst_md, DNNL_ARG_DST, true, 0 },
	},
	[CONV_DATA] = {
		{ dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC, true, 0 },
		{ dnnl_query_weights_md, DNNL_ARG_WEIGHTS, false, 1 },
		{ dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, false, 0 },
	},
	[CONV_WEIGHTS] = {
		{ dnnl_query_src_md, DNNL_ARG_SRC, false, 1 },
		{ dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS, true, 0 },
		{ dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, false, 0 },
	},
};

/* What the primitive is asked for: plain, or whatever it likes best; rounded
 * unless it is the result. */
static enum err_code wanted_desc(const struct conv_job *job,
				 const struct shape *shape, bool is_result,
				 dnnl_memory_desc_t *ret, struct err *err)
{
	if (job->form == CONV_PLAIN)
		return onednn_desc(shape, NULL, ret, err);
	return onednn_any_of(job->form == CONV_BF16 && !is_result ? dnnl_bf16
								  : dnnl_f32,
			     shape, ret, err);
}

/* For inference oneDNN picks forms over channels last, which do not pay with
 * plain values outside, and wants Winograd's weights transformed before. */
static dnnl_prop_kind_t prop_kind(const struct conv_job *job)
{
	return job->form == CONV_WINOGRAD && job->known_w
		   ? dnnl_forward_inference
		   : dnnl_forward_training;
}

static enum err_code offer_forward(const struct conv_job *job,
				   const struct recipe *recipe,
				   const dnnl_memory_desc_t md[OPERANDS],
				   dnnl_primitive_desc_t *ret, struct err *err)
{
	const struct onednn_window w = onednn_window(&job->part.window);
	const struct shape channels = { 1, { job->part.group * job->part.m } };
	dnnl_convolution_desc_t desc;
	dnnl_memory_desc_t bias;
	enum err_code rc = onednn_desc(&channels, NULL, &bias, err);

	if (!rc)
		rc = onednn_check(
		    dnnl_dilated_convolution_forward_desc_init(
			&desc, prop_kind(job),
			job->form == CONV_WINOGRAD ? dnnl_convolution_winograd
						   : dnnl_convolution_direct,
			&md[OPERAND_X], &md[OPERAND_W],
			job->has_bias ? &bias : NULL, &md[OPERAND_Y], w.stride,
			w.dilation, w.begin, w.end),
		    "a convolution", err);
	return rc ? rc : recipe_offer(recipe, &desc, NULL, ret, err);
}

static enum err_code offer_backward(const struct conv_job *job,
				    const struct recipe *recipe,
				    const dnnl_memory_desc_t md[OPERANDS],
				    dnnl_primitive_desc_t *ret, struct err *err)
{
	const struct onednn_window w = onednn_window(&job->part.window);
	const dnnl_alg_kind_t algorithm = job->form == CONV_WINOGRAD
					      ? dnnl_convolution_winograd
					      : dnnl_convolution_direct;
	dnnl_memory_desc_t x = md[OPERAND_X], weights = md[OPERAND_W];
	dnnl_convolution_desc_t desc, back;
	dnnl_primitive_desc_t hint = NULL;
	dnnl_status_t status;
	enum err_code rc;

	/* the way there takes both rounded, though one is the result here */
	if (job->form == CONV_BF16)
		x.data_type = weights.data_type = dnnl_bf16;
	status = dnnl_dilated_convolution_forward_desc_init(
	    &desc, dnnl_forward_training, algorithm, &x, &weights, NULL,
	    &md[OPERAND_Y], w.stride, w.dilation, w.begin, w.end);
	if (!status)
		status = dnnl_primitive_desc_create(&hint, &desc, NULL,
						    recipe->engine, NULL);
	if (!status && job->kind == CONV_DATA)
		status = dnnl_dilated_convolution_backward_data_desc_init(
		    &back, algorithm, &md[OPERAND_X], &md[OPERAND_W],
		    &md[OPERAND_Y], w.stride, w.dilation, w.begin, w.end);
	else if (!status)
		status = dnnl_dilated_convolution_backward_weights_desc_init(
		    &back, algorithm, &md[OPERAND_X], &md[OPERAND_W], NULL,
		    &md[OPERAND_Y], w.stride, w.dilation, w.begin, w.end);
	rc = onednn_check(status, "a convolution's gradient", err);
	if (!rc)
		rc = recipe_offer(recipe, &back, hint, ret, err);
	if (hint)
		(void)dnnl_primitive_desc_destroy(hint);
	return rc;
}

static enum err_code add_bias(const struct conv_job *job, struct recipe *recipe,
			      struct recipe_arg *arg, struct err *err)
{
	const int64_t n = job->part.group * job->part.m;
	const struct shape shape = { 1, { n } };
	dnnl_memory_desc_t md;
	enum err_code rc = onednn_desc(&shape, NULL, &md, err);

	*arg = (struct recipe_arg){
		DNNL_ARG_BIAS,
		recipe_sliced(recipe, SLOT_IN, 2, &md,
			      job->cut == CUT_BATCH || job->cut == CUT_NONE ? 0
									    : n)
	};
	return rc;
}

/* Slots of an operand: as it lies outside, and in the primitive's form. */
struct placed {
	unsigned bound, inside;
};

/* Floats into blocks of bfloat16. One reorder that does both takes oneDNN more
 * than twice as long as one after the other; not so of weights, whose blocks
 * are of pairs: there the first is the slow one. */
static enum err_code round_operand(struct recipe *recipe, unsigned from,
				   const dnnl_memory_desc_t *want,
				   unsigned *ret_slot, struct err *err)
{
	dnnl_memory_desc_t floats = *want;
	enum err_code rc = ERR_NONE;

	floats.data_type = dnnl_f32;
	*ret_slot = from;
	if (want->format_desc.blocking.inner_nblks == 1)
		rc = recipe_reorder_in(recipe, from, &floats, ret_slot, err);
	return rc ? rc
		  : recipe_reorder_in(recipe, *ret_slot, want, ret_slot, err);
}

/* Brings operand i into the primitive's form. */
static enum err_code place_operand(const struct conv_job *job,
				   struct recipe *recipe,
				   const_dnnl_primitive_desc_t pd, unsigned i,
				   struct placed *ret, struct err *err)
{
	const struct operands o = operands_of(job);
	const struct conv_role *role = &roles[job->kind][i];
	const dnnl_memory_desc_t *form =
	    dnnl_primitive_desc_query_md(pd, role->query, 0);
	dnnl_memory_desc_t md;
	enum err_code rc = onednn_desc(&o.shape[i], o.stride[i], &md, err);

	if (rc)
		return rc;
	ret->bound = recipe_sliced(recipe, role->is_result ? SLOT_OUT : SLOT_IN,
				   role->index, &md, o.step[i]);
	if (role->is_result) {
		ret->inside = recipe_target(recipe, ret->bound, form);
		return ERR_NONE;
	}
	if (role->arg == DNNL_ARG_WEIGHTS && job->known_w)
		return recipe_pack(recipe, ret->bound, job->known_w, form,
				   &ret->inside, err);
	return job->form == CONV_BF16
		   ? round_operand(recipe, ret->bound, form, &ret->inside, err)
		   : recipe_reorder_in(recipe, ret->bound, form, &ret->inside,
				       err);
}

static enum err_code cook(const struct conv_job *job, struct recipe *recipe,
			  const_dnnl_primitive_desc_t pd, struct err *err)
{
	struct recipe_arg arg[OPERANDS + 1];
	struct placed placed[OPERANDS];
	unsigned n = OPERANDS, result = 0;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; !rc && i < OPERANDS; i++) {
		rc = place_operand(job, recipe, pd, i, &placed[i], err);
		arg[i] = (struct recipe_arg){ roles[job->kind][i].arg,
					      placed[i].inside };
		if (roles[job->kind][i].is_result)
			result = i;
	}
	if (!rc && job->has_bias)
		rc = add_bias(job, recipe, &arg[n++], err);
	if (!rc)
		rc = recipe_add(recipe, pd, arg, n, err);
	if (!rc)
		rc = recipe_reorder_out(recipe, placed[result].inside,
					placed[result].bound, err);
	return rc;
}

static enum err_code cook_convolution(const struct conv_job *job,
				      struct recipe *recipe, struct err *err)
{
	const struct operands o = operands_of(job);
	dnnl_memory_desc_t md[OPERANDS];
	dnnl_primitive_desc_t pd = NULL;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; !rc && i < OPERANDS; i++)
		rc = wanted_desc(job, &o.shape[i],
				 roles[job->kind][i].is_result, &md[i], err);
	if (!rc)
		rc = job->kind == CONV_FORWARD
			 ? offer_forward(job, recipe, md, &pd, err)
			 : offer_backward(job, recipe, md, &pd, err);
	if (!rc)
		rc = cook(job, recipe, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	return rc;
}

static enum err_code prepare(const struct kernel_query *query,
			     enum conv_kind kind, enum conv_form form,
			     struct kernel_setup *ret, struct err *err)
{
	struct recipe *recipe = NULL;
	struct conv_job job;
	enum err_code rc;

	conv_job(query, kind, form, &job);
	rc = recipe_create(job.n_slices, &recipe, err);
	if (!rc) {
		recipe_share(recipe, query);
		rc = form == CONV_PRODUCT ? conv_product_cook(&job, recipe, err)
					  : cook_convolution(&job, recipe, err);
	}
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query, enum conv_kind kind,
		   enum conv_form form)
{
	struct conv_job job;

	conv_job(query, kind, form, &job);
	return conv_job_cost(&job);
}

static bool is_best(const struct kernel_query *query, enum conv_kind kind,
		    enum conv_form form)
{
	if (form == CONV_BF16)
		return onednn_has_bf16() &&
		       round_pays(query, cost(query, kind, form));
	return conv_job_is_best(query, kind, form);
}

static bool fits(const struct kernel_query *query, enum conv_kind kind,
		 enum conv_form form)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       shape_count(&query->in[0].shape) &&
	       shape_count(&query->in[1].shape) &&
	       shape_count(&query->out[0].shape) && is_best(query, kind, form);
}

#define CONV_KERNEL(row, text, kind, form)                                   \
	static bool row##_fits(const struct kernel_query *query)             \
	{                                                                    \
		return fits(query, kind, form);                              \
	}                                                                    \
	static double row##_cost(const struct kernel_query *query)           \
	{                                                                    \
		return cost(query, kind, form);                              \
	}                                                                    \
	static enum err_code row##_prepare(const struct kernel_query *query, \
					   struct kernel_setup *ret,         \
					   struct err *err)                  \
	{                                                                    \
		return prepare(query, kind, form, ret, err);                 \
	}                                                                    \
	const struct kernel row = {                                          \
		.name = text,                                                \
		.flags = (form) == CONV_DIRECT	   ? KERNEL_SLICE_FREE       \
			 : (form) == CONV_WINOGRAD ? KERNEL_SHORTCUT         \
			 : (form) == CONV_BF16	   ? KERNEL_ROUNDS           \
						   : 0,                          \
		.fits = row##_fits,                                          \
		.cost = row##_cost,                                          \
		.prepare = row##_prepare,                                    \
		.bind = onednn_bind,                                         \
		.run = onednn_run,                                           \
		.unbind = onednn_unbind,                                     \
		.finish = onednn_finish,                                     \
	}

CONV_KERNEL(conv_onednn_bf16, "conv.dnnl.bf16", CONV_FORWARD, CONV_BF16);
CONV_KERNEL(conv_grad_data_onednn_bf16, "conv_grad_data.dnnl.bf16", CONV_DATA,
	    CONV_BF16);
CONV_KERNEL(conv_grad_weights_onednn_bf16, "conv_grad_weights.dnnl.bf16",
	    CONV_WEIGHTS, CONV_BF16);
CONV_KERNEL(conv_onednn, "conv.dnnl", CONV_FORWARD, CONV_DIRECT);
CONV_KERNEL(conv_onednn_plain, "conv.dnnl.plain", CONV_FORWARD, CONV_PLAIN);
CONV_KERNEL(conv_onednn_winograd, "conv.dnnl.winograd", CONV_FORWARD,
	    CONV_WINOGRAD);
CONV_KERNEL(conv_grad_data_onednn, "conv_grad_data.dnnl", CONV_DATA,
	    CONV_DIRECT);
CONV_KERNEL(conv_grad_data_onednn_plain, "conv_grad_data.dnnl.plain", CONV_DATA,
	    CONV_PLAIN);
CONV_KERNEL(conv_grad_data_onednn_winograd, "conv_grad_data.dnnl.winograd",
	    CONV_DATA, CONV_WINOGRAD);
CONV_KERNEL(conv_grad_weights_onednn, "conv_grad_weights.dnnl", CONV_WEIGHTS,
	    CONV_DIRECT);
CONV_KERNEL(conv_grad_weights_onednn_winograd,
	    "conv_grad_weights.dnnl.winograd", CONV_WEIGHTS, CONV_WINOGRAD);
CONV_KERNEL(conv_grad_weights_onednn_plain, "conv_grad_weights.dnnl.plain",
	    CONV_WEIGHTS, CONV_PLAIN);
CONV_KERNEL(conv_grad_weights_onednn_product, "conv_grad_weights.dnnl.product",
	    CONV_WEIGHTS, CONV_PRODUCT);
CONV_KERNEL(conv_onednn_product, "conv.dnnl.product", CONV_FORWARD,
	    CONV_PRODUCT);
