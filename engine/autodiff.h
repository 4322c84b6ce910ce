/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Autodiff: appends gradient nodes to a graph, ahead of time.
 *
 * A forward sweep marks what depends on a wanted value; the backward sweep
 * visits only those. Several readers of one value: their gradients meet in one
 * Sum. A rule is graph text (`grad`), a function (`vjp`) or the gradient of
 * the operator's body.
 *
 * Names in `grad` text: inputs and outputs by their port names, "d" + output
 * for the gradient handed in, "d" + input for the gradient to define.
 * Variadic ports need a vjp.
 */
#ifndef ENGINE_AUTODIFF_H
#define ENGINE_AUTODIFF_H

#include "engine/build.h"

struct vjp {
	struct build *build; /**< facts are there: build_fact() knows shapes */
	const struct graph_node *node; /**< a copy: the graph may grow */
	const void *attrs;
	const int32_t *in, *out; /**< n_in, n_out of node */
	const int32_t *grad_out; /**< VALUE_NONE: zero */
	const bool *wanted;	 /**< by input */
	int32_t *grad_in;	 /**< to fill; VALUE_NONE: zero */
};

/** Gradients of `loss` (a scalar value, or any value when `seed` is given as
 * the gradient handed in; else VALUE_NONE) by each of n values wrt[i], which
 * may be of any origin. grad[i] is VALUE_NONE where the loss does not depend
 * on it. build->facts must be there. ERR_UNSUPPORTED lists every node on the
 * path without a rule, each with the value that needs it. */
MUST_USE enum err_code autodiff(struct build *build, int32_t loss, int32_t seed,
				const int32_t *wrt, size_t n, int32_t *grad,
				struct err *err);

#endif
