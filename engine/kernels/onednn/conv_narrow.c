/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvNarrow through oneDNN: one primitive that multiplies bytes (or bfloat16),
 * scales the sums by channel, adds what Y held before (Z), applies the epilogue
 * and rounds. The library wants such values channels last, and plain ones are
 * brought to that in scratch.
 *
 * Scales: oneDNN multiplies sums and bias by S and has none for the result. So
 * 1 / y_scale goes into S, into Z's scale and into the bounds of an epilogue
 * that is linear on each side of 0; into the last post-operation else.
 *
 * Slices cut the batch, else rows out: dense parts, of the same bits. The first
 * and the last rows may need padding, so that they have primitives of their own
 * (a recipe each).
 */
#include "engine/ops/conv_narrow.h"

#include <string.h>

#include "base/mem.h"
#include "engine/kernels/onednn/conv_priv.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

enum { MAX_SLICES = 16 };

#define SLICE_US 20.0
/* Products and sums per us on one thread, and bytes moved. */
#define FLOPS_BYTES 400e3
#define FLOPS_BF16 100e3
#define BYTES_PER_US 16e3

enum narrow_cut { NARROW_WHOLE, NARROW_BATCH, NARROW_ROWS };

struct job {
	struct conv_narrow g;
	struct conv part;
	enum narrow_cut cut;
	unsigned n_slices;
	int64_t rows; /* out, of a slice by rows */
	const void *known_w;
	const float *scale; /* S, or NULL */
	int64_t n_scales;
};

static double cost_of(const struct conv_narrow *g)
{
	const struct conv *conv = &g->conv;
	const double flops = conv_flops(conv);
	const double moved = (double)conv->batch * (double)conv->group *
			     ((double)conv->c * (double)conv->window.n_in *
				  (double)dtype_info(g->x_elem)->size +
			      (double)conv->m * (double)conv->window.n_out *
				  (double)dtype_info(g->y_elem)->size);
	double us =
	    flops / (g->x_elem == DTYPE_BF16 ? FLOPS_BF16 : FLOPS_BYTES);

	/* a channel a group: no sums over channels */
	if (conv->group > 1 && conv->c == 1)
		us *= 8;
	return 0.5 + us + moved / BYTES_PER_US;
}

/* Rows that a slice reads, of which some are padding. */
struct band {
	int64_t first, n, begin, end;
};

static struct band band_of(const struct window *w, int64_t rows, int64_t slice)
{
	const unsigned axis = WINDOW_DIMS - w->n;
	const int64_t reach = (rows - 1) * w->stride[axis] +
			      (w->kernel[axis] - 1) * w->dilation[axis] + 1;
	const int64_t at = slice * rows * w->stride[axis] - w->begin[axis];
	const int64_t low = at > 0 ? at : 0;
	const int64_t high =
	    at + reach < w->in[axis] ? at + reach : w->in[axis];

	return (struct band){ low, high - low, low - at, at + reach - high };
}

/* Only the first and the last slice meet padding, and no row is all of it. */
static bool bands_fit(const struct window *w, int64_t rows, unsigned n)
{
	const struct band first = band_of(w, rows, 0);
	const struct band second = band_of(w, rows, 1);
	const struct band before = band_of(w, rows, (int64_t)n - 2);
	const struct band last = band_of(w, rows, (int64_t)n - 1);

	return first.n > 0 && last.n > 0 && (n == 2 || !second.begin) &&
	       !last.begin && !first.end && (n == 2 || !before.end);
}

static void cut(struct job *job, unsigned want)
{
	const struct window *w = &job->g.conv.window;
	const int64_t n_rows = w->out[WINDOW_DIMS - w->n];
	const double most = cost_of(&job->g) / SLICE_US;
	unsigned n;

	if (most < want)
		want = most < 1 ? 1 : (unsigned)most;
	job->n_slices = recipe_parts(job->part.batch, 1, want, MAX_SLICES);
	if (job->n_slices > 1) {
		job->cut = NARROW_BATCH;
		job->part.batch /= job->n_slices;
		return;
	}
	if (job->part.batch != 1 || !job->g.x_last || !job->g.y_last)
		return;
	n = recipe_parts(n_rows, 1, want, MAX_SLICES);
	if (n == 1 || !bands_fit(w, n_rows / n, n))
		return;
	job->cut = NARROW_ROWS;
	job->n_slices = n;
	job->rows = n_rows / n;
}

/* The part that slices from number `slice` on have. */
static void take_band(struct job *job, unsigned slice)
{
	const struct band band = band_of(&job->g.conv.window, job->rows, slice);
	struct window *w = &job->part.window;
	const unsigned axis = WINDOW_DIMS - w->n;

	w->out[axis] = job->rows;
	w->in[axis] = band.n;
	w->begin[axis] = band.begin;
	w->end[axis] = band.end;
	w->n_out = w->out[0] * w->out[1] * w->out[2];
	w->n_in = w->in[0] * w->in[1] * w->in[2];
}

static void job_of(const struct kernel_query *query, struct job *ret)
{
	const struct fact *s = &query->in[CONV_NARROW_S];

	*ret = (struct job){ .n_slices = 1,
			     .known_w = query->in[CONV_NARROW_W].value };
	conv_narrow_query(query, &ret->g);
	ret->part = ret->g.conv;
	if (query->n_in > CONV_NARROW_S && s->type.elem != DTYPE_NONE) {
		ret->scale = s->value;
		ret->n_scales = shape_count(&s->shape);
	}
	cut(ret, query->want_slices);
}

/* ---- operands ------------------------------------------------------------ */

struct operand_list {
	dnnl_memory_desc_t x, w, b, y, z;
	dnnl_memory_desc_t x_last, y_last; /* as the primitive has them */
	int64_t x_step, y_step;
	size_t x_first, y_first; /* bytes before the first slice */
};

static dnnl_data_type_t type_of(enum dtype elem)
{
	switch (elem) {
	case DTYPE_U8:
		return dnnl_u8;
	case DTYPE_I8:
		return dnnl_s8;
	case DTYPE_BF16:
		return dnnl_bf16;
	default:
		return dnnl_f32;
	}
}

/* Strides of a shape whose channels, on axis 1, lie next to each other. */
static void last_strides(const struct shape *shape, int64_t *stride)
{
	int64_t step = shape->dim[1];

	for (unsigned i = shape->rank; i-- > 2;) {
		stride[i] = step;
		step *= shape->dim[i];
	}
	stride[1] = 1;
	stride[0] = step;
}

static enum err_code describe_image(enum dtype elem, const struct shape *shape,
				    bool is_last, dnnl_memory_desc_t *ret,
				    dnnl_memory_desc_t *ret_last,
				    struct err *err)
{
	int64_t stride[SHAPE_MAX_RANK];
	enum err_code rc;

	last_strides(shape, stride);
	rc = onednn_desc_of(type_of(elem), shape, stride, ret_last, err);
	return rc ? rc
		  : onednn_desc_of(type_of(elem), shape,
				   is_last ? stride : NULL, ret, err);
}

static enum err_code describe(const struct job *job, struct operand_list *ret,
			      struct err *err)
{
	const struct conv_narrow *g = &job->g;
	const struct conv *part = &job->part;
	const struct shape x = onednn_conv_x(part), y = onednn_conv_y(part);
	const struct shape w = onednn_conv_w(part);
	const struct shape b = { 1, { part->group * part->m } };
	const bool is_bf16 = g->x_elem == DTYPE_BF16;
	dnnl_memory_desc_t unused;
	enum err_code rc = describe_image(g->x_elem, &x, g->x_last, &ret->x,
					  &ret->x_last, err);

	if (!rc)
		rc = describe_image(g->y_elem, &y, g->y_last, &ret->y,
				    &ret->y_last, err);
	if (!rc && g->has_sum)
		rc = describe_image(g->z_elem, &y, g->y_last, &ret->z, &unused,
				    err);
	if (!rc)
		rc = onednn_desc_of(is_bf16 ? dnnl_bf16 : dnnl_s8, &w, NULL,
				    &ret->w, err);
	return rc ? rc : onednn_desc(&b, NULL, &ret->b, err);
}

/* Where slices begin, from number `first` on. */
static void step(const struct job *job, unsigned first,
		 struct operand_list *list)
{
	const struct conv *part = &job->part;
	const struct window *w = &part->window;
	const unsigned axis = WINDOW_DIMS - w->n;
	const int64_t c = part->group * part->c, m = part->group * part->m;
	const int64_t row = c * (w->n_in / w->in[axis]);

	if (job->cut == NARROW_WHOLE)
		return;
	list->y_step = part->batch * m * w->n_out;
	list->x_step = part->batch * c * w->n_in;
	if (job->cut == NARROW_BATCH)
		return;
	list->x_step = job->rows * w->stride[axis] * row;
	list->y_first = (size_t)(first * list->y_step);
	list->x_first =
	    (size_t)(band_of(&job->g.conv.window, job->rows, first).first *
		     row) *
	    dtype_info(job->g.x_elem)->size;
}

/* ---- what follows the sums ----------------------------------------------- */

static bool is_scale_free(const struct epilogue *e)
{
	return e->kind == EPILOGUE_NONE || e->kind == EPILOGUE_RELU ||
	       e->kind == EPILOGUE_LEAKY_RELU || e->kind == EPILOGUE_CLIP;
}

/* f: what sums are multiplied by beside S, so that nothing else need be. */
static float early_factor(const struct job *job)
{
	return is_scale_free(&job->g.epilogue) ? (float)(1 / job->g.y_scale)
					       : 1;
}

static enum err_code post_ops(const struct job *job, dnnl_post_ops_t *ret,
			      struct err *err)
{
	const struct conv_narrow *g = &job->g;
	const float early = early_factor(job);
	const bool is_wide = g->y_elem == DTYPE_F32;
	struct epilogue e = g->epilogue;
	dnnl_status_t status = dnnl_post_ops_create(ret);

	if (e.kind == EPILOGUE_CLIP) {
		e.alpha *= (double)early;
		e.beta *= (double)early;
	}
	/* a wide Z was scaled when it was laid into Y */
	if (!status && g->has_sum)
		status = dnnl_post_ops_append_sum_v2(
		    *ret, is_wide ? 1 : early * (float)g->z_scale,
		    is_wide ? dnnl_f32 : type_of(g->z_elem));
	if (!status)
		status = onednn_append_epilogue(
		    *ret, &e, is_scale_free(&e) ? 1 : (float)(1 / g->y_scale));
	return onednn_check(status, "post-operations", err);
}

/* Scales of the sums, by channel or one; n 0: all are 1. */
static enum err_code scales(const struct job *job, float **ret, int64_t *ret_n,
			    struct err *err)
{
	const float early = early_factor(job);
	const int64_t n = job->scale ? job->n_scales : 1;
	float *scale = mem_array((size_t)n, sizeof(*scale));

	if (!scale)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	for (int64_t i = 0; i < n; i++)
		scale[i] = (job->scale ? job->scale[i] : 1) * early;
	*ret = scale;
	*ret_n = n == 1 && scale[0] == 1 ? 0 : n;
	return ERR_NONE;
}

static enum err_code offer(const struct job *job, const struct recipe *recipe,
			   const struct operand_list *list,
			   dnnl_primitive_desc_t *ret, struct err *err)
{
	const struct onednn_window w = onednn_window(&job->part.window);
	const struct shape weights = onednn_conv_w(&job->part);
	struct recipe_follow follow = { 0 };
	dnnl_convolution_desc_t desc;
	dnnl_post_ops_t ops = NULL;
	dnnl_memory_desc_t any;
	float *scale = NULL;
	enum err_code rc;

	rc = onednn_any_of(list->w.data_type, &weights, &any, err);
	if (!rc)
		rc = onednn_check(
		    dnnl_dilated_convolution_forward_desc_init(
			&desc, dnnl_forward_inference, dnnl_convolution_direct,
			&list->x_last, &any, job->g.has_bias ? &list->b : NULL,
			&list->y_last, w.stride, w.dilation, w.begin, w.end),
		    "a convolution", err);
	if (!rc)
		rc = post_ops(job, &ops, err);
	if (!rc)
		rc = scales(job, &scale, &follow.n_scales, err);
	follow.ops = ops;
	follow.scale = scale;
	follow.x_zero = job->g.x_zero;
	follow.y_zero = job->g.y_zero;
	if (!rc)
		rc = recipe_offer_with(recipe, &desc, &follow, ret, err);
	if (ops)
		(void)dnnl_post_ops_destroy(ops);
	mem_free(scale);
	return rc;
}

/* ---- the recipe ---------------------------------------------------------- */

static void lay(const void *data, unsigned slice, const void *from, void *to)
{
	(void)slice;
	if (from != to)
		memcpy(to, from, *(const size_t *)data);
}

/* Z becomes what Y holds before. */
static enum err_code lay_down(const struct job *job, struct recipe *recipe,
			      const struct operand_list *list, unsigned y,
			      struct err *err)
{
	const unsigned z = recipe_sliced(recipe, SLOT_IN, CONV_NARROW_Z,
					 &list->z, list->y_step);
	size_t *bytes;

	recipe->slot[z].offset =
	    list->y_first * dtype_info(job->g.z_elem)->size;

	if (job->g.y_elem == DTYPE_F32 && job->g.z_elem != DTYPE_F32)
		return recipe_reorder_scaled(recipe, z, y,
					     (float)job->g.z_scale, err);
	bytes = mem_zero(sizeof(*bytes));
	if (!bytes)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	*bytes = dnnl_memory_desc_get_size(&list->z);
	recipe->memory = bytes;
	return recipe_add_fill(recipe, lay, bytes, z, y, err);
}

static enum err_code cook(const struct job *job, struct recipe *recipe,
			  const struct operand_list *list,
			  const_dnnl_primitive_desc_t pd, struct err *err)
{
	const dnnl_memory_desc_t *form =
	    dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
	unsigned x = recipe_sliced(recipe, SLOT_IN, CONV_NARROW_X, &list->x,
				   list->x_step);
	unsigned w = recipe_bound(recipe, SLOT_IN, CONV_NARROW_W, &list->w);
	const unsigned y =
	    recipe_sliced(recipe, SLOT_OUT, 0, &list->y, list->y_step);
	const unsigned made = recipe_target(recipe, y, &list->y_last);
	struct recipe_arg arg[4] = { { DNNL_ARG_DST, made } };
	enum err_code rc;

	recipe->slot[x].offset = list->x_first;
	recipe->slot[y].offset =
	    list->y_first * dtype_info(job->g.y_elem)->size;
	rc = recipe_reorder_in(recipe, x, &list->x_last, &x, err);
	if (!rc)
		rc = job->known_w
			 ? recipe_pack(recipe, w, job->known_w, form, &w, err)
			 : recipe_reorder_in(recipe, w, form, &w, err);
	if (!rc && job->g.has_sum)
		rc = lay_down(job, recipe, list, made, err);
	if (rc)
		return rc;
	arg[1] = (struct recipe_arg){ DNNL_ARG_SRC, x };
	arg[2] = (struct recipe_arg){ DNNL_ARG_WEIGHTS, w };
	if (job->g.has_bias)
		arg[3] = (struct recipe_arg){
			DNNL_ARG_BIAS,
			recipe_bound(recipe, SLOT_IN, CONV_NARROW_B, &list->b)
		};
	rc = recipe_add(recipe, pd, arg, job->g.has_bias ? 4 : 3, err);
	return rc ? rc : recipe_reorder_out(recipe, made, y, err);
}

/* The recipe of n slices from number `first` on. */
static enum err_code make(struct job *job, const struct kernel_query *query,
			  unsigned first, unsigned n,
			  struct recipe **ret_recipe, struct err *err)
{
	struct operand_list list = { 0 };
	struct recipe *recipe = NULL;
	dnnl_primitive_desc_t pd = NULL;
	enum err_code rc = recipe_create(n, &recipe, err);

	if (job->cut == NARROW_ROWS)
		take_band(job, first);
	if (!rc) {
		recipe_share(recipe, query);
		rc = describe(job, &list, err);
	}
	step(job, first, &list);
	if (!rc)
		rc = offer(job, recipe, &list, &pd, err);
	if (!rc)
		rc = cook(job, recipe, &list, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	if (rc)
		recipe_destroy(recipe);
	else
		*ret_recipe = recipe;
	return rc;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct recipe *recipe = NULL, *next;
	struct job job;
	unsigned n, from;
	enum err_code rc;

	job_of(query, &job);
	n = job.n_slices;
	if (job.cut != NARROW_ROWS) {
		rc = make(&job, query, 0, n, &recipe, err);
	} else {
		/* the last rows, those between, the first */
		rc = make(&job, query, n - 1, 1, &recipe, err);
		from = n > 2 ? 1 : 0;
		for (unsigned have = n - 1; !rc && have > 0; from = 0) {
			rc = make(&job, query, from, have - from, &next, err);
			if (rc)
				break;
			next->next = recipe;
			recipe = next;
			have = from;
		}
	}
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

/* Without VNNI, and beside any x (onednn.h). */
static bool weights_are_exact(const struct kernel_query *query)
{
	const struct fact *w = &query->in[CONV_NARROW_W];
	const bool halves = query->in[CONV_NARROW_X].type.elem == DTYPE_I8;
	const int most = halves ? 2 * ONEDNN_WEIGHT_MAX : ONEDNN_WEIGHT_MAX;
	const int8_t *v = w->value;
	const int64_t n = shape_count(&w->shape);

	if (onednn_has_bytes() || w->type.elem == DTYPE_BF16)
		return true;
	for (int64_t i = 0; v && i < n; i++)
		if (v[i] < -most || v[i] > most || (halves && v[i] % 2))
			return false;
	return v;
}

static bool fits(const struct kernel_query *query)
{
	const struct fact *s = &query->in[CONV_NARROW_S];

	struct conv_narrow g;

	conv_narrow_query(query, &g);
	/* Z is laid into Y as it is: not by a reorder, which would saturate */
	if (g.has_sum && !g.y_last && g.y_elem != DTYPE_F32)
		return false;
	return weights_are_exact(query) &&
	       shape_count(&query->in[CONV_NARROW_X].shape) &&
	       shape_count(&query->in[CONV_NARROW_W].shape) &&
	       (query->n_in <= CONV_NARROW_S || s->type.elem == DTYPE_NONE ||
		s->value);
}

static double cost(const struct kernel_query *query)
{
	struct conv_narrow g;

	conv_narrow_query(query, &g);
	return cost_of(&g);
}

const struct kernel conv_narrow_onednn = {
	.name = "conv_narrow.dnnl",
	.flags = KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
