/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `narrow`, inside: convolutions, and what is joined to them.
 *
 * Threads: one.
 */
#ifndef ENGINE_PASSES_NARROW_PRIV_H
#define ENGINE_PASSES_NARROW_PRIV_H

#include "engine/passes/blocked_priv.h"

/** With channels on axis 1, of any type. */
bool narrow_is_image(const struct blocking *b, int32_t value);
/** The value with its channels last. */
int32_t narrow_twin(struct blocking *b, int32_t value);

/* narrow_conv.c */
/** ConvNarrow; and QLinearConv, where all zero points are 0. */
blocking_rule narrow_conv, narrow_qlinear_conv;
/** Joins what follows a ConvNarrow to it; false: nothing to join. */
blocking_rule narrow_join_sum, narrow_join_activation;
/** QuantizeLinear, or Cast to bfloat16: joined, or on the twin; and back. */
blocking_rule narrow_round, narrow_widen;

/** The DequantizeLinear of bytes by one scale that makes a value, or NULL. */
const struct graph_node *narrow_widened(const struct blocking *b,
					int32_t value);

#endif
