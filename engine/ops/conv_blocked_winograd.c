/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution of blocked values by Winograd's method
 * (engine/kernels/winograd.h): windows of 3 x 3 with stride 1 whose weights are
 * known, where that is predicted to be faster than the direct way. A shortcut:
 * sums are other sums.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/winograd.h"
#include "engine/ops/blocked.h"
#include "engine/pack.h"

enum {
	MAX_PARTS = 64,
	/* begins what the weights' form is told by, unlike any other kernel's
	 */
	FORM_WINOGRAD = 0x57494e4f,
};

#define PART_US 20.0

struct state {
	struct winograd plan;
	struct conv_blocked g;
	struct winograd_values values; /* addresses come with the call */
	struct blocked_follow follow;
	struct pack *u;
};

static bool is_3x3(const struct window *w)
{
	if (w->n != 2)
		return false;
	for (unsigned i = 1; i < WINDOW_DIMS; i++)
		if (w->kernel[i] != 3 || w->stride[i] != 1 ||
		    w->dilation[i] != 1)
			return false;
	return true;
}

/* False: the method cannot. */
static bool plan_of(const struct kernel_query *query, struct conv_blocked *g,
		    struct winograd *ret, unsigned want)
{
	const struct conv *conv = &g->conv;

	conv_blocked_query(query, g);
	if (!query->in[1].value || g->is_plain_in || conv->group != 1 ||
	    !is_3x3(&conv->window) || (g->lanes != 8 && g->lanes != 16) ||
	    !shape_count(&query->in[0].shape) ||
	    !shape_count(&query->out[0].shape) || !blocked_keeps_lanes(g))
		return false;
	*ret = (struct winograd){
		.batch = conv->batch,
		.c = conv->c,
		.m = conv->m,
		.in = { conv->window.in[1], conv->window.in[2] },
		.out = { conv->window.out[1], conv->window.out[2] },
		.begin = { conv->window.begin[1], conv->window.begin[2] },
		.lanes = (unsigned)g->lanes,
	};
	return winograd_plan(ret, want);
}

static bool fits(const struct kernel_query *query)
{
	struct conv_blocked g;
	struct winograd plan;

	return plan_of(query, &g, &plan, 1) && winograd_is_fast(&plan) &&
	       (query->any || winograd_cost(&plan) <
				  kernel_cost(&conv_blocked_onednn, query));
}

static double cost(const struct kernel_query *query)
{
	struct conv_blocked g;
	struct winograd plan;

	return plan_of(query, &g, &plan, 1) ? winograd_cost(&plan)
					    : (double)INFINITY;
}

static bool follow(struct state *state)
{
	struct winograd_values *values = &state->values;

	if (!blocked_follow(&state->g.epilogue, &state->follow))
		return false;
	values->low = state->follow.low;
	values->high = state->follow.high;
	/* cppcheck-suppress assignBoolToPointer */
	values->finish = state->follow.finish;
	values->numbers = state->follow.numbers;
	return true;
}

static unsigned parts(const struct kernel_query *query)
{
	const double most = cost(query) / PART_US;
	unsigned want = query->want_slices;

	if (want > MAX_PARTS)
		want = MAX_PARTS;
	return want < most ? want : (unsigned)most;
}

static enum err_code transform(const void *plan, const void *w, void *u,
			       struct err *err)
{
	(void)err;
	winograd_transform(plan, w, u);
	return ERR_NONE;
}

/* The same form for any batch, plane and number of slices. */
static enum err_code pack(const struct kernel_query *query, struct state *state,
			  struct err *err)
{
	const struct winograd *plan = &state->plan;
	const int64_t form[] = { FORM_WINOGRAD, plan->size, plan->lanes,
				 plan->c, plan->m };
	const struct pack_wish wish = {
		.plain = query->in[1].value,
		.plain_bytes = tensor_bytes(DTYPE_F32, &query->in[1].shape),
		.form = form,
		.form_bytes = sizeof(form),
		.bytes = winograd_weights(plan),
		.make = transform,
		.data = plan,
	};
	const enum err_code rc = pack_get(query->packs, &wish, &state->u, err);

	if (!rc)
		state->values.u = pack_bytes(state->u);
	return rc;
}

static void finish(void *data)
{
	struct state *state = data;

	if (state)
		pack_put(state->u);
	mem_free(state);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct state *state = mem_zero(sizeof(*state));
	enum err_code rc = ERR_NONE;

	if (!state)
		return err_set(err, ERR_NO_MEMORY, "conv: out of memory");
	if (!plan_of(query, &state->g, &state->plan, 1) || !follow(state)) {
		rc = err_set(err, ERR_UNSUPPORTED,
			     "conv: not by Winograd's method");
		goto out;
	}
	(void)winograd_plan(&state->plan, parts(query));
	rc = pack(query, state, err);
	if (rc)
		goto out;
	ret->scratch_bytes = winograd_scratch(&state->plan);
	ret->n_slices = state->plan.tile_parts * state->plan.group_parts;
	ret->pack_bytes = pack_size(state->u);
	ret->state = state;
	state = NULL; /* handed over */
out:
	finish(state);
	return rc;
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct state *state = call->state;
	struct winograd_values values = state->values;

	values.x = call->in[0];
	values.bias = state->g.has_bias ? call->in[2] : NULL;
	values.z = state->g.has_residual ? call->in[3] : NULL;
	values.y = call->out[0];
	winograd_run(&state->plan, &values, slice, scratch);
}

const struct kernel conv_blocked_winograd = {
	.name = "conv_blocked.winograd",
	.flags = KERNEL_SLICE_FREE | KERNEL_SHORTCUT,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = finish,
};
