/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The weights' gradient as one product over the whole batch:
 *   dw[m, (c, tap)] = sum over (n, o) of dy[m, (n, o)] col[(c, tap), (n, o)]
 * where col holds what each tap sees of x. A slice takes its channels out.
 */
#include "base/mem.h"
#include "engine/kernels/onednn/conv_priv.h"
#include "engine/kernels/onednn/recipe_priv.h"

/* What the gathering steps go by; the table follows it. */
struct gather {
	int64_t batch, c, n_in, n_out, n_taps;
	int64_t m, all_m; /* channels out: of the slice, of dy */
	int32_t source[]; /* [tap][output]: place in a plane of x; -1: none */
};

static void gather_columns(const void *data, unsigned slice, const void *from,
			   void *to)
{
	const struct gather *g = data;
	const float *x = from;
	float *col = to;

	(void)slice;
	for (int64_t c = 0; c < g->c; c++) {
		for (int64_t tap = 0; tap < g->n_taps; tap++) {
			const int32_t *source = g->source + tap * g->n_out;

			for (int64_t n = 0; n < g->batch; n++) {
				const float *plane =
				    x + (n * g->c + c) * g->n_in;

				for (int64_t o = 0; o < g->n_out; o++)
					*col++ = source[o] < 0
						     ? 0
						     : plane[source[o]];
			}
		}
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
			const float *plane = dy + (n * g->all_m + m) * g->n_out;

			for (int64_t o = 0; o < g->n_out; o++)
				*rows++ = plane[o];
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
	g->batch = job->whole.batch;
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

/* Slots of the product: dy's rows, columns (transposed), dw. */
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

enum err_code conv_product_cook(const struct conv_job *job,
				struct recipe *recipe, struct err *err)
{
	const struct conv *g = &job->part;
	const int64_t n = g->batch * g->window.n_out;
	const int64_t depth = g->c * g->window.n_taps;
	const struct shape rows = { 2, { g->m, n } };
	const struct shape columns = { 2, { n, depth } };
	const struct shape dw = { 2, { g->m, depth } };
	const int64_t transposed[] = { 1, n };
	struct gather *gather = gather_create(job);
	dnnl_memory_desc_t md[3];
	unsigned slot[3], x, dy;
	enum err_code rc;

	if (!gather)
		return err_set(err, ERR_NO_MEMORY, "oneDNN: out of memory");
	recipe->memory = gather;
	rc = onednn_desc(&rows, NULL, &md[0], err);
	if (!rc)
		rc = onednn_desc(&columns, transposed, &md[1], err);
	if (!rc)
		rc = onednn_desc(&dw, NULL, &md[2], err);
	if (rc)
		return rc;
	/* of the first two only the addresses count */
	dy = recipe_sliced(recipe, SLOT_IN, 0, &md[0], g->m * g->window.n_out);
	x = recipe_bound(recipe, SLOT_IN, 1, &md[1]);
	slot[0] = recipe_scratch(recipe, &md[0]);
	slot[1] = recipe_scratch(recipe, &md[1]);
	slot[2] = recipe_sliced(recipe, SLOT_OUT, 0, &md[2], g->m * depth);
	rc = recipe_add_fill(recipe, gather_rows, gather, dy, slot[0], err);
	if (!rc)
		rc = recipe_add_fill(recipe, gather_columns, gather, x, slot[1],
				     err);
	return rc ? rc : add_product(recipe, slot, err);
}
