/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolutions as one product over all pictures of a slice, with col[(c, tap),
 * (n, o)] for what each tap sees of x:
 *   y[m, (n, o)]    = sum over (c, tap) of w[m, (c, tap)] col[(c, tap), (n, o)]
 *   dw[m, (c, tap)] = sum over (n, o) of dy[m, (n, o)] col[(c, tap), (n, o)]
 * So the weights are read once a slice, not once a picture. Slices take
 * pictures, or channels out for dw.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/onednn/conv_priv.h"
#include "engine/kernels/onednn/recipe_priv.h"

/* What the steps go by; the table follows it. */
struct gather {
	int64_t batch, c, n_in, n_out, n_taps;
	int64_t m, all_m; /* channels out: of the slice, of y */
	int32_t source[]; /* [tap][output]: place in a plane of x; -1: none */
};

/* x to col */
static void gather_columns(const void *data, unsigned slice, const void *from,
			   void *to)
{
	const struct gather *g = data;
	const float *x = from;
	float *col = to;

	(void)slice;
	for (int64_t i = 0; i < g->c * g->n_taps * g->batch; i++) {
		const int64_t n = i % g->batch, tap = i / g->batch % g->n_taps;
		const int64_t c = i / g->batch / g->n_taps;
		const int32_t *source = g->source + tap * g->n_out;
		const float *plane = x + (n * g->c + c) * g->n_in;

		for (int64_t o = 0; o < g->n_out; o++)
			*col++ = source[o] < 0 ? 0 : plane[source[o]];
	}
}

/* dy [N, M, outputs] as [M, N, outputs] */
static void gather_rows(const void *data, unsigned slice, const void *from,
			void *to)
{
	const struct gather *g = data;
	const float *dy = from;
	float *rows = to;

	(void)slice;
	for (int64_t m = 0; m < g->m; m++) {
		for (int64_t n = 0; n < g->batch; n++) {
			memcpy(rows, dy + (n * g->all_m + m) * g->n_out,
			       (size_t)g->n_out * sizeof(*rows));
			rows += g->n_out;
		}
	}
}

/* y [M, N, outputs] as [N, M, outputs] */
static void scatter_rows(const void *data, unsigned slice, const void *from,
			 void *to)
{
	const struct gather *g = data;
	const float *rows = from;
	float *y = to;

	(void)slice;
	for (int64_t m = 0; m < g->m; m++) {
		for (int64_t n = 0; n < g->batch; n++) {
			memcpy(y + (n * g->m + m) * g->n_out, rows,
			       (size_t)g->n_out * sizeof(*rows));
			rows += g->n_out;
		}
	}
}

static struct gather *gather_create(const struct conv_job *job)
{
	const struct window *w = &job->whole.window;
	const size_t n = (size_t)(w->n_taps * w->n_out);
	struct gather *g = mem_zero(sizeof(*g) + n * sizeof(g->source[0]));

	if (!g)
		return NULL;
	g->batch = job->part.batch;
	g->c = job->whole.c;
	g->n_in = w->n_in;
	g->n_out = w->n_out;
	g->n_taps = w->n_taps;
	g->m = job->part.m;
	g->all_m = job->whole.m;
	for (size_t i = 0; i < n; i++)
		g->source[i] = -1;
	for (int64_t tap = 0; tap < w->n_taps; tap++) {
		struct window_tap box;
		int64_t o, i;

		window_tap(w, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(w, &box, row, &o, &i);
			for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
				g->source[tap * w->n_out + o + j] =
				    (int32_t)(i + j * w->stride[2]);
		}
	}
	return g;
}

/* Slots of the product: left side, right side, result. */
static enum err_code add_product(struct recipe *recipe, const unsigned slot[3],
				 struct err *err)
{
	const struct recipe_arg arg[] = { { DNNL_ARG_SRC, slot[0] },
					  { DNNL_ARG_WEIGHTS, slot[1] },
					  { DNNL_ARG_DST, slot[2] } };
	dnnl_primitive_desc_t pd = NULL;
	dnnl_matmul_desc_t desc;
	enum err_code rc;

	rc =
	    onednn_check(dnnl_matmul_desc_init(&desc, &recipe->slot[slot[0]].md,
					       &recipe->slot[slot[1]].md, NULL,
					       &recipe->slot[slot[2]].md),
			 "a product", err);
	if (!rc)
		rc = recipe_offer(recipe, &desc, NULL, &pd, err);
	if (!rc)
		rc = recipe_add(recipe, pd, arg, 3, err);
	if (pd)
		(void)dnnl_primitive_desc_destroy(pd);
	return rc;
}

/* The three matrices of a product over m channels out, n places and `depth`
 * taps. */
struct matrices {
	dnnl_memory_desc_t weights, columns, rows;
};

static enum err_code matrices_of(const struct conv_job *job,
				 struct matrices *ret, struct err *err)
{
	const struct conv *g = &job->part;
	const int64_t n = g->batch * g->window.n_out;
	const int64_t depth = g->c * g->window.n_taps;
	const struct shape weights = { 2, { g->m, depth } };
	const struct shape rows = { 2, { g->m, n } };
	struct shape columns = { 2, { depth, n } };
	const int64_t transposed[] = { 1, n };
	enum err_code rc = onednn_desc(&weights, NULL, &ret->weights, err);

	/* dw wants the columns on the right, transposed */
	if (job->kind == CONV_WEIGHTS)
		columns = (struct shape){ 2, { n, depth } };
	if (!rc)
		rc = onednn_desc(&columns,
				 job->kind == CONV_WEIGHTS ? transposed : NULL,
				 &ret->columns, err);
	return rc ? rc : onednn_desc(&rows, NULL, &ret->rows, err);
}

static enum err_code cook_forward(const struct conv_job *job,
				  struct recipe *recipe,
				  const struct matrices *md, struct err *err)
{
	const struct conv *g = &job->part;
	const int64_t in = g->batch * g->c * g->window.n_in;
	const int64_t out = g->batch * g->m * g->window.n_out;
	/* of x and y only the addresses count */
	const unsigned x = recipe_sliced(recipe, SLOT_IN, 0, &md->columns, in);
	const unsigned y = recipe_sliced(recipe, SLOT_OUT, 0, &md->rows, out);
	const unsigned slot[] = {
		recipe_bound(recipe, SLOT_IN, 1, &md->weights),
		recipe_scratch(recipe, &md->columns),
		recipe_scratch(recipe, &md->rows),
	};
	enum err_code rc = recipe_add_fill(recipe, gather_columns,
					   recipe->memory, x, slot[1], err);

	if (!rc)
		rc = add_product(recipe, slot, err);
	return rc ? rc
		  : recipe_add_fill(recipe, scatter_rows, recipe->memory,
				    slot[2], y, err);
}

static enum err_code cook_weights(const struct conv_job *job,
				  struct recipe *recipe,
				  const struct matrices *md, struct err *err)
{
	const struct conv *g = &job->part;
	const int64_t depth = g->c * g->window.n_taps;
	const unsigned dy = recipe_sliced(recipe, SLOT_IN, 0, &md->rows,
					  g->m * g->window.n_out);
	const unsigned x = recipe_bound(recipe, SLOT_IN, 1, &md->columns);
	const unsigned slot[] = {
		recipe_scratch(recipe, &md->rows),
		recipe_scratch(recipe, &md->columns),
		recipe_sliced(recipe, SLOT_OUT, 0, &md->weights, g->m * depth),
	};
	enum err_code rc = recipe_add_fill(recipe, gather_rows, recipe->memory,
					   dy, slot[0], err);

	if (!rc)
		rc = recipe_add_fill(recipe, gather_columns, recipe->memory, x,
				     slot[1], err);
	return rc ? rc : add_product(recipe, slot, err);
}

enum err_code conv_product_cook(const struct conv_job *job,
				struct recipe *recipe, struct err *err)
{
	struct matrices md;
	enum err_code rc = matrices_of(job, &md, err);

	if (rc)
		return rc;
	recipe->memory = gather_create(job);
	if (!recipe->memory)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	return job->kind == CONV_FORWARD ? cook_forward(job, recipe, &md, err)
					 : cook_weights(job, recipe, &md, err);
}
