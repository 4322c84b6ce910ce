/* SPDX-License-Identifier: Apache-2.0 */
#include "training/mixup.h"

#include <math.h>

#include "base/rng.h"

enum { STREAM_MIXUP = 0x4d495800 };

#define TRIES ((uint64_t)64)

/* The logarithm of a number of Gamma(shape), which itself could vanish.
 * Marsaglia and Tsang 2000; below 1 by the one of shape + 1. */
static double log_gamma_number(struct rng rng, double shape)
{
	const double d = (shape < 1 ? shape + 1 : shape) - 1. / 3;
	const double c = 1 / sqrt(9 * d);
	double v = 1;

	for (uint64_t i = 0; i < TRIES; i++) {
		const double x = (double)rng_normal(rng, 2 * i);
		const double u =
		    (double)rng_uniform(rng, 4 * TRIES + i) + 0x1p-25;

		v = (1 + c * x) * (1 + c * x) * (1 + c * x);
		if (v > 0 && log(u) < x * x / 2 + d - d * v + d * log(v))
			break;
		v = 1;
	}
	if (shape >= 1)
		return log(d * v);
	return log(d * v) +
	       log((double)rng_uniform(rng, 8 * TRIES) + 0x1p-25) / shape;
}

double mixup_beta(uint64_t seed, uint64_t draw, double alpha)
{
	struct rng rng = { .seed = seed,
			   .stream = STREAM_MIXUP,
			   .step = (uint32_t)draw };
	const double a = log_gamma_number(rng, alpha);

	rng.stream++;
	return 1 / (1 + exp(log_gamma_number(rng, alpha) - a));
}

double mixup_draw(uint64_t seed, uint64_t draw, double alpha, int64_t n,
		  int64_t *partner)
{
	const struct rng rng = { .seed = seed,
				 .stream = STREAM_MIXUP + 2,
				 .step = (uint32_t)draw };
	const double share = mixup_beta(seed, draw, alpha);

	rng_permutation(rng, (size_t)n, partner);
	return share < 0.5 ? 1 - share : share;
}
