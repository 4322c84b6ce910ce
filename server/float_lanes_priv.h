/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Float lanes: the elements of a number block read together, eight at a time,
 * each in a lane of its own.
 *
 * Start, point and end of each element become bytes of vectors. From them the
 * places of its digits follow, one permutation of the block brings these into
 * the lane, and three multiplications join them. No loop goes over elements.
 *
 * For CPUs with AVX512_VBMI and AVX512_VBMI2. Threads: pure functions.
 */
#ifndef SERVER_FLOAT_LANES_PRIV_H
#define SERVER_FLOAT_LANES_PRIV_H

#include "server/number_block_priv.h"

/** All elements of a block into out[*n] and up, where there is room for them;
 * *n counts on. Returns where the next block begins, or NULL where the elements
 * are few, or one of them is not of 16 digits at most. */
const char *float_lanes_take(const char *block, const struct number_block *b,
			     uint32_t *out, size_t *n);

#endif
