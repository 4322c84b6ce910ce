/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DeformConv, as its gradient uses it.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_DEFORM_CONV_H
#define ENGINE_OPS_DEFORM_CONV_H

#include "engine/autodiff.h"
#include "engine/ops/window.h"

enum deform_input {
	DEFORM_X,
	DEFORM_W,
	DEFORM_OFFSET,
	DEFORM_B,
	DEFORM_MASK,
	DEFORM_INPUTS
};

struct deform {
	struct window win;
	int64_t channels, filters, groups, offset_groups;
	bool has_bias, has_mask;
};

MUST_USE enum err_code deform_read(const struct infer *infer,
				   struct deform *ret, struct err *err);
/** Where a tap of output i lies on an axis of the window, without an offset. */
int64_t deform_place(const struct deform *d, unsigned axis, int64_t i,
		     int64_t tap);
MUST_USE enum err_code deform_vjp(struct vjp *vjp, struct err *err);

#endif
