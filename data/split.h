/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Split: which rows are for training, validation and test.
 *
 * A key of each row comes from one column where the way to split has one:
 * equal values have equal keys, and those of dates and numbers rise with them.
 *
 * Ownership: plain data; keys are the caller's. Threads: pure functions.
 */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H

#include "data/dataset.h"

/** The column's value of the row that stands at that place of the order. */
struct split_key {
	uint64_t key;
	int64_t place;
};

/** Rows in parts: row[first[p]] to row[first[p] + n[p] - 1]. */
struct split_parts {
	int64_t *row; /**< room for all rows */
	int64_t first[PART_COUNT], n[PART_COUNT];
};

/** The first n_train rows, and the rest to validate on. */
void split_fixed(int64_t n, int64_t n_train, struct split_parts *ret);
/** n rows in their order, or (seed) in one by chance, cut where shares say. */
void split_in_order(int64_t n, const struct field_doubles *shares,
		    struct split_parts *ret);
void split_random(int64_t n, const struct field_doubles *shares, uint64_t seed,
		  struct split_parts *ret);
/** Parts anew, of n rows in an order by chance, by their keys, which are
 * sorted here:
 * SPLIT_STRATIFY: each part has its share of the rows of each key, to one row;
 * SPLIT_HASH: rows of one key are in one part, whatever other rows there are;
 * SPLIT_DATETIME: the lowest keys train, the highest test. */
void split_by_key(enum split_type type, int64_t n,
		  const struct field_doubles *shares, struct split_key *key,
		  struct split_parts *parts);

/** Of a value to tell apart. */
uint64_t split_hash(const struct raw_value *value);
/** Of a number or a date such as 2024-05-31T12:30:00; false: it is neither. */
bool split_rank(const struct raw_value *value, uint64_t *ret_key);

#endif
