/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Job schema: what a job spec may be, as a JSON Schema (draft 2020-12), made
 * from the tables that read it. What options of a network there are depends on
 * the network, so `model` is any map here.
 *
 * Threads: pure functions.
 */
#ifndef TRAINING_JOB_SCHEMA_H
#define TRAINING_JOB_SCHEMA_H

struct json_writer;

/** The members of the object that is open. */
void job_schema_write(struct json_writer *writer);

#endif
