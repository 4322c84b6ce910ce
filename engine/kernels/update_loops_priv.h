/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The tables of update_loops_table.c, one a level of CPU.
 */
#ifndef ENGINE_KERNELS_UPDATE_LOOPS_PRIV_H
#define ENGINE_KERNELS_UPDATE_LOOPS_PRIV_H

#include "engine/kernels/update_loops.h"

extern const struct update_loops update_loops_base, update_loops_v3,
    update_loops_v4;

#endif
