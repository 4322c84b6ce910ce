/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Embeddings: what a network has learned of each index, as files for numpy.
 *
 * Threads: one.
 */
#ifndef TRAINING_EMBEDDINGS_H
#define TRAINING_EMBEDDINGS_H

#include "engine/graph.h"

/** Tables of the graph (engine/train_tables.h) in their order: embeddings.npy,
 * embeddings-2.npy and so on, into the folder, which is there; none where the
 * network has none. */
MUST_USE enum err_code embeddings_save(const struct graph *graph,
				       const char *dir, struct err *err);

#endif
