/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pooling through oneDNN over plain planes: MaxPool, with Indices made from
 * the taps that oneDNN saves (a byte each), and AveragePool. Batch and channels
 * are one axis of planes, which slices cut.
 *
 * And MaxPoolBlocked of one block of all channels, also of bytes: slices cut
 * the batch.
 */
#include "engine/ops/pool.h"

#include <string.h>

#include "base/mem.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

enum { PLANES = 16, MAX_SLICES = 64, MAX_TAPS = 255 };

#define SLICE_US 40

struct job {
	struct window window;
	int64_t n_planes; /* of a slice */
	unsigned n_slices;
	bool is_max, has_indices, counts_padding;
	int64_t end[WINDOW_DIMS]; /* padding that windows reach */
};

static double cost_of(const struct job *job)
{
	const struct window *w = &job->window;
	const double in = (double)(job->n_planes * job->n_slices * w->n_in);
	const double out = (double)(job->n_planes * job->n_slices * w->n_out);

	return 1 + in * 0.35e-3 + out * (double)w->n_taps * 0.08e-3 +
	       (job->has_indices ? out * 0.8e-3 : 0);
}

static void cut_job(struct job *job, unsigned want)
{
	const double most = cost_of(job) / SLICE_US;

	if (most < want)
		want = (unsigned)most;
	job->n_slices = recipe_parts(job->n_planes, PLANES, want, MAX_SLICES);
	job->n_planes /= job->n_slices;
}

static bool job_of(const struct kernel_query *query, struct job *job)
{
	const struct pool_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	struct window *w = &job->window;

	*job = (struct job){
		.n_planes = shape_range(x, 0, 2),
		.n_slices = 1,
		.is_max = strcmp(query->op->name, "MaxPool") == 0,
		.has_indices =
		    query->n_out > 1 && query->out[1].type.elem != DTYPE_NONE,
		.counts_padding = attrs->count_include_pad != 0,
	};
	if (window_init(&attrs->window, &attrs->window.kernel_shape, x, w,
			NULL))
		return false;
	for (int i = 0; i < WINDOW_DIMS; i++)
		job->end[i] = (w->out[i] - 1) * w->stride[i] + w->kernel[i] -
			      w->in[i] - w->begin[i];
	cut_job(job, query->want_slices);
	return true;
}

/* Where oneDNN and ONNX agree: windows without gaps that reach some element,
 * and, where padding counts, no padding but the one that was asked for. */
static bool fits(const struct kernel_query *query)
{
	const struct pool_attrs *attrs = query->attrs;
	struct job job;

	if (query->in[0].type.elem != DTYPE_F32 ||
	    !shape_count(&query->out[0].shape) || !job_of(query, &job) ||
	    job.window.n_taps > MAX_TAPS || attrs->storage_order)
		return false;
	for (int i = 0; i < WINDOW_DIMS; i++) {
		const struct window *w = &job.window;

		if (w->dilation[i] > 1 || w->begin[i] >= w->kernel[i] ||
		    job.end[i] >= w->kernel[i])
			return false;
		if (job.counts_padding && job.end[i] > w->end[i])
			return false;
	}
	return true;
}

static double cost(const struct kernel_query *query)
{
	struct job job;

	return job_of(query, &job) ? cost_of(&job) : 0;
}

/* From a byte an output, its window's tap, to places in the tensor. */
struct taps {
	struct window window;
	int64_t n_planes;
	int64_t offset[]; /* of each tap, from the window's first one */
};

static void name_places(const void *data, unsigned slice, const void *from,
			void *to)
{
	const struct taps *t = data;
	const struct window *w = &t->window;
	const uint8_t *tap = from;
	int64_t *at = to;

	for (int64_t p = 0; p < t->n_planes; p++) {
		const int64_t plane = (slice * t->n_planes + p) * w->n_in;

		for (int64_t r = 0; r < w->out[0] * w->out[1]; r++) {
			const int64_t d =
			    r / w->out[1] * w->stride[0] - w->begin[0];
			const int64_t h =
			    r % w->out[1] * w->stride[1] - w->begin[1];
			const int64_t row =
			    plane + (d * w->in[1] + h) * w->in[2] - w->begin[2];

			for (int64_t j = 0; j < w->out[2]; j++)
				*at++ =
				    row + j * w->stride[2] + t->offset[*tap++];
		}
	}
}

static struct taps *taps_create(const struct job *job)
{
	const struct window *w = &job->window;
	struct taps *t =
	    mem_zero(sizeof(*t) + (size_t)w->n_taps * sizeof(t->offset[0]));

	if (!t)
		return NULL;
	t->window = *w;
	t->n_planes = job->n_planes;
	for (int64_t i = 0; i < w->n_taps; i++) {
		const int64_t plane = w->kernel[1] * w->kernel[2];

		t->offset[i] =
		    (i / plane * w->in[1] + i % plane / w->kernel[2]) *
			w->in[2] +
		    i % w->kernel[2];
	}
	return t;
}

static enum err_code offer(const struct job *job, const struct recipe *recipe,
			   const dnnl_memory_desc_t md[2],
			   dnnl_primitive_desc_t *ret, struct err *err)
{
	const struct window *w = &job->window;
	const dnnl_alg_kind_t algorithm =
	    job->is_max		  ? dnnl_pooling_max
	    : job->counts_padding ? dnnl_pooling_avg_include_padding
				  : dnnl_pooling_avg_exclude_padding;
	dnnl_dims_t stride = { 0 }, kernel = { 0 }, dilation = { 0 };
	dnnl_dims_t begin = { 0 }, end = { 0 };
	dnnl_pooling_v2_desc_t desc;
	enum err_code rc;

	for (unsigned i = 0; i < w->n; i++) {
		const unsigned k = WINDOW_DIMS - w->n + i;

		stride[i] = w->stride[k];
		kernel[i] = w->kernel[k];
		begin[i] = w->begin[k];
		end[i] = job->end[k] > 0 ? job->end[k] : 0;
	}
	rc = onednn_check(dnnl_pooling_v2_forward_desc_init(
			      &desc,
			      job->has_indices ? dnnl_forward_training
					       : dnnl_forward_inference,
			      algorithm, &md[0], &md[1], stride, kernel,
			      dilation, begin, end),
			  "pooling", err);
	return rc ? rc : recipe_offer(recipe, &desc, NULL, ret, err);
}

static struct shape planes_shape(const struct job *job, const int64_t *extent)
{
	struct shape shape = { 2, { 1, job->n_planes } };

	for (unsigned i = WINDOW_DIMS - job->window.n; i < WINDOW_DIMS; i++)
		shape.dim[shape.rank++] = extent[i];
	return shape;
}

/* The taps must lie as the outputs do, a byte each. */
static bool is_a_byte_an_output(const dnnl_memory_desc_t *ws,
				const dnnl_memory_desc_t *y)
{
	dnnl_memory_desc_t want;

	return ws &&
	       !dnnl_memory_desc_init_by_strides(
		   &want, y->ndims, y->dims, dnnl_u8,
		   y->format_desc.blocking.strides) &&
	       dnnl_memory_desc_equal(ws, &want);
}

static enum err_code add_indices(const struct job *job, struct recipe *recipe,
				 unsigned taps, struct err *err)
{
	const int64_t n = job->n_planes * job->window.n_out;
	/* as many floats as the places have bytes for */
	const struct shape shape = { 1, { 2 * n } };
	struct taps *data = taps_create(job);
	dnnl_memory_desc_t md;
	enum err_code rc;

	if (!data)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	recipe->memory = data;
	rc = onednn_desc(&shape, NULL, &md, err);
	if (rc)
		return rc;
	return recipe_add_fill(recipe, name_places, data, taps,
			       recipe_sliced(recipe, SLOT_OUT, 1, &md, 2 * n),
			       err);
}

static enum err_code cook(const struct job *job, struct recipe *recipe,
			  const dnnl_memory_desc_t md[2],
			  const_dnnl_primitive_desc_t pd, struct err *err)
{
	const struct window *w = &job->window;
	const dnnl_memory_desc_t *ws =
	    dnnl_primitive_desc_query_md(pd, dnnl_query_workspace_md, 0);
	struct recipe_arg arg[3] = {
		{ DNNL_ARG_SRC, recipe_sliced(recipe, SLOT_IN, 0, &md[0],
					      job->n_planes * w->n_in) },
		{ DNNL_ARG_DST, recipe_sliced(recipe, SLOT_OUT, 0, &md[1],
					      job->n_planes * w->n_out) },
	};
	enum err_code rc;

	if (!job->has_indices)
		return recipe_add(recipe, pd, arg, 2, err);
	if (!is_a_byte_an_output(ws, &md[1]))
		return err_set(err, ERR_UNSUPPORTED,
			       "oneDNN saves no taps for these planes");
	arg[2] = (struct recipe_arg){ DNNL_ARG_WORKSPACE,
				      recipe_scratch(recipe, ws) };
	rc = recipe_add(recipe, pd, arg, 3, err);
	return rc ? rc : add_indices(job, recipe, arg[2].slot, err);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	dnnl_primitive_desc_t pd = NULL;
	struct recipe *recipe = NULL;
	dnnl_memory_desc_t md[2];
	struct shape shape[2];
	struct job job;
	enum err_code rc;

	if (!job_of(query, &job))
		return err_set(err, ERR_INTERNAL, "oneDNN: no window");
	shape[0] = planes_shape(&job, job.window.in);
	shape[1] = planes_shape(&job, job.window.out);
	rc = recipe_create(job.n_slices, &recipe, err);
	for (unsigned i = 0; !rc && i < 2; i++)
		rc = onednn_desc(&shape[i], NULL, &md[i], err);
	if (!rc)
		rc = offer(&job, recipe, md, &pd, err);
	if (!rc)
		rc = cook(&job, recipe, md, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

/* ---- channels last ------------------------------------------------------- */

/* [N, 1, spatial..., C] as the window sees it: [N, C, spatial...] */
static struct shape last_as_first(const struct shape *x)
{
	struct shape shape = *x;

	shape.dim[1] = x->dim[x->rank - 1];
	shape.dim[--shape.rank] = 0;
	return shape;
}

static bool last_job(const struct kernel_query *query, struct job *job)
{
	const struct pool_attrs *attrs = query->attrs;
	const struct shape x = last_as_first(&query->in[0].shape);
	struct window *w = &job->window;

	*job = (struct job){ .n_planes = shape_range(&x, 0, 2),
			     .n_slices = 1,
			     .is_max = true };
	if (window_init(&attrs->window, &attrs->window.kernel_shape, &x, w,
			NULL))
		return false;
	for (int i = 0; i < WINDOW_DIMS; i++)
		job->end[i] = (w->out[i] - 1) * w->stride[i] + w->kernel[i] -
			      w->in[i] - w->begin[i];
	return true;
}

static bool last_fits(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape;
	struct job job;

	if (x->dim[1] != 1 || !shape_count(&query->out[0].shape) ||
	    !last_job(query, &job))
		return false;
	for (int i = 0; i < WINDOW_DIMS; i++)
		if (job.window.dilation[i] > 1 ||
		    job.window.begin[i] >= job.window.kernel[i] ||
		    job.end[i] >= job.window.kernel[i])
			return false;
	return true;
}

static double last_cost(const struct kernel_query *query)
{
	struct job job;
	const double size = (double)dtype_info(query->in[0].type.elem)->size;

	return last_job(query, &job) ? cost_of(&job) * size / 8 : 0;
}

static enum err_code last_desc(const struct job *job, enum dtype elem,
			       int64_t batch, const int64_t *extent,
			       dnnl_memory_desc_t *ret, struct err *err)
{
	struct shape shape = { 2, { batch, job->n_planes / batch } };
	int64_t stride[SHAPE_MAX_RANK] = { 0, 1 }, step = shape.dim[1];

	shape.dim[0] /= job->n_slices;
	for (unsigned i = WINDOW_DIMS - job->window.n; i < WINDOW_DIMS; i++)
		shape.dim[shape.rank++] = extent[i];
	for (unsigned i = shape.rank; i-- > 2;) {
		stride[i] = step;
		step *= shape.dim[i];
	}
	stride[0] = step;
	return onednn_desc_of(elem == DTYPE_U8	 ? dnnl_u8
			      : elem == DTYPE_I8 ? dnnl_s8
						 : dnnl_f32,
			      &shape, stride, ret, err);
}

static enum err_code last_cook(const struct job *job, struct recipe *recipe,
			       const dnnl_memory_desc_t md[2],
			       const_dnnl_primitive_desc_t pd, struct err *err)
{
	const int64_t planes = job->n_planes / job->n_slices;
	const struct recipe_arg arg[2] = {
		{ DNNL_ARG_SRC, recipe_sliced(recipe, SLOT_IN, 0, &md[0],
					      planes * job->window.n_in) },
		{ DNNL_ARG_DST, recipe_sliced(recipe, SLOT_OUT, 0, &md[1],
					      planes * job->window.n_out) },
	};

	return recipe_add(recipe, pd, arg, 2, err);
}

static enum err_code last_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const int64_t batch = query->in[0].shape.dim[0];
	const enum dtype elem = query->in[0].type.elem;
	dnnl_primitive_desc_t pd = NULL;
	struct recipe *recipe = NULL;
	dnnl_memory_desc_t md[2];
	struct job job;
	enum err_code rc;

	if (!last_job(query, &job))
		return err_set(err, ERR_INTERNAL, "oneDNN: no window");
	job.n_slices = recipe_parts(batch, 1, query->want_slices, MAX_SLICES);
	rc = recipe_create(job.n_slices, &recipe, err);
	if (!rc)
		rc = last_desc(&job, elem, batch, job.window.in, &md[0], err);
	if (!rc)
		rc = last_desc(&job, elem, batch, job.window.out, &md[1], err);
	if (!rc)
		rc = offer(&job, recipe, md, &pd, err);
	if (!rc)
		rc = last_cook(&job, recipe, md, pd, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

const struct kernel max_pool_last_onednn = {
	.name = "max_pool_last.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = last_fits,
	.cost = last_cost,
	.prepare = last_prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};

const struct kernel max_pool_onednn = {
	.name = "max_pool.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};

const struct kernel average_pool_onednn = {
	.name = "average_pool.dnnl",
	.flags = KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
