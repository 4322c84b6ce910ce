/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Job spec, inside: the tables of fields and the maps beneath `trainer`.
 *
 * Threads: const tables; the rest is the caller's.
 */
#ifndef TRAINING_JOB_SPEC_PRIV_H
#define TRAINING_JOB_SPEC_PRIV_H

#include "training/job_spec.h"

/** Of the outermost map. */
extern const struct field job_spec_fields[];

/** trainer, its clipping, early_stopping and checkpoint; resources; publish. */
MUST_USE enum err_code job_spec_read_trainer(struct job_spec *spec,
					     struct arena *arena,
					     struct err *err);
void job_spec_write_trainer(const struct job_spec *spec,
			    struct json_writer *writer);
/* The members of their JSON Schemas. */
void job_spec_schema_trainer(struct json_writer *writer);
void job_spec_schema_resources(struct json_writer *writer);
void job_spec_schema_publish(struct json_writer *writer);

#endif
