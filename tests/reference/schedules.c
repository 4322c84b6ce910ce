/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Schedules against PyTorch and fastai: rate and momentum before each step.
 *
 * one_cycle counts steps; the others count epochs, which PyTorch's users step
 * once each, so step i of the file is epoch i.
 */
#include "training/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/str.h"
#include "reference.h"

#define TOLERANCE 1e-9
#define EXACT 1e-12
/* fastai computes in single precision: half of what it can tell at 1 */
#define FASTAI_TOLERANCE 3e-8
/* of the optimizer that made the file */
#define BASE_RATE 0.1
#define BASE_MOMENTUM 0.9

static const struct {
	const char *name, *type;
} rows[] = {
	{ "one_cycle_cos", "one_cycle" },
	{ "one_cycle_linear_three_phase", "one_cycle" },
	{ "cosine", "cosine" },
	{ "cosine_warm_restarts", "cosine_warm_restarts" },
	{ "step", "step" },
	{ "multistep", "multistep" },
	{ "exponential", "exponential" },
	{ "linear_warmup", "linear" },
	{ "polynomial", "polynomial" },
	{ "fastai_fit_one_cycle", "fit_one_cycle" },
	{ "one_cycle_10", "one_cycle" },
	{ "one_cycle_101_three_phase", "one_cycle" },
	{ "one_cycle_101_linear", "one_cycle" },
	{ "one_cycle_1000_linear_three_phase", "one_cycle" },
	{ "warmup_cosine", "cosine" },
	{ "inverse_sqrt", "inverse_sqrt" },
	{ "wsd", "wsd" },
	{ "plateau", "plateau" },
	{ "plateau_max_absolute", "plateau" },
};

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_equal(rows[i].name, name))
			return rows[i].type;
	}
	return NULL;
}

/* A spec of the file as a job would spell it; returns total_steps. */
static double convert(const struct doc *spec, double n, struct doc *map,
		      struct arena *arena)
{
	double total = n;

	for (const struct doc *at = spec->first; at; at = at->next) {
		struct doc *copy = doc_new(arena, at->kind);
		const char *key = at->key;

		cr_assert(copy);
		if (str_equal(key, "note") || str_equal(key, "metric"))
			continue;
		if (str_equal(key, "total_steps")) {
			total = at->number;
			continue;
		}
		*copy = *at;
		copy->next = NULL;
		doc_add(map, str_equal(key, "anneal") ? "anneal_strategy" : key,
			copy);
	}
	return total;
}

static void check_values(const struct schedule *schedule, double total,
			 const struct doc *row)
{
	const char *name = row->key;
	const struct doc *rate = doc_find(row, "lr")->first;
	const struct doc *momentum = doc_find(row, "momentum")->first;
	const struct doc *metric = doc_find(doc_find(row, "spec"), "metric");
	struct schedule_watch watch = { 0 };
	double tolerance = TOLERANCE;

	if (str_starts_with(name, "fastai"))
		tolerance = FASTAI_TOLERANCE;
	if (str_starts_with(name, "one_cycle_1"))
		tolerance = EXACT;
	metric = metric ? metric->first : NULL;

	for (int i = 0; rate; i++) {
		const struct schedule_time time = { .step = i,
						    .total_steps = total,
						    .epoch = i,
						    .epochs = total,
						    .reduction =
							watch.reduction };
		struct schedule_value got = schedule_at(schedule, &time);
		double m = isnan(got.momentum) ? BASE_MOMENTUM : got.momentum;

		cr_expect(fabs(got.rate - rate->number) <=
			      (tolerance < TOLERANCE ? tolerance : TOLERANCE),
			  "%s, step %d: rate %.12g, expected %.12g", name, i,
			  got.rate, rate->number);
		cr_expect(fabs(m - momentum->number) <= tolerance,
			  "%s, step %d: momentum %.12g, expected %.12g", name,
			  i, m, momentum->number);
		rate = rate->next;
		momentum = momentum->next;
		if (metric) {
			(void)schedule_observe(schedule, metric->number,
					       strstr(name, "_max"), &watch);
			metric = metric->next;
		}
	}
}

static void check_row(struct reference *reference, const struct doc *row,
		      const char *type)
{
	struct arena *arena = reference->arena;
	struct doc *map = doc_new(arena, DOC_MAP);
	double n = (double)doc_find(row, "lr")->n, total;
	struct schedule schedule;
	struct err err = { .code = ERR_NONE };

	cr_assert(map);
	doc_add(map, "type", doc_new_text(arena, type));
	total = convert(doc_find(row, "spec"), n, map, arena);
	cr_assert_eq(schedule_read(map, BASE_RATE, &schedule, arena, &err),
		     ERR_NONE, "%s: %s", row->key, err.msg);
	check_values(&schedule, total, row);
}

static void check_file(const char *name)
{
	struct reference reference;

	reference_open_meta(name, &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next) {
		const char *type = type_of(at->key);

		cr_assert(type, "there is no schedule for '%s'", at->key);
		check_row(&reference, at, type);
	}
	reference_close(&reference);
}

Test(schedules, agree_with_pytorch_and_fastai)
{
	check_file("schedules");
}

Test(schedules, agree_with_pytorch_and_formulas_beyond)
{
	check_file("schedules_more");
}
