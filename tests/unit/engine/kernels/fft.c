/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/fft.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"

enum { LONGEST = 130 };

static const struct rng rng = { .seed = 5 };

static struct fft_value drawn(int64_t i)
{
	const uint64_t at = 2 * (uint64_t)i;

	return (struct fft_value){ (double)rng_normal(rng, at),
				   (double)rng_normal(rng, at + 1) };
}

/* Element k by the definition. */
static struct fft_value by_definition(int64_t n, int64_t k)
{
	struct fft_value sum = { 0, 0 };

	for (int64_t i = 0; i < n; i++) {
		const double t = -2 * M_PI * (double)(i * k % n) / (double)n;
		const struct fft_value x = drawn(i);

		sum.re += x.re * cos(t) - x.im * sin(t);
		sum.im += x.re * sin(t) + x.im * cos(t);
	}
	return sum;
}

static void check_near(struct fft_value got, struct fft_value want, int64_t n,
		       int64_t k)
{
	cr_assert(fabs(got.re - want.re) + fabs(got.im - want.im) < 1e-11,
		  "length %lld, element %lld: %g %+g i, not %g %+g i",
		  (long long)n, (long long)k, got.re, got.im, want.re, want.im);
}

static void check_length(int64_t n)
{
	struct fft_value *room =
	    mem_array((size_t)fft_room(n), sizeof(struct fft_value));
	struct fft fft;

	cr_assert_not_null(room);
	fft_init(&fft, n, room);
	for (int64_t i = 0; i < n; i++)
		fft.x[i] = drawn(i);
	fft_run(&fft, false);
	for (int64_t i = 0; i < n; i++)
		check_near(fft.x[i], by_definition(n, i), n, i);
	fft_run(&fft, true);
	for (int64_t i = 0; i < n; i++)
		check_near(fft.x[i], drawn(i), n, i);
	mem_free(room);
}

Test(fft, any_length_is_what_the_definition_says)
{
	for (int64_t n = 1; n <= LONGEST; n++)
		check_length(n);
	check_length(1009);
	check_length(1024);
}
