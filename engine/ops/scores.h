/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Scores: what classifiers and regressors of ai.onnx.ml do after their sums.
 *
 * LOGISTIC is 1 / (1 + exp(-s)), SOFTMAX over a row, SOFTMAX_ZERO the same but
 * scores of 0 stay 0, PROBIT the inverse of the normal distribution. One
 * score alone only knows PROBIT, as ONNX Runtime has it.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_OPS_SCORES_H
#define ENGINE_OPS_SCORES_H

#include "engine/kernel.h"

enum post { /* as TreeEnsemble numbers them */
	    POST_NONE,
	    POST_SOFTMAX,
	    POST_LOGISTIC,
	    POST_SOFTMAX_ZERO,
	    POST_PROBIT,
	    POST_COUNT
};

/** POST_COUNT for an unknown name. */
enum post scores_post(const char *name);
/** ERR_INVALID for an unknown name. */
MUST_USE enum err_code scores_find_post(const char *name, enum post *ret,
					struct err *err);
double scores_logistic(double score);
/** In place, over one row. */
void scores_apply(enum post post, double *score, int64_t n);
/** Two scores of a class that has one: the second is that one. `mixed`:
 * weights of both signs, so that 0 is the border; else they are shares. */
void scores_of_one(enum post post, double score, bool mixed, double ret[2]);
/** The first of the largest. */
int64_t scores_largest(const double *score, int64_t n);

/** Labels of a classifier: one of both is given. */
struct scores_labels {
	struct attr_ints ints;
	struct attr_strings strings;
};
/** Outputs of those whose labels are attributes classlabels_strings and
 * classlabels_ints. */
extern const struct port scores_label_out[];
/** Output 0, [N], and 1, [N,width], for N rows. */
void scores_infer(struct infer *infer, int64_t n_rows, int64_t width);
/** How many; ERR_INVALID where both or none are given. */
MUST_USE enum err_code scores_count(const struct scores_labels *labels,
				    int64_t *ret_n, struct err *err);
/** Label i of row `row` into output 0, which may be unwanted. */
void scores_put_label(const struct kernel_call *call,
		      const struct scores_labels *labels, int64_t row,
		      int64_t i);
/** Row of output `j`, as floats; nothing where it is unwanted. */
void scores_put_row(const struct kernel_call *call, unsigned j, int64_t row,
		    const double *score, int64_t n);

#endif
