/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Report: what a finished job leaves for people: evaluation.json, metrics.csv,
 * curves.svg and model_card.md; and lr_find.json and .svg, where a phase found
 * its own rate.
 *
 * Threads: one.
 */
#ifndef TRAINING_REPORT_H
#define TRAINING_REPORT_H

#include "models/network.h"
#include "training/trainer.h"

struct report_source {
	const struct job_spec *spec;
	const struct trainer *trainer; /**< its run is over */
	const struct trainer_result *result;
	const struct network_summary *summary;
	const char *job_id;
};

/** Into the folder, which is there. */
MUST_USE enum err_code report_save(const struct report_source *source,
				   const char *dir, struct err *err);
/** The curve of a phase (from 0), at once, so that nothing of it is state; a
 * later phase's files are lr_find-2.json and so on. Makes the folder. */
MUST_USE enum err_code report_save_curve(const struct lr_curve *curve,
					 size_t phase, double rate,
					 const char *dir, struct err *err);

#endif
