/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Seeds: nodes that are right, of which random graphs are made.
 *
 * Every case of every row gives one, so does every row of the spellings'
 * tests, and so do the operators with bodies, which have no cases. A seed is a
 * small graph whose sources tell types, shapes and values; of a spelling, its
 * outputs (or where it has none, all its values) are the operands of one old
 * or foreign node.
 *
 * Ownership: made once and kept until the process ends.
 * Threads:   one at a time.
 */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "tests/fuzz/draw.h"
#include "tests/unit/engine/spelling_row.h"

struct seed {
	const struct row *row; /**< NULL: the graph has its nodes itself */
	const struct graph *graph;
	const struct fact *input; /**< by graph input */
	unsigned n_out;		  /**< of the spelled node */
};

struct seeds {
	struct seed *seed;
	unsigned n;
	struct draw_words words; /**< that attributes hold */
};

/** NULL: out of memory. */
const struct seeds *seeds_get(void);

#endif
