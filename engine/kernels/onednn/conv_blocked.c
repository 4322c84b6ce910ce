/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Blocked values through oneDNN: direct convolution with its epilogue as
 * post-operations, and the reorders into blocks and back.
 *
 * Slices cut the batch, else channels out in whole blocks: dense parts, which
 * give the same bits as the whole.
 */
#include "engine/ops/blocked.h"

#include "engine/kernels/onednn/conv_priv.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

enum { MAX_SLICES = 16 };

#define SLICE_US 20.0
/* Per us on one thread, by width of lanes. */
#define FLOPS_8 85e3
#define FLOPS_16 230e3
#define FLOATS_PER_US 8e3 /* moved, where that is all there is to do */

struct job {
	struct conv_blocked whole, part;
	bool cuts_batch;
	unsigned n_slices;
	const void *known_w;
};

static double job_cost(const struct conv_blocked *g)
{
	const struct conv *conv = &g->conv;
	const double lanes = (double)g->lanes;
	const double full = (double)(g->out_blocks * g->lanes) /
			    (double)(conv->group * conv->m);
	double us =
	    conv_flops(conv) * full / (g->lanes == 16 ? FLOPS_16 : FLOPS_8);
	const double moved =
	    (double)conv->batch * lanes *
	    ((double)g->in_blocks * (double)conv->window.n_in +
	     (double)g->out_blocks * (double)conv->window.n_out);

	/* a channel a group: no sums over channels to share loads */
	if (conv->group > 1 && conv->c == 1)
		us *= 2;
	return 0.5 + us + moved / FLOATS_PER_US;
}

static void cut(struct job *job, unsigned want)
{
	const struct conv *conv = &job->whole.conv;
	const double most = job_cost(&job->whole) / SLICE_US;
	const bool is_deep = conv->group > 1 && conv->c == 1;
	int64_t n = job->whole.out_blocks;

	if (most < want)
		want = most < 1 ? 1 : (unsigned)most;
	job->n_slices = recipe_parts(conv->batch, 1, want, MAX_SLICES);
	job->cuts_batch = job->n_slices > 1;
	if (job->cuts_batch) {
		job->part.conv.batch /= job->n_slices;
		return;
	}
	if (conv->batch != 1 || (conv->group > 1 && !is_deep) ||
	    conv->group * conv->m % job->whole.lanes)
		return;
	job->n_slices = recipe_parts(n, 1, want, MAX_SLICES);
	job->part.out_blocks /= job->n_slices;
	if (!is_deep) {
		job->part.conv.m /= job->n_slices;
		return;
	}
	job->part.conv.group /= job->n_slices;
	job->part.in_blocks /= job->n_slices;
}

static void job_of(const struct kernel_query *query, struct job *ret)
{
	*ret = (struct job){ .n_slices = 1, .known_w = query->in[1].value };
	conv_blocked_query(query, &ret->whole);
	ret->part = ret->whole;
	cut(ret, query->want_slices);
}

static enum err_code blocked_desc(const struct shape *plain, int64_t lanes,
				  dnnl_memory_desc_t *ret, struct err *err)
{
	static const dnnl_format_tag_t tag[][2] = {
		{ dnnl_aBc8b, dnnl_aBc16b },
		{ dnnl_aBcd8b, dnnl_aBcd16b },
		{ dnnl_aBcde8b, dnnl_aBcde16b },
	};
	dnnl_dims_t dim = { 0 };

	if (plain->rank < 3 || plain->rank > 5)
		return err_set(err, ERR_UNSUPPORTED,
			       "oneDNN: no blocks of rank %u", plain->rank);
	for (unsigned i = 0; i < plain->rank; i++)
		dim[i] = plain->dim[i];
	return onednn_check(
	    dnnl_memory_desc_init_by_tag(ret, (int)plain->rank, dim, dnnl_f32,
					 tag[plain->rank - 3][lanes == 16]),
	    "a descriptor", err);
}

static bool lanes_fit(const struct shape *blocked)
{
	const int64_t lanes = blocked->dim[blocked->rank - 1];

	return blocked->rank >= 4 && blocked->rank <= 6 &&
	       (lanes == 8 || lanes == 16) && shape_count(blocked);
}

/* ---- reorders ------------------------------------------------------------ */

static enum err_code prepare_reorder(const struct shape *plain, int64_t lanes,
				     bool blocks, struct kernel_setup *ret,
				     struct err *err)
{
	struct recipe *recipe = NULL;
	dnnl_memory_desc_t in, out;
	enum err_code rc = recipe_create(1, &recipe, err);

	if (!rc)
		rc = onednn_desc(plain, NULL, blocks ? &in : &out, err);
	if (!rc)
		rc = blocked_desc(plain, lanes, blocks ? &out : &in, err);
	if (!rc) {
		const unsigned from = recipe_bound(recipe, SLOT_IN, 0, &in);
		const unsigned to = recipe_bound(recipe, SLOT_OUT, 0, &out);

		rc = recipe_reorder_out(recipe, from, to, err);
	}
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

static bool block_fits(const struct kernel_query *query)
{
	return lanes_fit(&query->out[0].shape) &&
	       shape_count(&query->in[0].shape);
}

static enum err_code block_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;

	return prepare_reorder(&query->in[0].shape, y->dim[y->rank - 1], true,
			       ret, err);
}

static bool unblock_fits(const struct kernel_query *query)
{
	return lanes_fit(&query->in[0].shape) &&
	       shape_count(&query->out[0].shape);
}

static enum err_code unblock_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;

	return prepare_reorder(&query->out[0].shape, x->dim[x->rank - 1], false,
			       ret, err);
}

static double reorder_cost(const struct kernel_query *query)
{
	return 0.3 + (double)shape_count(&query->in[0].shape) / FLOATS_PER_US;
}

/* ---- convolution --------------------------------------------------------- */

enum operand {
	OPERAND_X,
	OPERAND_W,
	OPERAND_B,
	OPERAND_Z,
	OPERAND_Y,
	OPERANDS
};

struct operand_list {
	dnnl_memory_desc_t md[OPERANDS]; /* of one slice */
	int64_t step[OPERANDS];		 /* floats from slice to slice */
};

static enum err_code describe(const struct job *job, struct operand_list *ret,
			      struct err *err)
{
	const struct conv_blocked *g = &job->part;
	const struct conv *conv = &g->conv;
	const struct shape x = onednn_conv_x(conv), y = onednn_conv_y(conv);
	const struct shape w = onednn_conv_w(conv);
	const struct shape b = { 1, { conv->group * conv->m } };
	enum err_code rc;

	rc = g->is_plain_in
		 ? onednn_desc(&x, NULL, &ret->md[OPERAND_X], err)
		 : blocked_desc(&x, g->lanes, &ret->md[OPERAND_X], err);
	if (!rc)
		rc = onednn_desc(&w, NULL, &ret->md[OPERAND_W], err);
	if (!rc)
		rc = onednn_desc(&b, NULL, &ret->md[OPERAND_B], err);
	if (!rc)
		rc = blocked_desc(&y, g->lanes, &ret->md[OPERAND_Y], err);
	ret->md[OPERAND_Z] = ret->md[OPERAND_Y];
	return rc;
}

static void step(const struct job *job, struct operand_list *list)
{
	const struct conv_blocked *g = &job->part;
	const struct conv *conv = &g->conv;
	const int64_t x =
	    g->is_plain_in ? conv->group * conv->c : g->in_blocks * g->lanes;
	const bool cuts_x = job->cuts_batch || conv->group > 1;

	if (job->n_slices == 1)
		return;
	list->step[OPERAND_X] =
	    cuts_x ? conv->batch * x * conv->window.n_in : 0;
	list->step[OPERAND_Y] =
	    conv->batch * g->out_blocks * g->lanes * conv->window.n_out;
	list->step[OPERAND_Z] = list->step[OPERAND_Y];
	if (job->cuts_batch)
		return;
	list->step[OPERAND_B] = conv->group * conv->m;
	list->step[OPERAND_W] =
	    conv->group * conv->m * conv->c * conv->window.n_taps;
}

dnnl_status_t onednn_append_epilogue(dnnl_post_ops_t ops,
				     const struct epilogue *e, float scale)
{
	const float a = (float)e->alpha, b = (float)e->beta;
	static const dnnl_alg_kind_t algorithm[EPILOGUE_N_KINDS] = {
		[EPILOGUE_RELU] = dnnl_eltwise_relu,
		[EPILOGUE_LEAKY_RELU] = dnnl_eltwise_relu,
		[EPILOGUE_CLIP] = dnnl_eltwise_clip,
		[EPILOGUE_SIGMOID] = dnnl_eltwise_logistic,
		[EPILOGUE_TANH] = dnnl_eltwise_tanh,
		[EPILOGUE_SWISH] = dnnl_eltwise_swish,
		[EPILOGUE_HARD_SWISH] = dnnl_eltwise_hardswish,
	};
	dnnl_status_t status;

	if (e->kind == EPILOGUE_NONE)
		return dnnl_success;
	if (e->kind != EPILOGUE_HARD_SIGMOID)
		return dnnl_post_ops_append_eltwise(
		    ops, scale, algorithm[e->kind],
		    e->kind == EPILOGUE_RELU ? 0 : a, b);
	status =
	    dnnl_post_ops_append_eltwise(ops, 1.0F, dnnl_eltwise_linear, a, b);
	return status ? status
		      : dnnl_post_ops_append_eltwise(
			    ops, scale, dnnl_eltwise_clip, 0.0F, 1.0F);
}

static enum err_code post_ops(const struct job *job,
			      const struct operand_list *list,
			      dnnl_post_ops_t *ret, struct err *err)
{
	dnnl_status_t status = dnnl_post_ops_create(ret);

	if (!status && job->whole.has_residual)
		status = dnnl_post_ops_append_binary(*ret, dnnl_binary_add,
						     &list->md[OPERAND_Z]);
	if (!status)
		status = onednn_append_epilogue(*ret, &job->whole.epilogue, 1);
	return onednn_check(status, "post-operations", err);
}

static enum err_code offer(const struct job *job, const struct recipe *recipe,
			   const struct operand_list *list,
			   const_dnnl_post_ops_t ops,
			   dnnl_primitive_desc_t *ret, struct err *err)
{
	const struct onednn_window w = onednn_window(&job->part.conv.window);
	const struct shape weights = onednn_conv_w(&job->part.conv);
	const struct recipe_follow follow = { .ops = ops };
	dnnl_convolution_desc_t desc;
	dnnl_memory_desc_t any;
	enum err_code rc = onednn_any(&weights, &any, err);

	if (!rc)
		rc = onednn_check(
		    dnnl_dilated_convolution_forward_desc_init(
			&desc, dnnl_forward_inference, dnnl_convolution_direct,
			&list->md[OPERAND_X], &any,
			job->whole.has_bias ? &list->md[OPERAND_B] : NULL,
			&list->md[OPERAND_Y], w.stride, w.dilation, w.begin,
			w.end),
		    "a convolution", err);
	return rc ? rc : recipe_offer_with(recipe, &desc, &follow, ret, err);
}

static enum err_code cook(const struct job *job, struct recipe *recipe,
			  const struct operand_list *list,
			  const_dnnl_primitive_desc_t pd, struct err *err)
{
	const dnnl_memory_desc_t *form =
	    dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
	struct recipe_arg arg[OPERANDS];
	unsigned n = 0, slot[OPERANDS];
	enum err_code rc;

	for (unsigned i = OPERAND_X; i < OPERAND_Y; i++)
		slot[i] = recipe_sliced(recipe, SLOT_IN, i, &list->md[i],
					list->step[i]);
	slot[OPERAND_Y] = recipe_sliced(
	    recipe, SLOT_OUT, 0, &list->md[OPERAND_Y], list->step[OPERAND_Y]);
	rc = job->known_w ? recipe_pack(recipe, slot[OPERAND_W], job->known_w,
					form, &slot[OPERAND_W], err)
			  : recipe_reorder_in(recipe, slot[OPERAND_W], form,
					      &slot[OPERAND_W], err);
	arg[n++] = (struct recipe_arg){ DNNL_ARG_SRC, slot[OPERAND_X] };
	arg[n++] = (struct recipe_arg){ DNNL_ARG_WEIGHTS, slot[OPERAND_W] };
	arg[n++] = (struct recipe_arg){ DNNL_ARG_DST, slot[OPERAND_Y] };
	if (job->whole.has_bias)
		arg[n++] =
		    (struct recipe_arg){ DNNL_ARG_BIAS, slot[OPERAND_B] };
	if (job->whole.has_residual)
		arg[n++] =
		    (struct recipe_arg){ DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) |
					     DNNL_ARG_SRC_1,
					 slot[OPERAND_Z] };
	return rc ? rc : recipe_add(recipe, pd, arg, n, err);
}

static enum err_code conv_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct operand_list list = { 0 };
	struct recipe *recipe = NULL;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_post_ops_t ops = NULL;
	struct job job;
	enum err_code rc;

	job_of(query, &job);
	rc = recipe_create(job.n_slices, &recipe, err);
	if (!rc) {
		recipe_share(recipe, query);
		rc = describe(&job, &list, err);
	}
	step(&job, &list);
	if (!rc)
		rc = post_ops(&job, &list, &ops, err);
	if (!rc)
		rc = offer(&job, recipe, &list, ops, &pd, err);
	if (!rc)
		rc = cook(&job, recipe, &list, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	if (ops)
		(void)dnnl_post_ops_destroy(ops);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

static bool conv_fits(const struct kernel_query *query)
{
	return lanes_fit(&query->out[0].shape) &&
	       shape_count(&query->in[0].shape) &&
	       shape_count(&query->in[1].shape);
}

static double conv_cost(const struct kernel_query *query)
{
	struct conv_blocked g;

	conv_blocked_query(query, &g);
	return job_cost(&g);
}

const struct kernel conv_blocked_onednn = {
	.name = "conv_blocked.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = conv_fits,
	.cost = conv_cost,
	.prepare = conv_prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
const struct kernel block_onednn = {
	.name = "block.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = block_fits,
	.cost = reorder_cost,
	.prepare = block_prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
const struct kernel unblock_onednn = {
	.name = "unblock.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = unblock_fits,
	.cost = reorder_cost,
	.prepare = unblock_prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
