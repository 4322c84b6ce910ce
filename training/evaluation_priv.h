/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Evaluation, inside: what figures and the report share.
 *
 * Threads: one.
 */
#ifndef TRAINING_EVALUATION_PRIV_H
#define TRAINING_EVALUATION_PRIV_H

#include "training/evaluation.h"

struct class_figures {
	double n, hits, said; /* rows of it; said and right; said */
	double roc_auc, pr_auc;
};

struct evaluation_bin {
	double n, confidence, hits;
};

static inline double evaluation_share(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static inline double class_f1(const struct class_figures *f)
{
	return evaluation_share(2 * f->hits, f->n + f->said);
}

static inline double class_iou(const struct class_figures *f)
{
	return evaluation_share(f->hits, f->n + f->said - f->hits);
}

/** Rows by falling score of a class, or by falling loss (class -1), in room. */
const int64_t *evaluation_order(const struct evaluation *e, int64_t class);
/** Whether a row's target is the class; of a binary output, row is a number's
 * and class 1 is what is positive. */
bool evaluation_is_class(const struct evaluation *e, int64_t row,
			 int64_t class);
/** The likeliest class of a row. */
int64_t evaluation_said(const struct evaluation *e, int64_t row);
struct class_figures evaluation_of_class(const struct evaluation *e,
					 int64_t class);
/** Fills bins that are zero; returns the expected calibration error. */
double evaluation_bins(const struct evaluation *e,
		       struct evaluation_bin bin[EVALUATION_BINS]);

#endif
