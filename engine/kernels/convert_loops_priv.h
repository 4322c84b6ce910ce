/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convert loops, inside: the tables that convert_loops_table.c becomes.
 */
#ifndef ENGINE_KERNELS_CONVERT_LOOPS_PRIV_H
#define ENGINE_KERNELS_CONVERT_LOOPS_PRIV_H

#include "engine/kernels/convert_loops.h"

extern const struct convert_loops convert_loops_base, convert_loops_v3,
    convert_loops_v4;

#endif
