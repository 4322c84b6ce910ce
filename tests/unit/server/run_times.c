/* SPDX-License-Identifier: Apache-2.0 */
#include "server/run_times.h"

#include <criterion/criterion.h>

static struct run_times times;

static void learn_twice(int64_t rows, int64_t ns)
{
	run_times_learn(&times, rows, ns);
	run_times_learn(&times, rows, ns);
}

Test(run_times, pads_to_a_few_sizes)
{
	static const int64_t rows[][2] = {
		{ 0, 1 },   { 1, 1 },	{ 5, 6 },   { 8, 8 },	{ 9, 12 },
		{ 17, 24 }, { 49, 64 }, { 64, 64 }, { 65, 65 }, { 1000, 1000 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(run_padded(rows[i][0]), rows[i][1], "%ld",
			     (long)rows[i][0]);
}

Test(run_times, judges_by_the_next_smaller_size)
{
	run_times_init(&times);
	cr_expect_eq(run_times_predict(&times, 1), 0);
	cr_expect_eq(run_times_predict(&times, 100), 0);
	cr_expect_not(run_times_knows(&times, 1));
	learn_twice(8, 7999);
	cr_expect(run_times_knows(&times, 7), "7 rows are padded to 8");
	cr_expect_not(run_times_knows(&times, 9));
	cr_expect_eq(run_times_predict(&times, 8), 8000);
	cr_expect_eq(run_times_predict(&times, 9), 12000, "padded to 12");
	cr_expect_eq(run_times_predict(&times, 128), 128000);
	cr_expect_eq(run_times_predict(&times, 1), 8000, "only a larger one");
	learn_twice(1, 1999);
	cr_expect_eq(run_times_predict(&times, 1), 2000);
	cr_expect_eq(run_times_predict(&times, 4), 8000);
	cr_expect_eq(run_times_predict(&times, 8), 8000, "its own");
	cr_expect_eq(run_times_predict(&times, INT64_MAX / 2), INT64_MAX,
		     "too long to say");
}

Test(run_times, moves_to_what_is_new)
{
	run_times_init(&times);
	run_times_learn(&times, 1, 999);
	run_times_learn(&times, 1, 1999);
	cr_expect_eq(run_times_predict(&times, 1), 1250);
	for (int i = 0; i < 100; i++)
		run_times_learn(&times, 1, 1999);
	cr_expect_geq(run_times_predict(&times, 1), 1990);
	cr_expect_eq(atomic_load(&times.ns_per_row),
		     run_times_predict(&times, 1));
	/* once it takes a thousand times as long: an accident */
	run_times_learn(&times, 1, 1999999);
	cr_expect_leq(run_times_predict(&times, 1), 3500);
	for (int i = 0; i < 100; i++)
		run_times_learn(&times, 1, 1999);
	run_times_learn(&times, 0, 1999);
	run_times_learn(&times, 1000, 1999);
	cr_expect_geq(run_times_predict(&times, 1), 1990);
}

Test(run_times, splits_where_padding_takes_longer)
{
	int64_t ns;

	run_times_init(&times);
	learn_twice(1, 999);
	learn_twice(8, 7999);
	learn_twice(12, 11999);
	cr_expect_eq(run_times_split(&times, 9, &ns), 8);
	cr_expect_eq(ns, 9000);
	cr_expect_eq(run_times_split(&times, 12, &ns), 12);
	cr_expect_eq(ns, 12000);
	cr_expect_eq(run_times_split(&times, 1, &ns), 1);
	cr_expect_eq(ns, 1000);
	cr_expect_eq(run_times_split(&times, 100, &ns), 100);
	/* where a row more costs nothing, all are run */
	for (int i = 0; i < 100; i++)
		run_times_learn(&times, 12, 7999);
	cr_expect_eq(run_times_split(&times, 9, &ns), 9);
}

Test(run_times, follows_in_proportion)
{
	struct run_times next;

	run_times_init(&times);
	learn_twice(1, 999);
	learn_twice(8, 3999);
	run_times_init(&next);
	run_times_learn(&next, 1, 1999);
	run_times_follow(&next, &times);
	cr_expect_eq(run_times_predict(&next, 1), 2000);
	cr_expect_eq(run_times_predict(&next, 8), 8000);
	cr_expect_not(run_times_knows(&next, 16));
	run_times_init(&next);
	run_times_follow(&next, &times);
	cr_expect_eq(run_times_predict(&next, 8), 4000, "nothing to go by");
}
