/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph draw: a graph over all operators out of a fuzzer's bytes.
 *
 * A graph is a chain of seeds (tests/fuzz/seeds.h), each changed by what the
 * bytes say: extents, ranks, types, values, attributes, numbers of operands
 * and results, opsets. Operands are earlier values or new inputs, constants
 * and variables. Nodes go the way of a file's: their attributes are told by
 * name to spelling_lower(); rows of our own domain are appended as they are.
 *
 * Ownership: everything lives in the graph's arena.
 * Threads:   one at a time.
 */
#ifndef TESTS_FUZZ_GRAPH_DRAW_H
#define TESTS_FUZZ_GRAPH_DRAW_H

#include "tests/fuzz/seeds.h"

enum { DRAWN_MAX_NODES = 12 };

struct drawn {
	struct graph *graph;
	struct fact *input;	  /**< by graph input */
	struct tensor_view *data; /**< by graph input */
	bool is_huge; /**< an input that is too large to be made: no data */
};

/** False: out of memory, and nothing to finish. */
bool graph_draw(struct draw *draw, const struct seeds *seeds,
		struct drawn *ret);
void drawn_finish(struct drawn *drawn);

#endif
