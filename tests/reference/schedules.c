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
	{ "fastai_fit_one_cycle", "one_cycle" },
};

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_equal(rows[i].name, name))
			return rows[i].type;
	}
	return NULL;
}

static void add_number(struct doc *map, const char *key, double number,
		       struct arena *arena)
{
	doc_add(map, key, doc_new_double(arena, number));
}

static double number_of(const struct doc *map, const char *key)
{
	const struct doc *child = doc_find(map, key);

	cr_assert(child, "the spec has no '%s'", key);
	return child->number;
}

/* fastai's value at step i of n is f(i / n), and its curve ends at n, which is
 * no step. PyTorch's phases end at pct_start n - 1 and n - 1: so they are the
 * same curve with one step more. */
static double convert_fastai(const struct doc *spec, double n, struct doc *map,
			     struct arena *arena)
{
	const struct doc *moms = doc_find(spec, "moms");
	double div = number_of(spec, "div");

	add_number(map, "max_lr", number_of(spec, "lr_max"), arena);
	add_number(map, "div_factor", div, arena);
	add_number(map, "final_div_factor", number_of(spec, "div_final") / div,
		   arena);
	add_number(map, "pct_start",
		   (number_of(spec, "pct_start") * n + 1) / (n + 1), arena);
	add_number(map, "max_momentum", moms->first->number, arena);
	add_number(map, "base_momentum", moms->first->next->number, arena);
	return n + 1;
}

/* A spec of the file as a job would spell it; returns total_steps. */
static double convert(const struct doc *spec, double n, struct doc *map,
		      struct arena *arena)
{
	double total = n;

	if (doc_find(spec, "lr_max"))
		return convert_fastai(spec, n, map, arena);
	for (const struct doc *at = spec->first; at; at = at->next) {
		struct doc *copy = doc_new(arena, at->kind);
		const char *key = at->key;

		cr_assert(copy);
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
	double tolerance =
	    str_starts_with(row->key, "fastai") ? FASTAI_TOLERANCE : TOLERANCE;

	for (int i = 0; rate; i++) {
		const struct schedule_time time = { .step = i,
						    .total_steps = total,
						    .epoch = i };
		struct schedule_value got = schedule_at(schedule, &time);
		double m = isnan(got.momentum) ? BASE_MOMENTUM : got.momentum;

		cr_expect(fabs(got.rate - rate->number) <= TOLERANCE,
			  "%s, step %d: rate %.12g, expected %.12g", name, i,
			  got.rate, rate->number);
		cr_expect(fabs(m - momentum->number) <= tolerance,
			  "%s, step %d: momentum %.12g, expected %.12g", name,
			  i, m, momentum->number);
		rate = rate->next;
		momentum = momentum->next;
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
	cr_assert_eq(schedule_read(map, BASE_RATE, n, &schedule, arena, &err),
		     ERR_NONE, "%s: %s", row->key, err.msg);
	check_values(&schedule, total, row);
}

Test(schedules, agree_with_pytorch_and_fastai)
{
	struct reference reference;
	unsigned n_done = 0;

	reference_open_meta("schedules", &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next) {
		const char *type = type_of(at->key);

		if (type) {
			check_row(&reference, at, type);
			n_done++;
		}
	}
	reference_close(&reference);
	cr_assert(n_done >= 9, "only %u schedules were compared", n_done);
}

Test(schedules, all_schedules_of_the_file_are_known)
{
	struct reference reference;

	reference_open_meta("schedules", &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next)
		cr_expect(type_of(at->key), "there is no schedule for '%s'",
			  at->key);
	reference_close(&reference);
}
