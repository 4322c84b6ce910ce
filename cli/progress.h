/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Progress: what a job's events say, as a bar or as lines.
 *
 * Threads: pure functions over plain data.
 * Limits:  PROGRESS_METRICS figures of an evaluation are kept.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct doc;

enum { PROGRESS_METRICS = 12, PROGRESS_NAME_MAX = 48 };

struct progress_metric {
	char name[PROGRESS_NAME_MAX];
	double value;
};

struct progress {
	int64_t epoch, epochs, step, total_steps;
	double percent, samples_per_second, eta_seconds;
	double train_loss;				 /**< NaN: not known */
	struct progress_metric metric[PROGRESS_METRICS]; /**< of the last
							    evaluation */
	unsigned n_metrics;
	bool is_best;
};

void progress_init(struct progress *progress);
/** From a "step" event. */
void progress_take_step(struct progress *progress, const struct doc *event);
/** From an "eval" event. */
void progress_take_eval(struct progress *progress, const struct doc *event);
/** The last metric that speaks of validation, else the last; NULL: none. */
const struct progress_metric *progress_main(const struct progress *progress);

/** One line of at most `width` columns with a bar; parts that do not fit are
 * left out from the right. */
void progress_bar(const struct progress *progress, unsigned width,
		  struct buf *buf);
/** "epoch 1/3  step 40/90 (44%)  train_loss 0.512  1,204 samples/s  ETA 3s" */
void progress_line(const struct progress *p, struct buf *buf);
/** "epoch 1/3  step 30  train_loss 0.5  valid_accuracy 0.87 (best)" */
void progress_eval_line(const struct progress *p, struct buf *buf);
/** "train_loss 0.5  valid_accuracy 0.87", from a map of numbers. */
void progress_metrics(const struct doc *metrics, struct buf *buf);
/** "7s", "1m05s", "2h03m". */
void progress_duration(double seconds, struct buf *buf);

#endif
