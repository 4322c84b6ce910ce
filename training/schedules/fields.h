/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fields that rows of schedules share.
 */
#ifndef TRAINING_SCHEDULES_FIELDS_H
#define TRAINING_SCHEDULES_FIELDS_H

#include <stddef.h>

#include "training/schedule.h"

/* clang-format off */
#define SCHEDULE_AT(member) offsetof(struct schedule_params, member)
#define SCHEDULE_NUMBER(text, of, member, low, high, value)                    \
	{ .name = text, .help = of, .kind = FIELD_DOUBLE,                      \
	  .offset = SCHEDULE_AT(member), .min = low, .max = high, .def = value }
/** last in the table of a schedule that may warm up */
#define SCHEDULE_WARMUP                                                        \
	SCHEDULE_NUMBER("warmup_steps", "steps before the schedule, in which the rate rises", \
			warmup_steps, 0, 1e12, 0),                             \
	SCHEDULE_NUMBER("warmup_fraction", "the same, as a share of all steps",   \
			warmup_fraction, 0, 1, 0),                             \
	SCHEDULE_NUMBER("warmup_start_factor", "of the rate at the first step",   \
			warmup_start_factor, 0, 1, 0),                         \
	{ 0 }
#define SCHEDULE_ROW(row, text, table, function)                               \
	extern const struct schedule_kind schedule_##row;                      \
	const struct schedule_kind schedule_##row = {                          \
		.name = #row, .help = text, .fields = table, .at = function }
/* clang-format on */

static inline struct schedule_value schedule_rate(double rate)
{
	return (struct schedule_value){ .rate = rate,
					.momentum = (double)__builtin_nan("") };
}

#endif
