/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct rng some = { .seed = 0x123456789abcdef0,
				 .stream = 3,
				 .step = 7 };

/* philox4x32 10 in the known answers of Random123 */
static const struct {
	uint32_t counter[4], key[2], want[4];
} answers[] = {
	{ { 0, 0, 0, 0 },
	  { 0, 0 },
	  { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
	{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
	  { 0xffffffff, 0xffffffff },
	  { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
	{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
	  { 0xa4093822, 0x299f31d0 },
	  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
};

Test(rng, gives_the_published_answers)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint32_t words[4];

		rng_philox(answers[i].counter, answers[i].key, words);
		cr_assert_arr_eq(words, answers[i].want, sizeof(words),
				 "case %zu", i);
	}
	cr_assert_eq(rng_u32((struct rng){ 0 }, 2), 0xbc57ac4c);
}

Test(rng, fills_exactly_what_single_draws_give)
{
	for (uint64_t first = 0; first < 6; first++)
		for (size_t n = 0; n < 14; n++) {
			float uniform[14], normal[14];
			uint32_t words[14];

			rng_fill_u32(some, first, n, words);
			rng_fill_uniform(some, first, n, uniform);
			rng_fill_normal(some, first, n, normal);
			for (size_t i = 0; i < n; i++) {
				cr_assert_eq(words[i],
					     rng_u32(some, first + i));
				cr_assert_eq(uniform[i],
					     rng_uniform(some, first + i));
				cr_assert_eq(normal[i],
					     rng_normal(some, first + i));
			}
		}
}

Test(rng, depends_on_every_part_of_its_place)
{
	const uint32_t here = rng_u32(some, 5);
	struct rng other = some;

	cr_assert_neq(rng_u32(some, 6), here);
	cr_assert_neq(rng_u32(some, 5 + (UINT64_C(1) << 40)), here);
	other.seed ^= UINT64_C(1) << 63;
	cr_assert_neq(rng_u32(other, 5), here);
	other = some;
	other.stream++;
	cr_assert_neq(rng_u32(other, 5), here);
	other = some;
	other.step++;
	cr_assert_neq(rng_u32(other, 5), here);
}

Test(rng, has_the_moments_of_its_distributions)
{
	enum { N = 200000 };
	static float u[N], z[N];
	double mean = 0, square = 0, normal = 0, variance = 0, kurtosis = 0;

	rng_fill_uniform(some, 0, N, u);
	rng_fill_normal(some, 0, N, z);
	for (size_t i = 0; i < N; i++) {
		cr_assert(u[i] >= 0 && u[i] < 1);
		mean += (double)u[i] / N;
		square += (double)u[i] * (double)u[i] / N;
		normal += (double)z[i] / N;
		variance += (double)z[i] * (double)z[i] / N;
		kurtosis += pow((double)z[i], 4) / N;
	}
	cr_assert_float_eq(mean, 0.5, 0.003);
	cr_assert_float_eq(square, 1.0 / 3, 0.003);
	cr_assert_float_eq(normal, 0, 0.01);
	cr_assert_float_eq(variance, 1, 0.015);
	cr_assert_float_eq(kurtosis, 3, 0.1);
}

Test(rng, draws_below_a_bound_evenly)
{
	unsigned counts[7] = { 0 };

	for (uint64_t i = 0; i < 70000; i++)
		counts[rng_below(some, i, 7)]++;
	for (size_t i = 0; i < 7; i++)
		cr_assert(counts[i] > 9600 && counts[i] < 10400, "%u",
			  counts[i]);
	cr_assert_eq(rng_below(some, 0, 1), 0);
	for (uint64_t i = 0; i < 1000; i++)
		cr_assert_lt(rng_below(some, i, (UINT64_C(1) << 63) + 1),
			     (UINT64_C(1) << 63) + 1);
}

Test(rng, permutes_every_index_once)
{
	enum { N = 1000 };
	int64_t order[N], again[N];
	char seen[N] = { 0 };
	size_t n_kept = 0;

	rng_permutation(some, N, order);
	for (size_t i = 0; i < N; i++) {
		cr_assert(order[i] >= 0 && order[i] < N && !seen[order[i]]);
		seen[order[i]] = 1;
		n_kept += order[i] == (int64_t)i;
	}
	cr_assert_lt(n_kept, 10);
	rng_permutation(some, N, again);
	cr_assert_arr_eq(order, again, sizeof(order));
	rng_permutation(some, 0, order);
	rng_permutation(some, 1, again);
	cr_assert_eq(again[0], 0);
}

Test(rng, all_orders_of_three_are_equally_likely)
{
	unsigned counts[27] = { 0 };
	struct rng rng = some;

	for (rng.step = 0; rng.step < 12000; rng.step++) {
		int64_t p[3];

		rng_permutation(rng, 3, p);
		counts[p[0] * 9 + p[1] * 3 + p[2]]++;
	}
	for (size_t i = 0; i < 27; i++)
		cr_assert(counts[i] == 0 ||
			      (counts[i] > 1830 && counts[i] < 2170),
			  "%u", counts[i]);
}
