/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph alike: do two graphs differ in the elements of their weights only?
 *
 * So they are of one network after more training. Nodes, attributes, edges,
 * inputs, outputs, and types and shapes of constants must be equal, and so must
 * be the elements of constants that are neither floating nor of 8 bits: those
 * are shapes, axes and indexes rather than weights. Graphs with bodies are
 * never alike. Names do not count.
 *
 * Threads: read only.
 */
#ifndef ENGINE_GRAPH_ALIKE_H
#define ENGINE_GRAPH_ALIKE_H

#include "engine/graph.h"

bool graph_alike(const struct graph *a, const struct graph *b);

#endif
