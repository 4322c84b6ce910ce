/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reduce, as gradient rules use it.
 */
#ifndef ENGINE_OPS_REDUCE_H
#define ENGINE_OPS_REDUCE_H

#include "engine/build.h"

/** Sums x over the axes that broadcasting the shape of `like` (which is not
 * read) to x's would repeat; the result has the shape of `like`. */
int32_t build_sum_like(struct build *build, int32_t x, int32_t like);
/** The sum of a less the sum of b, as one element in the shape of `like`. */
int32_t build_sum_rest(struct build *build, int32_t a, int32_t b, int32_t like);

#endif
