/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gathering: the calls that a thread finds in one look at its connections.
 *
 * Where a look finds several requests for a model, to run each as it is read
 * would go through the model's weights for each; gathered, they go through them
 * once. They wait for what is read in the same look, and for nothing else.
 *
 * Ownership: embedded in its owner; a call is its sender's, and what it is for
 *            keeps its batcher.
 * Threads:   one, its owner's.
 * Limits:    GATHERING_MODELS batchers at a time.
 */
#ifndef SERVER_GATHERING_H
#define SERVER_GATHERING_H

#include "server/batch_queue.h"

enum { GATHERING_MODELS = 8 };

/** Of one batcher. */
struct gathered {
	struct batcher *batcher;
	struct batch_queue calls;
};

struct gathering {
	struct gathered model[GATHERING_MODELS];
	unsigned n;
	unsigned n_expected; /**< calls, by how many came last */
};

/** False: the call cannot be gathered, and nothing was done; else done() is
 * called by gathering_run(), or by another thread after it. */
MUST_USE bool gathering_add(struct gathering *gathering,
			    struct batcher *batcher, struct infer_call *call);
/** Leaves nothing gathered. */
void gathering_run(struct gathering *gathering);

#endif
