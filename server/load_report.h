/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Load report: what loading a version tells about its plan for one row (or for
 * the model's fixed shapes), in the log and in `GET /models/M`.
 *
 * Ownership: plain data.
 * Threads:   made by the loading thread; then read only.
 */
#ifndef SERVER_LOAD_REPORT_H
#define SERVER_LOAD_REPORT_H

#include <stdbool.h>

#include "engine/plan_cache.h"

struct json_writer;

enum { LOAD_REPORT_TEXT_MAX = 192 };

struct load_report {
	bool is_there; /**< shapes were known at load */
	bool is_strict;
	/** Bytes of one run: all, and what of it are the file's constants, the
	 * forms that kernels want, and inputs, values and outputs. */
	size_t peak, constants, packs, arena;
	unsigned n_shortcuts; /**< convolutions by Winograd's method */
	double deviation;     /**< engine/plan_deviation.h */
};

/** Input i of the model is input[i]; its values do not matter. */
MUST_USE enum err_code load_report_make(struct plan_cache *plans,
					const struct tensor_view *input,
					unsigned n, struct load_report *ret,
					struct err *err);
/** What the log says of it, beginning with "; ", or "". */
const char *load_report_text(const struct load_report *report,
			     char ret_text[LOAD_REPORT_TEXT_MAX]);
/** A member `plan` of the object that is open. */
void load_report_write(const struct load_report *report, struct json_writer *w);

#endif
