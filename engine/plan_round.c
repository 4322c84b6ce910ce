/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Products of rounded operands (PRODUCTS_BF16): where the kernel that a node
 * will get does not round by itself, RoundBfloat16 goes before it. So a plan
 * means the same on every machine, whatever kernels that has.
 *
 * Each node has rounded operands of its own, though others may read the same
 * values: they are there for that step alone, not from the way there to the way
 * back.
 */
#include "engine/build.h"
#include "engine/ops/round_bfloat16.h"
#include "engine/plan_query.h"

enum { OPERANDS = 2 };

/* Which kernel it is shows only when one has been prepared. */
static enum err_code rounds_itself(const struct planner *p,
				   const struct graph_node *node, bool *ret,
				   struct err *err)
{
	const bool quick = p->plan->options.quick;
	const struct kernel *kernel;
	struct kernel_setup setup;
	struct kernel_query query;
	enum err_code rc = plan_query(p, node, p->arena, &query, err);

	if (rc)
		return rc;
	kernel = kernel_choose(&query, quick);
	*ret = kernel && kernel->flags & KERNEL_ROUNDS;
	if (!*ret)
		return ERR_NONE;
	rc = kernel_prepare(&query, quick, &kernel, &setup, err);
	if (rc == ERR_NO_MEMORY)
		return rc;
	*ret = !rc && kernel->flags & KERNEL_ROUNDS;
	if (!rc && kernel->finish && setup.state)
		kernel->finish(setup.state);
	return ERR_NONE;
}

static bool is_ours(const struct planner *p, const struct graph_node *node)
{
	return node->op && round_is_product(node->op) &&
	       p->facts->fact[graph_in(p->graph, node)[0]].type.elem ==
		   DTYPE_F32;
}

static void round_operands(struct build *build, const struct planner *p,
			   int32_t number)
{
	for (int i = 0; i < OPERANDS; i++) {
		const struct graph_node *node = &p->graph->node[number];
		const int32_t x = graph_in(p->graph, node)[i];
		const int32_t edge = p->graph->node[number].first_in + i;
		const int32_t rounded = build_1(build, "RoundBfloat16", x);

		/* a failed build says so at its end */
		if (rounded != VALUE_NONE)
			p->graph->edge[edge] = rounded;
	}
}

enum err_code plan_round_products(struct planner *p, struct err *err)
{
	const int32_t n_node = p->graph->n_node;
	struct build build;
	enum err_code rc = ERR_NONE;

	build_init(&build, p->graph, p->facts);
	for (int32_t i = 0; i < n_node && !rc; i++) {
		bool does = true;

		if (is_ours(p, &p->graph->node[i]))
			rc = rounds_itself(p, &p->graph->node[i], &does, err);
		if (!rc && !does)
			round_operands(&build, p, i);
	}
	if (!rc)
		rc = build_check(&build, err);
	return rc ? rc : graph_tidy(p->graph, err);
}
