/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Step loops, inside: the tables by level.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_KERNELS_STEP_LOOPS_PRIV_H
#define ENGINE_KERNELS_STEP_LOOPS_PRIV_H

#include "engine/kernels/step_loops.h"

extern const struct step_loops step_loops_base, step_loops_v3, step_loops_v4;

#endif
