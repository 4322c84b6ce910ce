/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pass switch: which passes are off.
 *
 * Read from lists such as "-gelu_erf,-batch_norm": "-NAME" switches a pass
 * off, "NAME" on, and "all" stands for every one; later words win. All zero
 * is every pass on.
 *
 * Ownership: plain data. Threads: pure.
 * Limits:    PASS_MAX passes.
 */
#ifndef ENGINE_PASSES_PASS_SWITCH_H
#define ENGINE_PASSES_PASS_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { PASS_MAX = 64 };

/** Bit i is for row i of passes.def; `on` undoes what is off elsewhere. */
struct pass_switch {
	uint64_t off, on;
};

/** Adds the words of a list to what is there. An unknown name is refused with
 * the nearest one, and nothing is changed. */
MUST_USE enum err_code
pass_switch_parse(const char *list, struct pass_switch *into, struct err *err);
/** `over` where it says something, else `under`. */
static inline struct pass_switch pass_switch_merge(struct pass_switch under,
						   struct pass_switch over)
{
	return (struct pass_switch){ (under.off & ~over.on) | over.off,
				     (under.on & ~over.off) | over.on };
}
static inline bool pass_switch_has(struct pass_switch passes, unsigned pass)
{
	return !(passes.off >> pass & 1);
}

#endif
