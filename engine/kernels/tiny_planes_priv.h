/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tiny planes, inside: the tables by level.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_KERNELS_TINY_PLANES_PRIV_H
#define ENGINE_KERNELS_TINY_PLANES_PRIV_H

#include "engine/kernels/tiny_planes.h"

extern const struct tiny_planes tiny_planes_base, tiny_planes_v3,
    tiny_planes_v4;

#endif
