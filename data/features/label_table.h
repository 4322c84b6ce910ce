/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Label table: distinct texts and the place of each, found by its hash. Tables
 * of people or products have a label a row, so no list is searched.
 *
 * Ownership: everything is in the arena, texts that were added too.
 * Threads:   one writes; any may find.
 * Limits:    LABEL_TABLE_MAX labels (ERR_TOO_LARGE).
 */
#ifndef DATA_FEATURES_LABEL_TABLE_H
#define DATA_FEATURES_LABEL_TABLE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { LABEL_TABLE_MAX = 1000000 };

struct label_table {
	const char **label; /**< [n], in the order they came */
	size_t n, cap;
	uint32_t *slot; /**< label + 1; 0: free */
	size_t n_slots; /**< a power of two; 0: empty */
};

/** The place of a label; -1: it is none of them. */
int64_t label_table_find(const struct label_table *table, const char *label);
/** Copies the label into the arena, unless it is there. */
MUST_USE enum err_code label_table_add(struct label_table *table,
				       const char *label, struct arena *arena,
				       struct err *err);

#endif
