/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The two ways in which ONNX lists trees, as plans of forests.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/ops/lookup.h"
#include "engine/ops/tree_ensemble.h"

size_t tree_numbers_n(const struct tree_numbers *numbers)
{
	return numbers->tensor ? (size_t)shape_count(&numbers->tensor->shape)
			       : numbers->floats.n;
}

double tree_number(const struct tree_numbers *numbers, size_t i)
{
	if (numbers->tensor)
		return ml_number(numbers->tensor->dtype, numbers->tensor->data,
				 (int64_t)i);
	return (double)numbers->floats.v[i];
}

static enum err_code check_length(const char *name, size_t n, size_t want,
				  struct err *err)
{
	if (n == want)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute '%s': expected %zu, as many as the others of "
		       "its kind, got %zu",
		       name, want, n);
}

static enum err_code check_numbers(const char *name,
				   const struct tree_numbers *numbers,
				   size_t want, struct err *err)
{
	const struct tensor_view *tensor = numbers->tensor;

	if (tensor && tensor->dtype != DTYPE_F32 && tensor->dtype != DTYPE_F64)
		return err_set(err, ERR_INVALID,
			       "attribute '%s': expected float or double, got "
			       "%s",
			       name, dtype_info(tensor->dtype)->name);
	return check_length(name, tree_numbers_n(numbers), want, err);
}

/* What reading a plan needs and frees at its end. */
struct reading {
	struct forest_plan plan;
	struct lookup *lookup; /* of keys */
	uint64_t *key;	       /* tree << 32 | node, by node */
	int32_t *leaf;	       /* by node: its leaf, or -1 */
	int32_t *count;	       /* scratch */
};

static void reading_finish(struct reading *reading)
{
	lookup_destroy(reading->lookup);
	mem_free(reading->key);
	mem_free(reading->leaf);
	mem_free(reading->count);
	mem_free(reading->plan.node);
	mem_free(reading->plan.root);
	mem_free(reading->plan.vote);
	mem_free(reading->plan.first_vote);
	mem_free(reading->plan.member);
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "no memory for the trees");
}

static enum err_code allocate(struct reading *reading, size_t n_votes,
			      struct err *err)
{
	struct forest_plan *plan = &reading->plan;

	if (plan->n_nodes > FOREST_MAX_NODES || n_votes > FOREST_MAX_NODES)
		return err_set(err, ERR_TOO_LARGE,
			       "the trees have more than %d nodes or votes",
			       FOREST_MAX_NODES);
	reading->key = mem_array(plan->n_nodes + 1, sizeof(*reading->key));
	reading->leaf = mem_array(plan->n_nodes + 1, sizeof(*reading->leaf));
	reading->count = mem_array(plan->n_nodes + 1, sizeof(*reading->count));
	plan->node = mem_array(plan->n_nodes + 1, sizeof(*plan->node));
	plan->root = mem_array(plan->n_roots + 1, sizeof(*plan->root));
	plan->vote = mem_array(n_votes + 1, sizeof(*plan->vote));
	plan->first_vote =
	    mem_array(plan->n_leaves + 2, sizeof(*plan->first_vote));
	plan->member = mem_array(plan->n_members + 1, sizeof(*plan->member));
	if (!reading->key || !reading->leaf || !reading->count || !plan->node ||
	    !plan->root || !plan->vote || !plan->first_vote || !plan->member)
		return no_memory(err);
	return ERR_NONE;
}

/* An id that fits into half a key. */
static bool fits(int64_t id)
{
	return id >= 0 && id <= INT32_MAX;
}

static int32_t small(int64_t id)
{
	return fits(id) ? (int32_t)id : -1;
}

/* ---- nodes and leaves in one list ---------------------------------------- */

static enum err_code check_votes_attrs(const struct votes_attrs *a,
				       struct err *err)
{
	const size_t n = a->treeids.n, n_votes = a->vote_treeids.n;
	enum err_code rc;

	if (!n)
		return err_set(err, ERR_INVALID,
			       "attribute 'nodes_treeids': expected at least "
			       "one node, got none");
	rc = check_length("nodes_nodeids", a->nodeids.n, n, err);
	if (!rc)
		rc = check_length("nodes_featureids", a->featureids.n, n, err);
	if (!rc)
		rc = check_length("nodes_modes", a->modes.n, n, err);
	if (!rc)
		rc = check_length("nodes_truenodeids", a->trueids.n, n, err);
	if (!rc)
		rc = check_length("nodes_falsenodeids", a->falseids.n, n, err);
	if (!rc)
		rc = check_numbers("nodes_values", &a->splits, n, err);
	if (!rc && a->nan_is_yes.n)
		rc = check_length("nodes_missing_value_tracks_true",
				  a->nan_is_yes.n, n, err);
	if (!rc)
		rc = check_length("(votes)_nodeids", a->vote_nodeids.n, n_votes,
				  err);
	if (!rc)
		rc = check_length("(votes)_ids", a->vote_ids.n, n_votes, err);
	if (!rc)
		rc =
		    check_numbers("(votes)_weights", &a->weights, n_votes, err);
	return rc;
}

static enum err_code find_mode(const struct str *text, bool *ret_is_leaf,
			       uint8_t *ret_mode, struct err *err)
{
	static const char *const names[] = { "BRANCH_LEQ", "BRANCH_LT",
					     "BRANCH_GTE", "BRANCH_GT",
					     "BRANCH_EQ",  "BRANCH_NEQ",
					     "LEAF" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (text->len != strlen(names[i]) ||
		    memcmp(text->bytes, names[i], text->len) != 0)
			continue;
		*ret_is_leaf = i == FOREST_MEMBER;
		*ret_mode = (uint8_t)(*ret_is_leaf ? FOREST_LEQ : i);
		return ERR_NONE;
	}
	return err_set(err, ERR_INVALID,
		       "attribute 'nodes_modes': expected BRANCH_LEQ, _LT, "
		       "_GTE, _GT, _EQ, _NEQ or LEAF, got '%.*s'",
		       text->len < 32 ? (int)text->len : 32, text->bytes);
}

/* Keys of all nodes, each once; those of one tree need not be neighbours. */
static enum err_code read_keys(const struct votes_attrs *a,
			       struct reading *reading, struct err *err)
{
	const size_t n = a->treeids.n;
	enum err_code rc =
	    lookup_create(DTYPE_U64, reading->key, n, &reading->lookup, err);

	for (size_t i = 0; i < n && !rc; i++) {
		const int64_t tree = a->treeids.v[i], node = a->nodeids.v[i];

		if (!fits(tree) || !fits(node))
			return err_set(err, ERR_INVALID,
				       "attributes 'nodes_treeids', "
				       "'nodes_nodeids': expected 0 to 2^31-1, "
				       "got %lld and %lld",
				       (long long)tree, (long long)node);
		reading->key[i] = (uint64_t)tree << 32 | (uint64_t)node;
		if (lookup_find(reading->lookup, &reading->key[i]) >= 0)
			return err_set(err, ERR_INVALID,
				       "attribute 'nodes_nodeids': node %lld "
				       "of tree %lld is there twice",
				       (long long)node, (long long)tree);
		lookup_add(reading->lookup, i);
	}
	return rc;
}

static int64_t find_node(const struct reading *reading, int64_t tree,
			 int64_t node)
{
	const uint64_t key = (uint64_t)tree << 32 | (uint64_t)node;

	return fits(tree) && fits(node) ? lookup_find(reading->lookup, &key)
					: -1;
}

/* A branch of node i by the id it names; INT32_MIN, which is no leaf's
 * number, where there is none. */
static int32_t branch_of(const struct votes_attrs *a,
			 const struct reading *reading, size_t i, int64_t id)
{
	const int64_t to = find_node(reading, a->treeids.v[i], id);

	if (to < 0)
		return INT32_MIN;
	return reading->leaf[to] >= 0 ? ~reading->leaf[to] : (int32_t)to;
}

static enum err_code read_modes(const struct votes_attrs *a,
				struct reading *reading, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < a->treeids.n && !rc; i++) {
		bool is_leaf = false;

		rc = find_mode(&a->modes.v[i], &is_leaf,
			       &reading->plan.node[i].mode, err);
		reading->leaf[i] =
		    is_leaf ? (int32_t)reading->plan.n_leaves++ : -1;
	}
	return rc;
}

static void read_nodes(const struct votes_attrs *a, struct reading *reading)
{
	for (size_t i = 0; i < a->treeids.n; i++) {
		struct forest_node *node = &reading->plan.node[i];

		if (reading->leaf[i] >= 0)
			continue;
		node->split = tree_number(&a->splits, i);
		node->feature = small(a->featureids.v[i]);
		node->nan_is_yes = a->nan_is_yes.n && a->nan_is_yes.v[i];
		node->yes = branch_of(a, reading, i, a->trueids.v[i]);
		node->no = branch_of(a, reading, i, a->falseids.v[i]);
	}
}

/* A tree's root is its first node. */
static enum err_code read_roots(const struct votes_attrs *a,
				struct reading *reading, struct err *err)
{
	struct forest_plan *plan = &reading->plan;
	struct lookup *seen;
	enum err_code rc =
	    lookup_create(DTYPE_I64, a->treeids.v, a->treeids.n, &seen, err);

	for (size_t i = 0; i < a->treeids.n && !rc; i++) {
		if (lookup_find(seen, &a->treeids.v[i]) >= 0)
			continue;
		lookup_add(seen, i);
		plan->root[plan->n_roots++] =
		    reading->leaf[i] >= 0 ? ~reading->leaf[i] : (int32_t)i;
	}
	if (!rc)
		lookup_destroy(seen);
	return rc;
}

/* The leaf that vote i belongs to; -1: none, and the vote has no meaning. */
static int32_t leaf_of_vote(const struct votes_attrs *a,
			    const struct reading *reading, size_t i)
{
	const int64_t node =
	    find_node(reading, a->vote_treeids.v[i], a->vote_nodeids.v[i]);

	return node < 0 ? -1 : reading->leaf[node];
}

/* Votes in the order of their leaves: counted, then put in place. */
static void read_votes(const struct votes_attrs *a, struct reading *reading)
{
	struct forest_plan *plan = &reading->plan;

	for (size_t i = 0; i < a->vote_treeids.n; i++) {
		const int32_t leaf = leaf_of_vote(a, reading, i);

		if (leaf >= 0)
			plan->first_vote[leaf + 1]++;
	}
	for (size_t i = 0; i < plan->n_leaves; i++)
		plan->first_vote[i + 1] += plan->first_vote[i];
	for (size_t i = 0; i < a->vote_treeids.n; i++) {
		const int32_t leaf = leaf_of_vote(a, reading, i);

		if (leaf < 0)
			continue;
		plan->vote[plan->first_vote[leaf] + reading->count[leaf]++] =
		    (struct forest_vote){ tree_number(&a->weights, i),
					  small(a->vote_ids.v[i]) };
	}
}

enum err_code tree_votes_forest(const struct votes_attrs *attrs,
				int64_t n_features, int64_t n_targets,
				struct forest **ret, struct err *err)
{
	struct reading reading = { .plan = { .n_nodes = attrs->treeids.n,
					     .n_features = n_features,
					     .n_targets = n_targets } };
	enum err_code rc = check_votes_attrs(attrs, err);

	if (rc)
		return rc;
	/* as many roots and leaves as nodes at most: room for that */
	reading.plan.n_roots = reading.plan.n_leaves = attrs->treeids.n;
	rc = allocate(&reading, attrs->vote_treeids.n, err);
	reading.plan.n_roots = reading.plan.n_leaves = 0;
	if (!rc)
		rc = read_modes(attrs, &reading, err);
	if (!rc)
		rc = read_keys(attrs, &reading, err);
	if (!rc)
		rc = read_roots(attrs, &reading, err);
	if (!rc) {
		read_nodes(attrs, &reading);
		read_votes(attrs, &reading);
		rc = forest_create(&reading.plan, ret, err);
	}
	reading_finish(&reading);
	return rc;
}

/* ---- nodes and leaves apart ---------------------------------------------- */

static enum err_code check_tensor(const char *name,
				  const struct tensor_view *tensor, size_t want,
				  struct err *err)
{
	if (tensor && !dtype_is_float(tensor->dtype) &&
	    !dtype_is_integer(tensor->dtype))
		return err_set(err, ERR_INVALID,
			       "attribute '%s': expected numbers, got %s", name,
			       dtype_info(tensor->dtype)->name);
	return check_length(
	    name, tensor ? (size_t)shape_count(&tensor->shape) : 0, want, err);
}

static enum err_code check_leaves_attrs(const struct leaves_attrs *a,
					struct err *err)
{
	const size_t n = a->featureids.n;
	enum err_code rc;

	rc = check_length("nodes_truenodeids", a->trueids.n, n, err);
	if (!rc)
		rc = check_length("nodes_falsenodeids", a->falseids.n, n, err);
	if (!rc)
		rc = check_length("nodes_trueleafs", a->true_leaves.n, n, err);
	if (!rc)
		rc =
		    check_length("nodes_falseleafs", a->false_leaves.n, n, err);
	if (!rc && a->nan_is_yes.n)
		rc = check_length("nodes_missing_value_tracks_true",
				  a->nan_is_yes.n, n, err);
	if (!rc)
		rc = check_tensor("nodes_modes", a->modes, n, err);
	if (!rc)
		rc = check_tensor("nodes_splits", a->splits, n, err);
	if (!rc)
		rc = check_tensor("leaf_weights", a->leaf_weights,
				  a->leaf_targets.n, err);
	if (!rc && a->members)
		rc = check_tensor("membership_values", a->members,
				  (size_t)shape_count(&a->members->shape), err);
	if (!rc && (!n || a->modes->dtype != DTYPE_U8))
		rc = err_set(err, ERR_INVALID,
			     "attribute 'nodes_modes': expected at least one "
			     "node, of uint8");
	return rc;
}

static double tensor_number(const struct tensor_view *tensor, size_t i)
{
	const size_t size = dtype_info(tensor->dtype)->size;
	double value = 0;

	dtype_convert(tensor->dtype, (const char *)tensor->data + i * size,
		      DTYPE_F64, &value, 1, true);
	return value;
}

static int32_t leaf_or_node(int64_t id, int64_t is_leaf)
{
	if (!fits(id))
		return INT32_MIN;
	return is_leaf ? ~(int32_t)id : (int32_t)id;
}

/* The next list of members, which a NaN ends. */
static enum err_code read_members(const struct leaves_attrs *a,
				  struct reading *reading,
				  struct forest_node *node, size_t *at,
				  struct err *err)
{
	const size_t first = *at, n = reading->plan.n_members;

	while (*at < n && !isnan(reading->plan.member[*at]))
		++*at;
	if (*at == n)
		return err_set(err, ERR_INVALID,
			       "attribute 'membership_values': expected as "
			       "many lists, each ended by NaN, as there are "
			       "nodes of mode 6, got %zu values",
			       a->members ? n : 0);
	node->first_member = (int32_t)first;
	node->n_members = (int32_t)(*at - first);
	++*at;
	return ERR_NONE;
}

static enum err_code read_inner(const struct leaves_attrs *a,
				struct reading *reading, struct err *err)
{
	enum err_code rc = ERR_NONE;
	size_t at = 0;

	for (size_t i = 0; i < reading->plan.n_members; i++)
		reading->plan.member[i] = tensor_number(a->members, i);
	for (size_t i = 0; i < a->featureids.n && !rc; i++) {
		struct forest_node *node = &reading->plan.node[i];

		node->split = tensor_number(a->splits, i);
		node->feature = small(a->featureids.v[i]);
		node->mode = ((const uint8_t *)a->modes->data)[i];
		node->nan_is_yes = a->nan_is_yes.n && a->nan_is_yes.v[i];
		node->yes = leaf_or_node(a->trueids.v[i], a->true_leaves.v[i]);
		node->no = leaf_or_node(a->falseids.v[i], a->false_leaves.v[i]);
		if (node->mode == FOREST_MEMBER)
			rc = read_members(a, reading, node, &at, err);
	}
	return rc;
}

/* A node whose branches are the same leaf stands for that leaf. */
static void read_leaf_roots(const struct leaves_attrs *a,
			    struct forest_plan *plan)
{
	for (size_t i = 0; i < a->roots.n; i++) {
		const int32_t root = leaf_or_node(a->roots.v[i], 0);
		const bool is_there = root >= 0 && (size_t)root < plan->n_nodes;
		const struct forest_node *node =
		    is_there ? &plan->node[root] : NULL;

		plan->root[i] = node && node->yes < 0 && node->yes == node->no
				    ? node->yes
				    : root;
	}
}

enum err_code tree_leaves_forest(const struct leaves_attrs *attrs,
				 int64_t n_features, struct forest **ret,
				 struct err *err)
{
	const struct tensor_view *members = attrs->members;
	struct reading reading = { .plan = { .n_nodes = attrs->featureids.n,
					     .n_roots = attrs->roots.n,
					     .n_leaves = attrs->leaf_targets.n,
					     .n_members =
						 members ? (size_t)shape_count(
							       &members->shape)
							 : 0,
					     .n_features = n_features,
					     .n_targets = attrs->n_targets } };
	struct forest_plan *plan = &reading.plan;
	enum err_code rc = check_leaves_attrs(attrs, err);

	if (!rc && (plan->n_members > FOREST_MAX_NODES || !plan->n_roots))
		rc = err_set(err, ERR_INVALID,
			     "attribute 'tree_roots': expected at least one "
			     "tree, got %zu",
			     plan->n_roots);
	if (!rc)
		rc = allocate(&reading, plan->n_leaves, err);
	if (!rc)
		rc = read_inner(attrs, &reading, err);
	for (size_t i = 0; i < plan->n_leaves && !rc; i++) {
		plan->first_vote[i + 1] = (int32_t)i + 1;
		plan->vote[i] =
		    (struct forest_vote){ tensor_number(attrs->leaf_weights, i),
					  small(attrs->leaf_targets.v[i]) };
	}
	if (!rc) {
		read_leaf_roots(attrs, plan);
		rc = forest_create(plan, ret, err);
	}
	reading_finish(&reading);
	return rc;
}
