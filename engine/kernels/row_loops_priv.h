/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The tables of row_loops_table.c, one a level of CPU.
 */
#ifndef ENGINE_KERNELS_ROW_LOOPS_PRIV_H
#define ENGINE_KERNELS_ROW_LOOPS_PRIV_H

#include "engine/kernels/row_loops.h"

extern const struct row_loops row_loops_base, row_loops_v3, row_loops_v4;

#endif
