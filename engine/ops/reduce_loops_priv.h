/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops of the reductions, inside: what reduce_loops.c becomes.
 */
#ifndef ENGINE_OPS_REDUCE_LOOPS_PRIV_H
#define ENGINE_OPS_REDUCE_LOOPS_PRIV_H

#include "engine/ops/reduce_loops.h"

reduce_fn *reduce_fn_of_base(enum dtype dtype);
reduce_fn *reduce_fn_of_v3(enum dtype dtype);
reduce_fn *reduce_fn_of_v4(enum dtype dtype);

#endif
