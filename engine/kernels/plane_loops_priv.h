/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plane loops, inside: the tables that plane_loops_table.c becomes.
 */
#ifndef ENGINE_KERNELS_PLANE_LOOPS_PRIV_H
#define ENGINE_KERNELS_PLANE_LOOPS_PRIV_H

#include "engine/kernels/plane_loops.h"

extern const struct plane_loops plane_loops_base, plane_loops_v3,
    plane_loops_v4;

#endif
