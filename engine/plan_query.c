/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_query.h"

/* Facts of some edges, side by side. */
static void gather(const struct planner *p, const int32_t *edge, int32_t n,
		   struct fact *to)
{
	for (int32_t i = 0; i < n; i++)
		if (edge[i] != VALUE_NONE)
			to[i] = p->facts->fact[edge[i]];
}

enum err_code plan_query(const struct planner *p, const struct graph_node *node,
			 struct arena *arena, struct kernel_query *ret,
			 struct err *err)
{
	const struct plan_options *options = &p->plan->options;
	const size_t n = (size_t)node->n_in + (size_t)node->n_out;
	struct fact *fact = arena_array(arena, n + 1, sizeof(*fact));

	if (!fact)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	gather(p, graph_in(p->graph, node), node->n_in, fact);
	gather(p, graph_out(p->graph, node), node->n_out, fact + node->n_in);
	*ret = (struct kernel_query){
		.op = node->op,
		.attrs = node->attrs,
		.in = fact,
		.out = fact + node->n_in,
		.n_in = (unsigned)node->n_in,
		.n_out = (unsigned)node->n_out,
		.want_slices = options->threads ? options->threads : 1,
		.numerics = options->numerics,
		.products = options->products,
		.packs = options->packs,
	};
	return ERR_NONE;
}
