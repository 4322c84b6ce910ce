/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Features: what a frozen body makes of rows, made once.
 *
 * While a phase trains nothing below some layer, steps and evaluations are of
 * the head alone (engine/train_cut.h), on rows that the body has turned into
 * features. The body always runs on blocks of the same number of rows, the last
 * one filled up, so that a row's features have the same bits whoever computes
 * them and when: with a cache or without, before a resume or after it. Where a
 * row's features depend on its neighbours, create finds that out and gives
 * NULL: the phase is then trained as a whole.
 *
 * The cache holds features, other inputs and targets of all rows of the parts
 * that are filled in, in memory or in a file without a name (base/spill.h).
 *
 * Ownership: create/destroy; borrows graph, frozen, pipeline, pool. A batch
 *            that is made is valid until the next one is.
 * Threads:   one.
 */
#ifndef TRAINING_FEATURES_H
#define TRAINING_FEATURES_H

#include "data/batch.h"
#include "engine/team.h"
#include "training/stepper.h"

struct features;

struct features_options {
	const struct graph *graph; /**< of the whole network */
	const bool *frozen;	   /**< by variable */
	const struct pipeline *pipeline;
	int64_t rows;	  /**< of a run of the body */
	int64_t max_rows; /**< of a batch */
	struct pool *pool;
	unsigned threads;
};

/** *ret is NULL where there is no body to cut off. `sample` is a batch of two
 * rows or more on which rows are tried for depending on each other. */
MUST_USE enum err_code features_create(const struct features_options *options,
				       const struct batch *sample,
				       struct features **ret, struct err *err);
/** NULL is fine. */
void features_destroy(struct features *f);
const struct graph *features_head(const struct features *f);
const struct stepper_port *features_ports(const struct features *f,
					  unsigned *ret_n);
/** Bytes of one row in the cache, and of the body's block. */
size_t features_row_bytes(const struct features *f);
size_t features_block_bytes(const struct features *f);

/** Room for n rows, numbered below `end`, in memory or, dir given, in a file
 * of that folder. */
MUST_USE enum err_code features_reserve(struct features *f, int64_t n,
					int64_t end, const char *dir,
					struct err *err);
/** The same rows as inputs of the head, with `batch`'s targets. */
MUST_USE enum err_code features_make(struct features *f,
				     const struct batch *batch,
				     const struct batch **ret, struct err *err);
/** Puts what features_make() gave last into the cache; rows[n]: numbers. */
void features_put(struct features *f, const struct batch *made,
		  const int64_t *rows);
bool features_has(const struct features *f, const int64_t *rows, int64_t n);
/** Gives back the body's memory, which it takes again where it has to run. */
void features_rest(struct features *f);
/** From the cache. first: the batch's place in its order. */
const struct batch *features_get(struct features *f, const int64_t *rows,
				 int64_t n, int64_t first);

#endif
