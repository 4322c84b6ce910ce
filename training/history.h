/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * History: the curves of a run. Every evaluation, and of the steps as many as
 * HISTORY_STEPS, evenly spaced: when there are more, every second is dropped.
 *
 * It is part of a checkpoint, so that a resumed run has the curves of a whole
 * one.
 *
 * Ownership: init/finish. Threads: one.
 */
#ifndef TRAINING_HISTORY_H
#define TRAINING_HISTORY_H

#include <stdbool.h>

#include "models/safetensors.h"

struct buf;

enum { HISTORY_STEPS = 1024, HISTORY_COLUMNS = 4 };

struct history {
	const char *const *name; /**< of the figures of an evaluation */
	size_t n_names;
	double *eval; /**< [n_evals, 2 + n_names]: epoch, step, figures */
	int64_t n_evals, cap;
	/** [n_steps, 4]: step, running loss, rate, gradient norm */
	double step[HISTORY_STEPS * HISTORY_COLUMNS];
	int64_t n_steps, stride;
};

/** name: ends with NULL, borrowed. */
void history_init(struct history *history, const char *const *name);
void history_finish(struct history *history);
MUST_USE enum err_code history_eval(struct history *history, int64_t epoch,
				    int64_t step, const double *value,
				    struct err *err);
void history_step(struct history *h, const double row[HISTORY_COLUMNS]);
/** The running loss of the first step that is kept; NaN: there is none. */
double history_first_loss(const struct history *h);
/** As tensors that point into it. */
MUST_USE enum err_code history_list(struct history *h, struct arena *arena,
				    struct safetensors *ret, struct err *err);
/** list->n 0: nothing was kept. */
MUST_USE enum err_code history_restore(struct history *h,
				       const struct safetensors *list,
				       struct err *err);
/** One line an evaluation; empty where a figure was not measured. */
void history_write_csv(const struct history *h, struct buf *buf);
/** A picture: losses over steps, and the learning rate below. */
void history_write_svg(const struct history *h, struct buf *buf);

#endif
