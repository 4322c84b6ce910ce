/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of the operators of trees: nodes, leaves and their votes as lists.
 */
#include <stddef.h>

#include "engine/ops/tree_ensemble.h"

#define AT(member) .offset = offsetof(struct votes_attrs, member)
#define NODE_ROWS                                                         \
	{ .name = "nodes_treeids",                                        \
	  .kind = ATTR_INTS,                                              \
	  AT(treeids),                                                    \
	  .help = "tree of each node" },                                  \
	    { .name = "nodes_nodeids",                                    \
	      .kind = ATTR_INTS,                                          \
	      AT(nodeids),                                                \
	      .help = "its number in that tree" },                        \
	    { .name = "nodes_featureids",                                 \
	      .kind = ATTR_INTS,                                          \
	      AT(featureids),                                             \
	      .help = "the column it looks at" },                         \
	    { .name = "nodes_modes",                                      \
	      .kind = ATTR_STRINGS,                                       \
	      AT(modes),                                                  \
	      .help = "BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF" },  \
	    { .name = "nodes_values",                                     \
	      .kind = ATTR_FLOATS,                                        \
	      AT(splits.floats),                                          \
	      .help = "what the column is compared with" },               \
	    { .name = "nodes_values_as_tensor",                           \
	      .kind = ATTR_TENSOR,                                        \
	      AT(splits.tensor),                                          \
	      .help = "the same in double" },                             \
	    { .name = "nodes_truenodeids",                                \
	      .kind = ATTR_INTS,                                          \
	      AT(trueids),                                                \
	      .help = "the node that follows where it holds" },           \
	    { .name = "nodes_falsenodeids",                               \
	      .kind = ATTR_INTS,                                          \
	      AT(falseids),                                               \
	      .help = "the node that follows where it does not" },        \
	    { .name = "nodes_missing_value_tracks_true",                  \
	      .kind = ATTR_INTS,                                          \
	      AT(nan_is_yes),                                             \
	      .help = "1: it holds for NaN" },                            \
	    { .name = "nodes_hitrates",                                   \
	      .kind = ATTR_FLOATS,                                        \
	      AT(hitrates.floats),                                        \
	      .help = "how often it is met; not looked at" },             \
	    { .name = "nodes_hitrates_as_tensor",                         \
	      .kind = ATTR_TENSOR,                                        \
	      AT(hitrates.tensor),                                        \
	      .help = "the same in double" },                             \
	    { .name = "base_values",                                      \
	      .kind = ATTR_FLOATS,                                        \
	      AT(base.floats),                                            \
	      .help = "added to each score" },                            \
	    { .name = "base_values_as_tensor",                            \
	      .kind = ATTR_TENSOR,                                        \
	      AT(base.tensor),                                            \
	      .help = "the same in double" },                             \
	{                                                                 \
		.name = "post_transform", .kind = ATTR_STRING,            \
		AT(post_transform), .def_text = "NONE",                   \
		.help = "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT" \
	}
#define VOTE_ROWS(kind_of)                                                 \
	{ .name = kind_of "_treeids",                                      \
	  .kind = ATTR_INTS,                                               \
	  AT(vote_treeids),                                                \
	  .help = "tree of each vote" },                                   \
	    { .name = kind_of "_nodeids",                                  \
	      .kind = ATTR_INTS,                                           \
	      AT(vote_nodeids),                                            \
	      .help = "its leaf" },                                        \
	    { .name = kind_of "_ids",                                      \
	      .kind = ATTR_INTS,                                           \
	      AT(vote_ids),                                                \
	      .help = "what it votes for" },                               \
	    { .name = kind_of "_weights",                                  \
	      .kind = ATTR_FLOATS,                                         \
	      AT(weights.floats),                                          \
	      .help = "with how much" },                                   \
	{                                                                  \
		.name = kind_of "_weights_as_tensor", .kind = ATTR_TENSOR, \
		AT(weights.tensor), .help = "the same in double"           \
	}

const struct op_attr tree_classifier_attrs[] = {
	NODE_ROWS,
	VOTE_ROWS("class"),
	{ .name = "classlabels_int64s",
	  .kind = ATTR_INTS,
	  AT(labels.ints),
	  .help = "labels of the classes" },
	{ .name = "classlabels_strings",
	  .kind = ATTR_STRINGS,
	  AT(labels.strings),
	  .help = "labels of the classes" },
	{ 0 },
};
const struct op_attr tree_regressor_attrs[] = {
	NODE_ROWS,
	VOTE_ROWS("target"),
	{ .name = "n_targets",
	  .kind = ATTR_INT,
	  AT(n_targets),
	  .min = 1,
	  .max = INT32_MAX,
	  .def = 1,
	  .help = "numbers a row gives" },
	{ .name = "aggregate_function",
	  .kind = ATTR_STRING,
	  AT(aggregate_function),
	  .def_text = "SUM",
	  .help = "AVERAGE, SUM, MIN or MAX" },
	{ 0 },
};
#undef AT
#define AT(member) .offset = offsetof(struct leaves_attrs, member)
const struct op_attr tree_ensemble_attrs[] = {
	{ .name = "tree_roots",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(roots),
	  .help = "root of each tree" },
	{ .name = "nodes_featureids",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(featureids),
	  .help = "the column a node looks at" },
	{ .name = "nodes_modes",
	  .kind = ATTR_TENSOR,
	  .flags = ATTR_REQUIRED,
	  AT(modes),
	  .help = "0 to 6: <=, <, >=, >, ==, !=, is a member" },
	{ .name = "nodes_splits",
	  .kind = ATTR_TENSOR,
	  .flags = ATTR_REQUIRED,
	  AT(splits),
	  .help = "what the column is compared with" },
	{ .name = "nodes_truenodeids",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(trueids),
	  .help = "node or leaf that follows where it holds" },
	{ .name = "nodes_falsenodeids",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(falseids),
	  .help = "node or leaf that follows where it does not" },
	{ .name = "nodes_trueleafs",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(true_leaves),
	  .help = "1: a leaf follows where it holds" },
	{ .name = "nodes_falseleafs",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(false_leaves),
	  .help = "1: a leaf follows where it does not" },
	{ .name = "nodes_missing_value_tracks_true",
	  .kind = ATTR_INTS,
	  AT(nan_is_yes),
	  .help = "1: it holds for NaN" },
	{ .name = "nodes_hitrates",
	  .kind = ATTR_TENSOR,
	  AT(hitrates),
	  .help = "how often a node is met; not looked at" },
	{ .name = "leaf_targetids",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  AT(leaf_targets),
	  .help = "what a leaf adds to" },
	{ .name = "leaf_weights",
	  .kind = ATTR_TENSOR,
	  .flags = ATTR_REQUIRED,
	  AT(leaf_weights),
	  .help = "what it adds" },
	{ .name = "membership_values",
	  .kind = ATTR_TENSOR,
	  AT(members),
	  .help = "members of each node of mode 6, each list ended by NaN" },
	{ .name = "n_targets",
	  .kind = ATTR_INT,
	  AT(n_targets),
	  .min = 1,
	  .max = INT32_MAX,
	  .def = 1,
	  .help = "numbers a row gives" },
	{ .name = "aggregate_function",
	  .kind = ATTR_INT,
	  AT(aggregate_function),
	  .max = FOREST_SUMS - 1,
	  .def = FOREST_SUM,
	  .help = "0 to 3: average, sum, least, largest" },
	{ .name = "post_transform",
	  .kind = ATTR_INT,
	  AT(post_transform),
	  .max = POST_COUNT - 1,
	  .help = "0 to 4: none, softmax, logistic, softmax of what is not 0, "
		  "probit" },
	{ 0 },
};
