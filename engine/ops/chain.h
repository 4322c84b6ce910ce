/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Chain: elementwise operators one after the other, in one loop over memory.
 *
 * Link l is the loop ops[l] (engine/kernels/loops.h) over up to three operands,
 * operands[3 l] and on: CHAIN_VALUE is what the link before gave (the first
 * one's is input 0), CHAIN_NONE is left out, and 1 and on are those inputs.
 * Input 0 may be written over by the first link: who reads it later gives it
 * once more. The result has the shape that all inputs broadcast to. params[3 l]
 * and on are the loop's numbers.
 *
 * Threads: plain data.
 */
#ifndef ENGINE_OPS_CHAIN_H
#define ENGINE_OPS_CHAIN_H

#include "engine/op.h"

enum {
	CHAIN_LINKS_MAX = 16,
	CHAIN_INPUTS_MAX = 12,
	CHAIN_OPERANDS = 3,
	CHAIN_VALUE = -1,
	CHAIN_NONE = -2,
};

struct chain_attrs {
	struct attr_strings ops;
	struct attr_ints operands;
	struct attr_floats params;
};

#endif
