/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sampling.h"

#include <criterion/criterion.h>
#include <string.h>

enum { N = 6, FIRST = 1, DRAWS = 4000 };

/* The first must never be drawn, whatever it has. Probabilities of the others
 * at temperature 1: 0.5, 0.25, 0.125, 0.0625, 0.0625. */
static const float logits[N] = { 99,	      -0.6931472F, -1.3862944F,
				 -2.0794415F, -2.7725887F, -2.7725887F };

static void count(const struct sampling *s, int *ret_count)
{
	struct arena *arena = arena_create(1 << 20);

	memset(ret_count, 0, N * sizeof(*ret_count));
	for (int i = 0; i < DRAWS; i++) {
		const double u = ((double)i + 0.5) / DRAWS;
		const int64_t id = sampling_draw(s, logits, FIRST, N, u, arena);

		cr_assert(id >= FIRST && id < N);
		ret_count[id]++;
		arena_reset(arena);
	}
	arena_destroy(arena);
}

Test(sampling, tokens_come_as_often_as_they_are_likely)
{
	struct sampling s;
	int n[N];

	sampling_init(&s);
	count(&s, n);
	cr_expect_eq(n[1], DRAWS / 2);
	cr_expect_eq(n[2], DRAWS / 4);
	cr_expect_eq(n[5], DRAWS / 16);
	s.temperature = 0.5; /* squares: 16 4 1 1/4 1/4 of 21.5 */
	count(&s, n);
	cr_expect_float_eq(n[1], DRAWS * 16 / 21.5, 2);
	s.temperature = 0;
	count(&s, n);
	cr_expect_eq(n[1], DRAWS);
}

Test(sampling, unlikely_tokens_are_cut_off)
{
	struct sampling s;
	int n[N];

	sampling_init(&s);
	s.top_k = 2;
	count(&s, n);
	cr_expect(n[3] == 0 && n[4] == 0 && n[5] == 0);
	cr_expect_float_eq(n[1], DRAWS * 2 / 3., 2);
	s.top_k = 0;
	s.top_p = 0.7;
	count(&s, n);
	cr_expect(n[2] > 0 && n[3] == 0);
	s.top_p = 0; /* the likeliest stays */
	count(&s, n);
	cr_expect_eq(n[1], DRAWS);
	s.top_p = 1;
	s.min_p = 0.2;
	count(&s, n);
	cr_expect(n[3] > 0 && n[4] == 0 && n[5] == 0);
}

Test(sampling, what_is_no_number_still_gives_a_token)
{
	const float none[N] = { 0,	     0.0F / 0.0F, 0.0F / 0.0F,
				0.0F / 0.0F, 0.0F / 0.0F, 0.0F / 0.0F };
	struct arena *arena = arena_create(1 << 20);
	struct sampling s;
	int64_t id;

	sampling_init(&s);
	s.top_k = 3;
	id = sampling_draw(&s, none, FIRST, N, 0.3, arena);
	cr_expect(id >= FIRST && id < N);
	arena_destroy(arena);
}

static enum err_code read(const char *text, struct sampling *ret,
			  struct err *err)
{
	struct arena *arena = arena_create(1 << 20);
	struct json_pull pull;
	enum err_code rc;

	sampling_init(ret);
	json_pull_init(&pull, text, strlen(text), "parameters", arena);
	rc = sampling_read(ret, &pull, err);
	arena_destroy(arena);
	return rc;
}

Test(sampling, parameters_are_read_and_ranges_told)
{
	struct sampling s;
	struct err err;

	cr_assert_eq(
	    read("{\"temperature\": 0.5, \"top_k\": 7, \"max_tokens\": "
		 "3, \"seed\": 9, \"other\": [1]}",
		 &s, &err),
	    ERR_NONE);
	cr_expect(s.temperature == 0.5 && s.top_k == 7 && s.seed == 9 &&
		  s.has_seed && s.max_new_tokens == 3 && s.top_p == 1);
	cr_expect_eq(read("{\"min_p\": 1.5}", &s, &err), ERR_INVALID);
	cr_expect(strstr(err.msg, "\"min_p\": expected a number from 0 to 1"),
		  "%s", err.msg);
	cr_expect_eq(read("{\"max_new_tokens\": 20000}", &s, &err),
		     ERR_INVALID);
	cr_expect(strstr(err.msg, "at most 16384"), "%s", err.msg);
	cr_expect_eq(read("{\"temperature\": NaN}", &s, &err), ERR_INVALID);
}
