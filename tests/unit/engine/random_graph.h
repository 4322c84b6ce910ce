/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graphs by chance, made of the nodes of all rows' cases.
 *
 * A stencil is a node of a case with its attributes, types and shapes; a graph
 * is a chain of stencils whose operands are earlier values of the same type
 * and shape, values of another shape if infer() takes them, or new inputs,
 * constants and variables. A seed and a number of nodes give one graph, and a
 * smaller number gives its beginning: failures shrink.
 */
#ifndef TESTS_UNIT_ENGINE_RANDOM_GRAPH_H
#define TESTS_UNIT_ENGINE_RANDOM_GRAPH_H

#include "engine/build.h"

struct stencils;

struct stencils *stencils_create(void);
/** Nodes in double alone, of rows that have a gradient by each float operand
 * they are given. */
struct stencils *stencils_create_smooth(void);
void stencils_destroy(struct stencils *stencils);
size_t stencils_count(const struct stencils *stencils);

struct random_graph {
	struct graph *graph;
	struct facts *facts;
	struct fact *input;	  /**< by graph input; in the graph's arena */
	struct tensor_view *data; /**< drawn, by graph input */
	bool has_narrow;	  /**< a half type is somewhere in it */
	bool *rough; /**< by value: small errors may become large ones */
};

/** with_gradients: the outputs are gradients of all floats that were. False
 * (and nothing to finish) where a rule is missing. */
bool random_graph_create(const struct stencils *stencils, uint64_t seed,
			 unsigned n_nodes, bool with_gradients,
			 struct random_graph *ret);
void random_graph_finish(struct random_graph *graph);

#endif
