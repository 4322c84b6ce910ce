/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Publish: a job's artifacts as one version of a model, once.
 *
 * A worker may die between publishing and saying so; its next attempt finds
 * the version that is there instead of making another one: the one of the
 * same job with the same bytes of model.onnx.
 *
 * Ownership: none. Threads: one.
 */
#ifndef TRAINING_PUBLISH_H
#define TRAINING_PUBLISH_H

#include "training/artifact.h"

struct publish_request {
	const char *repository; /**< its folder */
	const char *model, *job_id;
	int64_t version; /**< 0: the next one */
	const struct artifacts *artifacts;
};

MUST_USE enum err_code publish_once(const struct publish_request *request,
				    struct arena *arena, int64_t *ret_version,
				    struct err *err);

#endif
