/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph text: one notation for bodies, gradients, rewrites and tests.
 *
 * A subset of ONNX's textual syntax: statements separated by ';' or newline,
 *   a, b = Domain.Op<attr=1, list=[1,2], text="x", f=0.5>(x:float[2,3], w, , 1.5)
 * Calls may nest: Mul(dY, Cos(X)). A declared operand "x:float[2,3]" is a
 * graph input at its first use, "x:int64[2]={1,0}" with values a constant,
 * "w:float[3]!" a variable (ROLE_PARAM). A bare number is a scalar constant
 * of the type of the first operand of its call (float where there is none).
 * An empty operand is an optional input left out. Parsed with an explicit
 * stack of at most 32 levels.
 *
 * Threads: pure. Limits: 64 KiB of text.
 */
#ifndef ENGINE_GRAPH_TEXT_H
#define ENGINE_GRAPH_TEXT_H

#include "engine/build.h"

/** A whole graph; values assigned but never read become its outputs, in
 * order. facts of declared inputs come back in ret_input (in the graph's
 * arena, one per graph input; values that are not given have none). */
MUST_USE enum err_code graph_text_parse(const char *text,
					struct graph **ret_graph,
					struct fact **ret_input,
					struct err *err);

struct buf;
/** The graph in the same notation, one statement a line. */
void graph_text_print(const struct graph *graph, struct buf *buf);

#endif
