/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reshape, as gradient rules use it: shapes are concrete when a gradient is
 * built, so that a target is a constant and keeps no tensor alive.
 */
#ifndef ENGINE_OPS_RESHAPE_H
#define ENGINE_OPS_RESHAPE_H

#include "engine/build.h"

/** x under another shape of the same count. */
int32_t build_reshape(struct build *build, int32_t x,
		      const struct shape *shape);
/** x under the shape of the value `like`, which is not read. */
int32_t build_reshape_like(struct build *build, int32_t x, int32_t like);
/** Zeros of a value's type and shape. */
int32_t build_zeros_like(struct build *build, int32_t like);

#endif
