/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Profile, printed: as tables for people, as JSON for programs, as a trace for
 * the viewers that read Chrome's trace events.
 *
 * Ownership: borrows everything. Threads: one.
 */
#ifndef MEASURE_PROFILE_PRINT_H
#define MEASURE_PROFILE_PRINT_H

#include "base/buf.h"
#include "measure/peak.h"
#include "measure/profile.h"

struct profile_view {
	const struct profile *profile; /**< closed */
	struct samples_summary alone;  /**< runs that nobody watched */
	struct peak peak;	       /**< of one thread */
	size_t top;		       /**< rows of the table of steps */
};

MUST_USE enum err_code profile_print(const struct profile_view *view,
				     struct buf *buf, struct err *err);
MUST_USE enum err_code profile_write_json(const struct profile_view *view,
					  struct buf *buf, struct err *err);
/** The last watched run. */
MUST_USE enum err_code profile_write_trace(const struct profile *profile,
					   struct buf *buf, struct err *err);

/** "float[1,3,224,224] float[64,3,7,7] -> float[1,64,112,112]"; constants are
 * marked with "!". Cut to cap bytes. */
void profile_shapes(const struct profile_row *row, char *text, size_t cap);
/** Rows of one operator, or of one kernel, summed. */
struct profile_group {
	const char *name;
	size_t n;
	double min_us, median_us, cost_us, flops, bytes;
};
/** Those of all rows, the dearest first; the caller frees them. */
MUST_USE enum err_code profile_group(const struct profile *profile,
				     bool by_kernel,
				     struct profile_group **ret_group,
				     size_t *ret_n, struct err *err);

#endif
