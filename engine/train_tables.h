/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tables: parameters of which a network picks rows, as embeddings are.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_TRAIN_TABLES_H
#define ENGINE_TRAIN_TABLES_H

#include "engine/graph.h"

/** ret_width, by variable: numbers in a row of a float parameter of rank 2
 * that a Gather node reads along axis 0, be it through dropout; else 0. */
void train_tables(const struct graph *graph, int64_t *ret_width);

#endif
