/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tap loops, inside: the tables by level.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_KERNELS_TAP_LOOPS_PRIV_H
#define ENGINE_KERNELS_TAP_LOOPS_PRIV_H

#include "engine/kernels/tap_loops.h"

extern const struct tap_loops tap_loops_base, tap_loops_v3, tap_loops_v4;

#endif
