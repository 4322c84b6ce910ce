/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batches: rows in the order of an epoch, encoded ahead of their use.
 *
 * The order of epoch e is a permutation drawn from (seed, e): nothing to save
 * for a resume but the position. A loader's thread encodes the next batches
 * while the trainer computes.
 *
 * Ownership: create/destroy; a batch is lent until batch_give_back().
 * Threads:   one consumer; the loader has a thread of its own.
 */
#ifndef DATA_BATCH_H
#define DATA_BATCH_H

#include "data/dataset.h"

struct batch {
	int64_t n;     /**< rows; the last batch of an epoch may be short */
	int64_t first; /**< position in the order */
	void **input;  /**< by input feature: n rows, dense */
	void **target; /**< by output feature */
};

struct loader;

/** rows[n] of a stream for batches of batch_size: row r of a batch goes on
 * where row r of the batch before ends. Rows that fill no batch come last. */
void batch_stream(const int64_t *rows, int64_t n, int64_t batch_size,
		  int64_t *ret_order);
/** rows[n] in the order of epoch `epoch`: shuffled from seed. */
void batch_shuffle(const int64_t *rows, int64_t n, uint64_t seed,
		   uint32_t epoch, int64_t *ret_order);

MUST_USE enum err_code
loader_create(const struct dataset *dataset, const struct pipeline *pipeline,
	      int64_t max_rows, struct loader **ret_loader, struct err *err);
/** Stops the thread. NULL is fine. */
void loader_destroy(struct loader *loader);
/** Encodes so many batches ahead from now on (at most 4, the default), before
 * the first loader_start(). */
void loader_set_depth(struct loader *loader, int depth);
/** From the next loader_start() on, rows are changed as they might have been
 * (data/augment.h): what is drawn goes by seed, epoch and position in the
 * order. spec NULL: never. It is borrowed. */
MUST_USE enum err_code loader_augment(struct loader *loader,
				      const struct augment_spec *spec,
				      uint64_t seed, uint32_t epoch,
				      struct err *err);
/** Begins at position `first` of order[n], which is copied, in batches of
 * batch_size rows (at most max_rows); batches that were under way are
 * dropped. */
MUST_USE enum err_code loader_start(struct loader *loader, const int64_t *order,
				    int64_t n, int64_t first,
				    int64_t batch_size, struct err *err);
/** The next batch; *ret_batch is NULL at the end of the order. A row that
 * cannot be encoded gives its error here. */
MUST_USE enum err_code loader_take(struct loader *loader,
				   struct batch **ret_batch, struct err *err);
void loader_give_back(struct loader *loader, struct batch *batch);

#endif
