/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/forest.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

struct forest {
	struct forest_node *node;
	int32_t *root;
	size_t n_roots;
	struct forest_vote *vote;
	int32_t *first_vote;
	double *member;
	bool is_plain; /* LEQ only, and NaN is no */
};

/* Places of nodes: as they were described, and as they are walked. */
struct order {
	const struct forest_plan *plan;
	struct forest *forest;
	int32_t *place; /* by old number: 1 + new number, or 0 */
	int32_t *stack; /* old numbers still to be placed */
	size_t n_stack, n_placed;
};

static void *copy(const void *from, size_t n, size_t size)
{
	void *to = mem_array(n + 1, size);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

static enum err_code check_branch(const struct order *order, int32_t branch,
				  struct err *err)
{
	const struct forest_plan *plan = order->plan;

	if (branch < 0 ? -1 - (int64_t)branch >= (int64_t)plan->n_leaves
		       : (size_t)branch >= plan->n_nodes)
		return err_set(err, ERR_INVALID,
			       "the trees have a branch to a %s that is not "
			       "there",
			       branch < 0 ? "leaf" : "node");
	if (branch >= 0 && order->place[branch])
		return err_set(err, ERR_INVALID,
			       "the trees have two branches to node %d: that "
			       "is a cycle, or no tree",
			       (int)branch);
	return ERR_NONE;
}

static enum err_code check_node(const struct forest_plan *plan,
				const struct forest_node *node, struct err *err)
{
	if (node->feature < 0 || node->feature >= plan->n_features)
		return err_set(err, ERR_SHAPE,
			       "input 'X': the trees look at column %d, but "
			       "it has %lld columns",
			       (int)node->feature, (long long)plan->n_features);
	if (node->mode >= FOREST_MODES || node->first_member < 0 ||
	    node->n_members < 0 ||
	    (size_t)node->first_member + (size_t)node->n_members >
		plan->n_members)
		return err_set(err, ERR_INVALID,
			       "the trees have a node of an unknown mode");
	return ERR_NONE;
}

/* Takes a branch to a node off the stack, or puts it there. */
static enum err_code push(struct order *order, int32_t branch, struct err *err)
{
	enum err_code rc = check_branch(order, branch, err);

	if (!rc && branch >= 0) {
		/* marked now, so that nothing else may lead here */
		order->place[branch] = INT32_MAX;
		order->stack[order->n_stack++] = branch;
	}
	return rc;
}

/* All nodes beneath those on the stack, the true branch first. */
static enum err_code place_nodes(struct order *order, struct err *err)
{
	const struct forest_plan *plan = order->plan;
	enum err_code rc = ERR_NONE;

	while (order->n_stack && !rc) {
		const int32_t old = order->stack[--order->n_stack];
		const struct forest_node *node = &plan->node[old];

		order->forest->node[order->n_placed++] = *node;
		order->place[old] = (int32_t)order->n_placed;
		rc = check_node(plan, node, err);
		if (!rc)
			rc = push(order, node->no, err);
		if (!rc)
			rc = push(order, node->yes, err);
	}
	return rc;
}

static int32_t new_branch(const struct order *order, int32_t branch)
{
	return branch < 0 ? branch : order->place[branch] - 1;
}

static enum err_code lay_out(struct order *order, struct err *err)
{
	struct forest *forest = order->forest;
	const struct forest_plan *plan = order->plan;
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < plan->n_roots && !rc; i++) {
		rc = push(order, plan->root[i], err);
		if (!rc)
			rc = place_nodes(order, err);
	}
	if (rc)
		return rc;
	for (size_t i = 0; i < plan->n_roots; i++)
		forest->root[i] = new_branch(order, plan->root[i]);
	forest->is_plain = true;
	for (size_t i = 0; i < order->n_placed; i++) {
		struct forest_node *node = &forest->node[i];

		node->yes = new_branch(order, node->yes);
		node->no = new_branch(order, node->no);
		forest->is_plain = forest->is_plain &&
				   node->mode == FOREST_LEQ &&
				   !node->nan_is_yes;
	}
	return ERR_NONE;
}

static enum err_code check_votes(const struct forest_plan *plan,
				 struct err *err)
{
	const size_t n = (size_t)plan->first_vote[plan->n_leaves];

	for (size_t i = 0; i < n; i++)
		if (plan->vote[i].target < 0 ||
		    plan->vote[i].target >= plan->n_targets)
			return err_set(err, ERR_INVALID,
				       "the trees have a leaf of target or "
				       "class %d; there are %lld",
				       (int)plan->vote[i].target,
				       (long long)plan->n_targets);
	return ERR_NONE;
}

static bool allocate(struct forest *forest, struct order *order)
{
	const struct forest_plan *plan = order->plan;
	const size_t n_votes = (size_t)plan->first_vote[plan->n_leaves];

	forest->node = mem_array(plan->n_nodes + 1, sizeof(*forest->node));
	forest->root = mem_array(plan->n_roots + 1, sizeof(*forest->root));
	forest->vote = copy(plan->vote, n_votes, sizeof(*forest->vote));
	forest->first_vote = copy(plan->first_vote, plan->n_leaves + 1,
				  sizeof(*forest->first_vote));
	forest->member =
	    copy(plan->member, plan->n_members, sizeof(*forest->member));
	order->place = mem_array(plan->n_nodes + 1, sizeof(*order->place));
	order->stack = mem_array(plan->n_nodes + 1, sizeof(*order->stack));
	return forest->node && forest->root && forest->vote &&
	       forest->first_vote && forest->member && order->place &&
	       order->stack;
}

enum err_code forest_create(const struct forest_plan *plan, struct forest **ret,
			    struct err *err)
{
	struct forest *forest = mem_zero(sizeof(*forest));
	struct order order = { .plan = plan, .forest = forest };
	enum err_code rc;

	if (!forest || !allocate(forest, &order)) {
		rc = err_set(err, ERR_NO_MEMORY, "no memory for %zu nodes",
			     plan->n_nodes);
		goto out;
	}
	rc = check_votes(plan, err);
	if (!rc)
		rc = lay_out(&order, err);
	if (rc)
		goto out;
	forest->n_roots = plan->n_roots;
	*ret = forest;
	forest = NULL;
out:
	forest_destroy(forest);
	mem_free(order.place);
	mem_free(order.stack);
	return rc;
}

void forest_destroy(struct forest *forest)
{
	if (!forest)
		return;
	mem_free(forest->node);
	mem_free(forest->root);
	mem_free(forest->vote);
	mem_free(forest->first_vote);
	mem_free(forest->member);
	mem_free(forest);
}

size_t forest_n_trees(const struct forest *forest)
{
	return forest->n_roots;
}

enum err_code forest_find_sum(const char *name, enum forest_sum *ret,
			      struct err *err)
{
	static const char *const names[FOREST_SUMS] = { "AVERAGE", "SUM", "MIN",
							"MAX" };

	for (unsigned i = 0; i < FOREST_SUMS; i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum forest_sum)i;
			return ERR_NONE;
		}
	return err_set(err, ERR_INVALID,
		       "attribute 'aggregate_function': expected AVERAGE, SUM, "
		       "MIN or MAX, got '%s'",
		       name);
}

static bool is_member(const struct forest *forest,
		      const struct forest_node *node, double x)
{
	const double *member = forest->member + node->first_member;

	for (int32_t i = 0; i < node->n_members; i++)
		if (member[i] == x)
			return true;
	return false;
}

static bool goes_yes(const struct forest *forest,
		     const struct forest_node *node, double x)
{
	if (node->nan_is_yes && isnan(x))
		return true;
	switch (node->mode) {
	case FOREST_LEQ:
		return x <= node->split;
	case FOREST_LT:
		return x < node->split;
	case FOREST_GTE:
		return x >= node->split;
	case FOREST_GT:
		return x > node->split;
	case FOREST_EQ:
		return x == node->split;
	case FOREST_NEQ:
		return x != node->split;
	default:
		return is_member(forest, node, x);
	}
}

/* The leaf that a row falls into. */
static int32_t find_leaf(const struct forest *forest, int32_t at,
			 const double *x)
{
	if (forest->is_plain) {
		while (at >= 0) {
			const struct forest_node *node = &forest->node[at];

			at = x[node->feature] <= node->split ? node->yes
							     : node->no;
		}
		return ~at;
	}
	while (at >= 0) {
		const struct forest_node *node = &forest->node[at];

		at = goes_yes(forest, node, x[node->feature]) ? node->yes
							      : node->no;
	}
	return ~at;
}

static void add_votes(const struct forest *forest, int32_t leaf,
		      const struct forest_tile *tile, int64_t row)
{
	double *score = tile->score + row * tile->n_targets;
	bool *has = tile->has_score + row * tile->n_targets;

	for (int32_t i = forest->first_vote[leaf];
	     i < forest->first_vote[leaf + 1]; i++) {
		const double weight = forest->vote[i].weight;
		const int32_t target = forest->vote[i].target;
		const bool takes = tile->sum == FOREST_MIN
				       ? weight < score[target]
				       : weight > score[target];

		if (tile->sum == FOREST_SUM || tile->sum == FOREST_AVERAGE)
			score[target] =
			    tile->is_single
				? (double)(float)(score[target] + weight)
				: score[target] + weight;
		else if (takes || !has[target])
			score[target] = weight;
		has[target] = true;
	}
}

void forest_walk(const struct forest *forest, const struct forest_tile *tile)
{
	const size_t n = (size_t)(tile->n * tile->n_targets);

	for (size_t i = 0; i < n; i++) {
		tile->score[i] = 0;
		tile->has_score[i] = false;
	}
	for (size_t t = 0; t < forest->n_roots; t++)
		for (int64_t i = 0; i < tile->n; i++)
			add_votes(forest,
				  find_leaf(forest, forest->root[t],
					    tile->x + i * tile->width),
				  tile, i);
	for (size_t i = 0; i < n && tile->sum == FOREST_AVERAGE; i++)
		tile->score[i] /= (double)forest->n_roots;
}
