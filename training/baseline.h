/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Baseline: the best that a predictor can do that sees no inputs.
 *
 * Of a category the shares of the training rows, of a text those of its tokens,
 * under the job's own loss;
 * of a number the mean or the median, whichever is better.
 *
 * Ownership: plain data. Threads: any.
 */
#ifndef TRAINING_BASELINE_H
#define TRAINING_BASELINE_H

#include "data/dataset.h"
#include "training/loss.h"

struct baseline {
	double loss;	 /**< NaN: not known for this loss */
	double accuracy; /**< of a category: the largest share; else NaN */
};

/** Rows whose targets count; the pipeline is fitted. */
struct baseline_rows {
	const struct dataset *dataset;
	const struct pipeline *pipeline;
	const int64_t *row;
	int64_t n;
};

MUST_USE enum err_code baseline_measure(const struct baseline_rows *rows,
					const struct loss *loss,
					struct baseline *ret, struct err *err);
/** ERR_INVALID for a target that the loss has no meaning for: one outside 0 to
 * 1 where it takes shares, as of a binary cross-entropy. */
MUST_USE enum err_code baseline_check_targets(const struct dataset *dataset,
					      const struct pipeline *pipeline,
					      const struct loss *loss,
					      struct err *err);
/** The loss of constant predictions of n numbers, which are sorted here. */
double baseline_of_numbers(double *target, int64_t n, const struct loss *loss);
/** The same of classes with so many rows each. */
double baseline_of_classes(const double *count, int64_t width,
			   const struct loss *loss);

#endif
