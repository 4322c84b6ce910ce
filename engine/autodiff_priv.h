/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Autodiff, inside: rules that are graph text.
 */
#ifndef ENGINE_AUTODIFF_PRIV_H
#define ENGINE_AUTODIFF_PRIV_H

#include "engine/autodiff.h"

enum { AUTODIFF_MAX_DEPTH = 16 };

/** Gradients handed in: grad[i] (or VALUE_NONE) belongs to value[i]. */
struct seed_list {
	const int32_t *value, *grad;
	size_t n;
};

/** Appends what a row's `grad` says of the wanted inputs. */
MUST_USE enum err_code autodiff_text_rule(struct vjp *vjp, struct err *err);
/** Appends a row's body, fed by the node's inputs; out[i] is its output i. */
MUST_USE enum err_code autodiff_append_body(struct vjp *vjp, int32_t *out,
					    struct err *err);

#endif
