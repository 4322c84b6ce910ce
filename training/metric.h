/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics: figures of one pass over rows, by the type of the output feature.
 *
 * A category has accuracy, a text accuracy, perplexity and bits per character
 * of its tokens, a number mae, rmse and r2: they come from sums that are added
 * row by row in order, so the figures do not depend on batches, and are known
 * of training rows too. Figures of all rows together (precision, areas, ...)
 * come from an evaluation, and only of the other parts.
 *
 * Ownership: plain data. Threads: one.
 */
#ifndef TRAINING_METRIC_H
#define TRAINING_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRIC_MAX = 9 };

struct evaluation_figures;

struct metric_sums {
	double n, loss; /**< rows, tokens of a text; loss times rows */
	double hits;	/**< category: rows whose largest logit is the target */
	double characters; /**< text: what its targets stand for; the caller
			      adds them */
	double absolute, square, target, target_square; /**< number */
};

struct metric {
	const char *name; /**< "accuracy" */
	bool is_better_high;
	/** NULL: a member of evaluation_figures, at this offset */
	double (*value)(const struct metric_sums *sums);
	size_t offset;
};

/** Rows for a type of output feature ("category", "number", "text"); always
 * begins with loss, ends with a NULL name. */
const struct metric *metrics_of(const char *output_type);
/** The figure; figures NULL: those of all rows are NaN. */
double metric_value(const struct metric *metric, const struct metric_sums *sums,
		    const struct evaluation_figures *figures);
/** Outputs of n rows. */
struct metric_rows {
	const float *output; /**< [n,width] */
	const void *target;  /**< int64 [n] of a category or of a text's tokens,
				float [n] of a number */
	int64_t n, width;
	double loss; /**< their mean */
};

void metric_add(struct metric_sums *sums, const char *output_type,
		const struct metric_rows *rows);

#endif
