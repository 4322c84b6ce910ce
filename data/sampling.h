/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sampling: epochs in which all classes of a category are equally frequent.
 *
 * Oversampled, rows of rare classes come again until each class has as many
 * rows as the largest; undersampled, each has as many as the smallest, others
 * in every epoch; weighted, as many rows as there are come by chance, with
 * equal odds for each class. Only the training part is sampled. The order of
 * epoch e is a function of (seed, e).
 *
 * Ownership: create/destroy; nothing of the dataset is kept.
 * Threads:   one.
 */
#ifndef DATA_SAMPLING_H
#define DATA_SAMPLING_H

#include "data/dataset.h"

struct sampling;

/** type: not SAMPLING_NONE. The pipeline is fitted, and its first output is a
 * category. */
MUST_USE enum err_code sampling_create(const struct dataset *dataset,
				       const struct pipeline *pipeline,
				       enum sampling_type type, uint64_t seed,
				       struct sampling **ret_sampling,
				       struct err *err);
void sampling_destroy(struct sampling *sampling);
/** Rows of an epoch. */
int64_t sampling_n(const struct sampling *sampling);
/** ret_order[sampling_n()]. */
void sampling_order(struct sampling *sampling, uint32_t epoch,
		    int64_t *ret_order);

#endif
