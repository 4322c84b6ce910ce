/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops over blocked values, inside: the tables by level.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_KERNELS_BLOCKED_LOOPS_PRIV_H
#define ENGINE_KERNELS_BLOCKED_LOOPS_PRIV_H

#include "engine/kernels/blocked_loops.h"

extern const struct blocked_loops blocked_loops_base, blocked_loops_v3,
    blocked_loops_v4;

#endif
