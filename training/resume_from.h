/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Resume from: a new job goes on from a checkpoint of another one.
 *
 * The checkpoint's files are linked into the new job's folder, so that its
 * worker finds them there as after an interruption, and the other job may be
 * deleted. Data, network and optimizer must be the same; how long it trains
 * may differ.
 *
 * Ownership: nothing is kept. Threads: any.
 */
#ifndef TRAINING_RESUME_FROM_H
#define TRAINING_RESUME_FROM_H

#include "base/arena.h"
#include "base/err.h"

/** from: "job_ID", whose newest checkpoint is taken, or "job_ID/ckpt-N".
 * to_dir: the new job's folder, beneath jobs_dir. ERR_INVALID for a text that
 * is none, ERR_NOT_FOUND for what is not there. */
MUST_USE enum err_code resume_from_link(const char *jobs_dir, const char *from,
					const char *to_dir, struct arena *arena,
					struct err *err);

#endif
