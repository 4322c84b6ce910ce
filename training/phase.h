/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Phase: a stretch of a job with its own frozen layers, rates and schedule.
 *
 * A job without `phases` has one, made of what `trainer` says. Each phase
 * begins with a fresh optimizer and its own schedule, so that resuming needs
 * no more than the number of the epoch.
 *
 * Ownership: lists live in the spec's arena. Threads: pure.
 */
#ifndef TRAINING_PHASE_H
#define TRAINING_PHASE_H

#include "training/layer_groups.h"
#include "training/rates.h"
#include "training/schedule.h"

enum { PHASES_MAX = 64 };

struct phase_spec {
	int64_t epochs;
	const struct doc *freeze_doc, *rates_doc, *schedule_doc;
	struct freeze_spec freeze;
	struct rates rates;
	struct schedule schedule;
};

struct phases {
	size_t n;
	struct phase_spec *phase;
	bool is_list;	/**< the job has a list of its own */
	int64_t epochs; /**< of all */
};

/** doc: the list, or NULL. `usual` has what a phase leaves out, as written. */
MUST_USE enum err_code phases_read(const struct doc *doc,
				   const struct phase_spec *usual,
				   struct phases *ret, struct arena *arena,
				   struct err *err);
/** The member `phases`, where there is a list. */
/** The members of its JSON Schema. */
void phases_schema(struct json_writer *writer);
void phases_write(const struct phases *phases, struct json_writer *writer);
/** The phase of an epoch, which counts from 0, and its first epoch. */
size_t phases_at(const struct phases *phases, int64_t epoch,
		 int64_t *ret_first_epoch);

#endif
