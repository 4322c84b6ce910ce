/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Watching units: the greatest value that each unit of a Relu layer gives. One
 * that gives 0 for everything is dead: it has no gradient either.
 */
#include <string.h>

#include "engine/train_step_priv.h"

unsigned train_watched(const struct graph *base, int32_t *node)
{
	unsigned n = 0;

	for (int32_t i = 0; i < base->n_node && n < TRAIN_WATCH_MAX; i++) {
		const struct op *op = base->node[i].op;

		if (!op || op->domain[0] || strcmp(op->name, "Relu") != 0)
			continue;
		if (node)
			node[n] = i;
		n++;
	}
	return n;
}

/** All axes but the units'. Of pictures the greatest of each plane is found
 * first, by an operator that is fast at it. */
static int32_t other_axes(struct build *build, unsigned rank)
{
	const unsigned units = rank == 3 ? 2 : rank < 2 ? 0 : 1;
	int64_t axes[SHAPE_MAX_RANK];
	size_t n = 0;

	for (unsigned d = 0; d < rank; d++) {
		if (d != units)
			axes[n++] = d;
	}
	return build_ints(build, axes, n);
}

enum err_code train_watch(struct train_work *work, struct err *err)
{
	static const char text[] = "m = ReduceMax<keepdims=0>(y, a)";
	static const char planes[] =
	    "m = ReduceMax<keepdims=0>(GlobalMaxPool(y), a)";
	struct build *build = &work->build;
	int32_t node[TRAIN_WATCH_MAX];
	const unsigned n = train_watched(work->graph, node);
	enum err_code rc = ERR_NONE;

	/* losses may have nodes of the kind, too */
	for (unsigned i = 0; i < n && !rc && node[i] < work->n_base_node; i++) {
		const int32_t y =
		    graph_out(work->graph, &work->graph->node[node[i]])[0];
		const unsigned rank = build_fact(build, y)->shape.rank;
		const struct build_name bound[] = {
			{ "y", y },
			{ "a", other_axes(build, rank) },
		};
		struct build_name want = { "m", VALUE_NONE };

		build_text(build, rank > 3 ? planes : text, bound, 2, NULL,
			   &want, 1);
		rc = build_check(build, err);
		if (!rc)
			rc = graph_add_output(work->graph, want.value, err);
	}
	return rc;
}
