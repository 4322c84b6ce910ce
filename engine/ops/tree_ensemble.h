/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trees, inside: attributes of TreeEnsembleClassifier and -Regressor, and how
 * they and TreeEnsemble's become a forest.
 *
 * Ownership: tree_votes_forest() and tree_leaves_forest() create a forest.
 * Threads:   pure.
 */
#ifndef ENGINE_OPS_TREE_ENSEMBLE_H
#define ENGINE_OPS_TREE_ENSEMBLE_H

#include "engine/ops/forest.h"
#include "engine/ops/scores.h"

/** A list of float, or the same as a tensor of float or double. */
struct tree_numbers {
	struct attr_floats floats;
	const struct tensor_view *tensor;
};
size_t tree_numbers_n(const struct tree_numbers *numbers);
double tree_number(const struct tree_numbers *numbers, size_t i);

/** Of the two that list all nodes, leaves among them, by tree and id, and the
 * votes of leaves beside them. */
struct votes_attrs {
	struct attr_ints treeids, nodeids, featureids, trueids, falseids,
	    nan_is_yes;
	struct attr_strings modes;
	struct tree_numbers splits, hitrates, weights, base;
	struct attr_ints vote_treeids, vote_nodeids, vote_ids;
	struct scores_labels labels;
	const char *post_transform, *aggregate_function;
	int64_t n_targets;
};
MUST_USE enum err_code tree_votes_forest(const struct votes_attrs *attrs,
					 int64_t n_features, int64_t n_targets,
					 struct forest **ret, struct err *err);

/** Of TreeEnsemble, which lists inner nodes and leaves apart. */
struct leaves_attrs {
	struct attr_ints roots, featureids, trueids, falseids, true_leaves,
	    false_leaves, nan_is_yes, leaf_targets;
	const struct tensor_view *modes, *splits, *hitrates, *leaf_weights,
	    *members;
	int64_t n_targets, post_transform, aggregate_function;
};
MUST_USE enum err_code tree_leaves_forest(const struct leaves_attrs *attrs,
					  int64_t n_features,
					  struct forest **ret, struct err *err);

/** The lists of attributes of the three operators, as ONNX has them. */
extern const struct op_attr tree_classifier_attrs[], tree_regressor_attrs[],
    tree_ensemble_attrs[];

#endif
