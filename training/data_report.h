/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Data report: what a dry run tells of the rows: for each feature how many
 * values are missing or cannot be taken, of a category how many training rows
 * each label has, of a text how many tokens are told apart, of a number its
 * range.
 *
 * Threads: one.
 */
#ifndef TRAINING_DATA_REPORT_H
#define TRAINING_DATA_REPORT_H

#include "data/dataset.h"

struct json_writer;

/** The list "features" into the object that is open; the pipeline is fitted. */
void data_report_write(const struct dataset *dataset,
		       const struct pipeline *pipeline,
		       struct json_writer *writer);

#endif
