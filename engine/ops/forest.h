/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Forest: decision trees laid out flat, checked once and walked without
 * checks.
 *
 * A reader describes nodes in any order (struct forest_plan); building orders
 * them as they are walked, the true branch first, and refuses what is no
 * forest: a node that two branches lead to (so no cycles either), a number
 * that names nothing. Branches hold the number of a node, or ~number of a
 * leaf; walking ends at a leaf after at most as many steps as there are nodes.
 *
 * Ownership: create/destroy; a plan's lists belong to the reader.
 * Threads:   a forest is read only.
 */
#ifndef ENGINE_OPS_FOREST_H
#define ENGINE_OPS_FOREST_H

#include "engine/ops/ml.h"

enum forest_mode { /* as TreeEnsemble numbers them */
		   FOREST_LEQ,
		   FOREST_LT,
		   FOREST_GTE,
		   FOREST_GT,
		   FOREST_EQ,
		   FOREST_NEQ,
		   FOREST_MEMBER,
		   FOREST_MODES
};
enum { FOREST_MAX_NODES = 1 << 26 };

/** 32 bytes, two of them a cache line. */
struct forest_node {
	double split;
	int32_t feature;
	int32_t yes, no; /**< node, or ~leaf */
	uint8_t mode;	 /**< enum forest_mode */
	uint8_t nan_is_yes;
	int32_t first_member, n_members; /**< of FOREST_MEMBER */
};
/** What a leaf adds, and to which target. */
struct forest_vote {
	double weight;
	int32_t target;
};

struct forest_plan {
	struct forest_node *node;
	size_t n_nodes;
	int32_t *root; /**< node, or ~leaf */
	size_t n_roots;
	struct forest_vote *vote;
	int32_t *first_vote; /**< by leaf, n_leaves + 1 of them */
	size_t n_leaves;
	double *member;
	size_t n_members;
	int64_t n_features, n_targets; /**< what must not be reached */
};

struct forest;
MUST_USE enum err_code forest_create(const struct forest_plan *plan,
				     struct forest **ret, struct err *err);
/** NULL is fine. */
void forest_destroy(struct forest *forest);
size_t forest_n_trees(const struct forest *forest);

enum forest_sum { /* as TreeEnsemble numbers them */
		  FOREST_AVERAGE,
		  FOREST_SUM,
		  FOREST_MIN,
		  FOREST_MAX,
		  FOREST_SUMS
};
/** ERR_INVALID for an unknown name of attribute aggregate_function. */
MUST_USE enum err_code forest_find_sum(const char *name, enum forest_sum *ret,
				       struct err *err);

/** Rows that are walked together, and what they need. */
enum { FOREST_TILE = 16 };
struct forest_tile {
	const double *x; /**< rows of `width` */
	int64_t n, width;
	double *score;	 /**< rows of n_targets */
	bool *has_score; /**< the same: whether any vote came */
	int64_t n_targets;
	enum forest_sum sum;
	bool is_single; /**< sums are rounded to single precision, as float
			   inputs have them elsewhere: ties stay ties */
};
/** Scores of each row; 0 where no vote came. */
void forest_walk(const struct forest *forest, const struct forest_tile *tile);

#endif
