/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Diagnosis: a name for how a run goes, from its evaluations.
 *
 *   diverging    a loss is not finite, or the training loss is over
 *                DIAGNOSIS_TIMES its best (or what the first steps gave) and
 *                no better than the trivial predictor's
 *   underfitting after DIAGNOSIS_EVALS evaluations, no training loss was below
 *                DIAGNOSIS_NEAR of that of the trivial predictor, which knows
 *                nothing of the inputs
 *   overfitting  the validation loss is above its best for
 *                DIAGNOSIS_EVALS evaluations in a row while the training
 *                loss is below what it was then
 *   plateau      no validation loss of the last DIAGNOSIS_LONG evaluations
 *                was a hundredth better than the best before
 *   ok           none of these
 *
 * Ownership: plain data. Threads: pure.
 */
#ifndef TRAINING_DIAGNOSIS_H
#define TRAINING_DIAGNOSIS_H

#include <stdbool.h>
#include <stdint.h>

#define DIAGNOSIS_TIMES 4
#define DIAGNOSIS_NEAR 0.95
enum { DIAGNOSIS_EVALS = 3, DIAGNOSIS_LONG = 5 };

enum diagnosis {
	DIAGNOSIS_OK,
	DIAGNOSIS_UNDERFITTING,
	DIAGNOSIS_OVERFITTING,
	DIAGNOSIS_DIVERGING,
	DIAGNOSIS_PLATEAU
};

/** What is remembered; all zero at the start. Saved with checkpoints. */
struct diagnosis_watch {
	int64_t n;		       /**< evaluations */
	double best_train;	       /**< loss */
	double best_valid, train_then; /**< loss, and the training loss then */
	int64_t best_epoch, n_above;
	double landmark; /**< validation loss that counted as better */
	int64_t n_level; /**< evaluations since */
	int64_t name;	 /**< enum diagnosis */
	double gap;	 /**< validation minus training loss */
};

struct diagnosis_figures {
	int64_t epoch;
	double train_loss, valid_loss; /**< NaN: not measured */
	double start_loss;   /**< of the first steps, at the first evaluation */
	double trivial_loss; /**< of the predictor that knows no inputs; NaN */
};

/** Takes an evaluation in; the diagnosis is in w->name. */
void diagnosis_observe(struct diagnosis_watch *w,
		       const struct diagnosis_figures *f);
const char *diagnosis_name(enum diagnosis diagnosis);
/** One sentence, for people; NULL for ok. */
const char *diagnosis_text(enum diagnosis diagnosis);

#endif
