/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph text: one notation for bodies, gradients, rewrites and tests.
 *
 * A subset of ONNX's textual syntax: statements separated by ';' or newline,
 *   a, b = Domain.Op<attr=1, list=[1,2], text="x", f=0.5>(x:float[2,3], w, , 1)
 * Calls may nest: Mul(dY, Cos(X)); "y = x" is another name for x. A declared
 * operand "x:float[2,3]" is a graph input, "x:int64[2]={1,0}" a constant,
 * "w:float[3]!" a variable (ROLE_PARAM; "!state", "!grad", "!moment" and
 * "!average" are the others), at their first use or in a statement of their
 * own; afterwards the name alone. "x:float" has no known shape. A bare number
 * is a scalar constant of the type of the first typed operand of its call
 * (float where there is none). An empty operand is an optional input left out.
 *
 * Attributes: numbers, texts, lists, types (to=float), tensors
 * (value=int64[2]{1,2}) and, in rules, "@name", the attribute of the node that
 * the rule is for; as an operand it is a bare number. "assign w = value" and
 * "return a, b" end a graph. '#' begins a comment. Names that are no
 * identifiers stand in quotes.
 *
 * Parsed with an explicit stack of at most 32 levels.
 *
 * Threads: pure. Limits: 64 KiB of text.
 */
#ifndef ENGINE_GRAPH_TEXT_H
#define ENGINE_GRAPH_TEXT_H

#include "engine/build.h"

/** A whole graph. Without a return statement, names assigned but never read
 * are its outputs, in order. Facts of declared inputs come back in ret_input
 * (in the graph's arena, one per graph input; may be NULL). Variables are
 * zeros in the arena. */
MUST_USE enum err_code graph_text_parse(const char *text,
					struct graph **ret_graph,
					struct fact **ret_input,
					struct err *err);

struct buf;
/** The graph in the same notation, one statement a line: sources, nodes,
 * assigns, outputs. Shapes of inputs are not in a graph, nor are the values of
 * variables; bodies are left out. */
void graph_text_print(const struct graph *graph, struct buf *buf);

#endif
