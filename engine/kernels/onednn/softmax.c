/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Softmax and LogSoftmax through oneDNN, along the last axis. Slices take
 * rows.
 */
#include "engine/ops/softmax.h"

#include <string.h>

#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/onednn/recipe_priv.h"

/* Fewer elements, and our own rows are as good. */
enum { FEWEST = 1 << 14, SLICE_ELEMENTS = 1 << 15, MAX_SLICES = 64 };

struct rows {
	int64_t n, columns; /* n: of a slice */
	unsigned n_slices;
};

static struct rows rows_of(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape;
	struct rows r = { .columns = x->dim[x->rank - 1], .n_slices = 1 };
	int64_t want = shape_count(x) / SLICE_ELEMENTS;

	r.n = shape_range(x, 0, x->rank - 1);
	if (want > query->want_slices)
		want = query->want_slices;
	r.n_slices = recipe_parts(r.n, 1, want, MAX_SLICES);
	r.n /= r.n_slices;
	return r;
}

static bool fits(const struct kernel_query *query)
{
	const struct softmax_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;
	const int64_t last = (int64_t)x->rank - 1;

	return query->in[0].type.elem == DTYPE_F32 &&
	       (attrs->axis == -1 || attrs->axis == last) &&
	       shape_count(x) >= FEWEST;
}

static double cost(const struct kernel_query *query)
{
	return 0.5 + (double)shape_count(&query->in[0].shape) * 0.8e-3;
}

static enum err_code cook(const struct rows *rows, dnnl_alg_kind_t algorithm,
			  struct recipe *recipe, struct err *err)
{
	const struct shape shape = { 2, { rows->n, rows->columns } };
	const int64_t step = rows->n * rows->columns;
	dnnl_primitive_desc_t pd = NULL;
	dnnl_softmax_v2_desc_t desc;
	struct recipe_arg arg[2];
	dnnl_memory_desc_t md;
	enum err_code rc = onednn_desc(&shape, NULL, &md, err);

	if (!rc)
		rc = onednn_check(
		    dnnl_softmax_v2_forward_desc_init(
			&desc, dnnl_forward_inference, algorithm, &md, &md, 1),
		    "softmax", err);
	if (!rc)
		rc = recipe_offer(recipe, &desc, NULL, &pd, err);
	if (rc)
		return rc;
	arg[0] =
	    (struct recipe_arg){ DNNL_ARG_SRC,
				 recipe_sliced(recipe, SLOT_IN, 0, &md, step) };
	arg[1] =
	    (struct recipe_arg){ DNNL_ARG_DST, recipe_sliced(recipe, SLOT_OUT,
							     0, &md, step) };
	rc = recipe_add(recipe, pd, arg, 2, err);
	(void)dnnl_primitive_desc_destroy(pd);
	return rc;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct rows rows = rows_of(query);
	const bool is_log = strcmp(query->op->name, "LogSoftmax") == 0;
	struct recipe *recipe = NULL;
	enum err_code rc = recipe_create(rows.n_slices, &recipe, err);

	if (!rc)
		rc = cook(&rows,
			  is_log ? dnnl_softmax_log : dnnl_softmax_accurate,
			  recipe, err);
	if (rc) {
		recipe_destroy(recipe);
		return rc;
	}
	recipe_setup(recipe, ret);
	return ERR_NONE;
}

const struct kernel softmax_onednn = {
	.name = "softmax.dnnl",
	.flags = KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};

const struct kernel log_softmax_onednn = {
	.name = "log_softmax.dnnl",
	.flags = KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.bind = onednn_bind,
	.run = onednn_run,
	.unbind = onednn_unbind,
	.finish = onednn_finish,
};
