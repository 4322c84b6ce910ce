/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * One run of a batcher: rows of calls into an instance and back.
 *
 * Threads: one at a time for a run.
 */
#ifndef SERVER_BATCHER_PRIV_H
#define SERVER_BATCHER_PRIV_H

#include "server/batcher.h"

/** Rows first .. first + n - 1 of a call. */
struct batch_part {
	struct infer_call *call;
	int64_t first, n;
};

/** Runs the parts, which belong to one call or to several of equal shapes, as
 * one batch; their outputs are filled for those rows. ns: time by phase. */
MUST_USE enum err_code batch_run(const struct batcher_options *options,
				 const struct batch_part *parts,
				 unsigned n_parts, struct team *team,
				 int64_t ret_ns[PHASE_OUTPUT + 1],
				 struct err *err);
/** The size a batch of that many rows is padded to. */
int64_t batch_padded(int64_t rows);

#endif
