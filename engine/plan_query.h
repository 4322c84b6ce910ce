/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan query: what a plan asks kernels about one of its nodes, the same whether
 * it chooses one, rounds before one or weighs running one twice.
 *
 * Ownership: facts live in the arena handed in. Threads: one plans at a time.
 */
#ifndef ENGINE_PLAN_QUERY_H
#define ENGINE_PLAN_QUERY_H

#include "engine/planner_priv.h"

MUST_USE enum err_code plan_query(const struct planner *p,
				  const struct graph_node *node,
				  struct arena *arena, struct kernel_query *ret,
				  struct err *err);

#endif
