/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Evaluation: the rows of one pass with what the model says of them, for
 * figures that no running sum gives.
 *
 * A category's rows are kept as probabilities. Figures by class are averaged
 * over the classes that have rows (macro). ROC AUC is the share of pairs of a
 * row of the class and another in which the first has the higher score, ties
 * half; PR AUC is average precision; the calibration error is the expected
 * one over EVALUATION_BINS bins of the highest probability (Guo et al. 2017).
 * The Brier score is the mean of squared distances of probabilities to 0 or 1,
 * summed over classes; IoU is hits over hits and both kinds of error, dice is
 * F1. A binary output's numbers are rows of their own, and the figures those
 * of what is positive. A number's rows are kept as prediction and target.
 *
 * Ownership: init/finish. Threads: one.
 * Limits:    EVALUATION_MAX numbers; beyond, rows are not kept and the
 *            figures are NaN.
 */
#ifndef TRAINING_EVALUATION_H
#define TRAINING_EVALUATION_H

#include <stdbool.h>

#include "base/err.h"
#include "training/metric.h"

struct json_writer;

enum { EVALUATION_MAX = 1 << 24, EVALUATION_BINS = 15 };

struct evaluation_figures {
	double top5, precision, recall, f1, iou, dice, roc_auc, pr_auc;
	double brier, calibration, exp_rmspe;
};

struct evaluation {
	bool is_category, is_binary, is_logits, is_kept;
	int64_t n, cap, width;
	float *output;	/**< [n,width]: probabilities, or predictions */
	double *target; /**< [n] of a category, else [n,width] */
	double *loss;	/**< [n]: -log of the target's probability, or
			   squared error */
	int64_t *room;	/**< [n], of a binary output [n,width]: for orders */
};

/** For at most `rows` rows. */
MUST_USE enum err_code evaluation_init(struct evaluation *evaluation,
				       const char *measures, int64_t rows,
				       int64_t width, struct err *err);
void evaluation_finish(struct evaluation *evaluation);
void evaluation_reset(struct evaluation *evaluation);
void evaluation_add(struct evaluation *evaluation,
		    const struct metric_rows *rows);
struct evaluation_figures evaluation_figures(const struct evaluation *e);
/** Confusion matrix, figures by class, reliability, worst rows (rows[n]: their
 * numbers in the data), residuals; into the object that is open. */
void evaluation_write(const struct evaluation *e, const int64_t *rows,
		      struct json_writer *w);

#endif
