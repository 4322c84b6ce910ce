/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Layer groups: which variables of a network belong together, and which of
 * them a phase freezes.
 *
 * A group is what shares the first part of its names ("layer1" of
 * "layer1.0.conv1.weight"), in the order in which parameters stand in the
 * network; the last group is the head.
 *
 * Ownership: lists live in the arena. Threads: pure.
 */
#ifndef TRAINING_LAYER_GROUPS_H
#define TRAINING_LAYER_GROUPS_H

#include "base/field.h"
#include "engine/graph.h"

struct json_writer;

struct layer_groups {
	int32_t n;
	const int32_t *of; /**< by variable; states too */
};

/** What `freeze` says. */
struct freeze_spec {
	const struct doc *doc; /**< as it was written; NULL: nothing */
	bool is_body;	       /**< all groups but the last */
	int64_t n_groups;      /**< so many of the first */
	const char **pattern;  /**< names that one of these matches */
	size_t n_patterns;
};

MUST_USE enum err_code layer_groups_find(const struct graph *graph,
					 struct arena *arena,
					 struct layer_groups *ret,
					 struct err *err);

/** none, body, a number of groups, a pattern or a list of them. */
MUST_USE enum err_code freeze_read(const struct doc *doc, const char *where,
				   struct freeze_spec *ret, struct arena *arena,
				   struct err *err);
bool freeze_is_any(const struct freeze_spec *freeze);
/** ret_frozen[n_variable]. ERR_INVALID where a pattern matches no parameter,
 * or nothing would be left to train. */
MUST_USE enum err_code freeze_apply(const struct freeze_spec *freeze,
				    const struct graph *graph,
				    const struct layer_groups *groups,
				    bool *ret_frozen, struct err *err);

/** Which variables are biases, by name, and which a norm scales or shifts by;
 * ret_plain[n_variable]. */
void layer_plain_find(const struct graph *graph, bool biases, bool norms,
		      bool *ret_plain);

#endif
