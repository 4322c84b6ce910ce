/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Artifacts: the files of a finished job: model.onnx, model.yaml and the
 * resolved spec, and their way into the model repository.
 *
 * Ownership: init/finish; the files' bytes belong to the struct.
 * Threads:   one.
 */
#ifndef TRAINING_ARTIFACT_H
#define TRAINING_ARTIFACT_H

#include "base/buf.h"
#include "models/repository.h"
#include "models/signature.h"
#include "training/trainer.h"

enum { ARTIFACT_MODEL, ARTIFACT_ABOUT, ARTIFACT_SPEC, ARTIFACTS };

struct artifact_source {
	const struct job_spec *spec;
	const struct pipeline *pipeline;
	const struct graph *graph;
	const struct model_signature *signature;
	const struct trainer_eval *eval; /**< of the weights as they are */
	const char *job_id;
	const char *fingerprint;
};

struct artifacts {
	struct buf buf[ARTIFACTS];
	struct repository_file file[ARTIFACTS]; /**< names and bytes */
};

MUST_USE enum err_code artifacts_init(struct artifacts *artifacts,
				      const struct artifact_source *source,
				      struct err *err);
void artifacts_finish(struct artifacts *artifacts);
/** Into the folder `dir`, which is made. */
MUST_USE enum err_code artifacts_save(const struct artifacts *artifacts,
				      const char *dir, struct err *err);
/** Metrics that were measured, as members of the object that is open. */
void artifact_write_metrics(const struct trainer_eval *eval,
			    struct json_writer *writer);

#endif
