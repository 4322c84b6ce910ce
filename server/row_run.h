/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Row run: counts the numbers of rows, and rows, without reading them.
 *
 * For the shape of a nested array. It takes whole rows that are as long as the
 * first one, and stops before what is not plain; the caller goes on, and says
 * what is wrong there.
 *
 * Ownership: borrows all. Threads: pure but for n and n_rows.
 */
#ifndef SERVER_ROW_RUN_H
#define SERVER_ROW_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct row_run {
	int64_t *n;	 /**< numbers of the row that is open; counted on */
	int64_t *n_rows; /**< rows that have closed; counted on */
	int64_t extent;	 /**< numbers of a row; -1: goes over no bracket */
};

/** at: where a number of a row may begin. Returns the start of the first one
 * that was not counted: behind a comma, or behind a bracket that opens. */
typedef const char *row_run_fn(const char *at, const char *end,
			       const struct row_run *run);

/** The fastest one of this CPU; one that counts nothing where there is none. */
row_run_fn *row_run_find(void);

#endif
