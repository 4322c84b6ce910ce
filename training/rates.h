/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rates: what `learning_rate` says, by groups of layers.
 *
 * A number rules all groups. A list gives rates from the first groups to the
 * last: where it is shorter than the network, its first number rules all
 * groups that are left over at the beginning. A map {from, to} is spread
 * geometrically from the first group to the last; {to} alone gives every group
 * but the last a tenth of it (both as in fastai's slices). `auto` asks the
 * learning rate finder.
 *
 * Ownership: lists live in the arena. Threads: pure.
 */
#ifndef TRAINING_RATES_H
#define TRAINING_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"

struct json_writer;

struct rates {
	bool is_auto;
	size_t n; /**< of the list, or 1; 0: a map */
	const double *v;
	double from, to; /**< of a map; from 0: a tenth of to */
};

/** NULL: `usual` for all. `where` begins messages. */
MUST_USE enum err_code rates_read(const struct doc *doc, const char *where,
				  double usual, struct rates *ret,
				  struct arena *arena, struct err *err);
void rates_write(const struct rates *rates, struct json_writer *writer);
/** The rate of the last group, which schedules are told; 1 where it is auto. */
double rates_base(const struct rates *rates);
/** ret_factor[n_groups]: what each group's rate is of the base. ERR_INVALID
 * where a list is longer than there are groups. */
MUST_USE enum err_code rates_spread(const struct rates *rates, int32_t n_groups,
				    double *ret_factor, struct err *err);

#endif
