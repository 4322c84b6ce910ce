/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { WORDS = 4, ROUNDS = 10 };

/* Salmon et al. 2011, section 3.3 and table 1 of the reference code */
static const uint32_t mul_0 = 0xD2511F53, mul_1 = 0xCD9E8D57;
static const uint32_t weyl_0 = 0x9E3779B9, weyl_1 = 0xBB67AE85;

void rng_philox(const uint32_t counter[4], const uint32_t key[2],
		uint32_t ret_words[4])
{
	uint32_t c0 = counter[0], c1 = counter[1];
	uint32_t c2 = counter[2], c3 = counter[3];
	uint32_t k0 = key[0], k1 = key[1];

	for (int round = 0; round < ROUNDS; round++) {
		const uint64_t p0 = (uint64_t)mul_0 * c0;
		const uint64_t p1 = (uint64_t)mul_1 * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		k0 += weyl_0;
		k1 += weyl_1;
	}
	ret_words[0] = c0;
	ret_words[1] = c1;
	ret_words[2] = c2;
	ret_words[3] = c3;
}

static void block_of(struct rng rng, uint64_t block, uint32_t ret_words[WORDS])
{
	const uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32),
				      rng.stream, rng.step };
	const uint32_t key[2] = { (uint32_t)rng.seed,
				  (uint32_t)(rng.seed >> 32) };

	rng_philox(counter, key, ret_words);
}

static float uniform_of(uint32_t word)
{
	return (float)(word >> 8) * 0x1p-24f;
}

/* Two words make two numbers: the cosine's for the first element of the pair,
 * the sine's for the second. In double, so that the last bit of a float does
 * not depend on the library's choice of instructions. */
static void normals_of(const uint32_t words[2], float ret_pair[2])
{
	static const double two_pi = 6.28318530717958647692;
	const double radius = sqrt(-2.0 * log((words[0] + 1.0) * 0x1p-32));
	const double angle = two_pi * (words[1] * 0x1p-32);

	ret_pair[0] = (float)(radius * cos(angle));
	ret_pair[1] = (float)(radius * sin(angle));
}

uint32_t rng_u32(struct rng rng, uint64_t element)
{
	uint32_t words[WORDS];

	block_of(rng, element / WORDS, words);
	return words[element % WORDS];
}

float rng_uniform(struct rng rng, uint64_t element)
{
	return uniform_of(rng_u32(rng, element));
}

float rng_normal(struct rng rng, uint64_t element)
{
	uint32_t words[WORDS];
	float pair[2];

	block_of(rng, element / WORDS, words);
	normals_of(words + element % WORDS / 2 * 2, pair);
	return pair[element % 2];
}

/* Element e draws from block e, and from block e + 2^56 t at its t-th retry:
 * a draw below 2^64 mod bound would favour small results. */
uint64_t rng_below(struct rng rng, uint64_t element, uint64_t bound)
{
	const uint64_t threshold = (0 - bound) % bound;

	for (uint64_t retry = 0;; retry++) {
		uint32_t words[WORDS];

		block_of(rng, element + (retry << 56), words);
		for (int i = 0; i < WORDS; i += 2) {
			const uint64_t draw =
			    (uint64_t)words[i] << 32 | words[i + 1];

			if (draw >= threshold)
				return draw % bound;
		}
	}
}

void rng_fill_u32(struct rng rng, uint64_t first, size_t n, uint32_t *out)
{
	uint32_t words[WORDS];

	for (size_t i = 0; i < n;) {
		const size_t from = (first + i) % WORDS;
		size_t take = WORDS - from;

		if (take > n - i)
			take = n - i;
		block_of(rng, (first + i) / WORDS, words);
		memcpy(out + i, words + from, take * sizeof(*out));
		i += take;
	}
}

void rng_fill_uniform(struct rng rng, uint64_t first, size_t n, float *out)
{
	uint32_t words[WORDS];
	size_t i = 0;

	for (; i < n && (first + i) % WORDS; i++)
		out[i] = rng_uniform(rng, first + i);
	for (; n - i >= WORDS; i += WORDS) {
		block_of(rng, (first + i) / WORDS, words);
		for (size_t j = 0; j < WORDS; j++)
			out[i + j] = uniform_of(words[j]);
	}
	for (; i < n; i++)
		out[i] = rng_uniform(rng, first + i);
}

void rng_fill_normal(struct rng rng, uint64_t first, size_t n, float *out)
{
	uint32_t words[WORDS];
	size_t i = 0;

	for (; i < n && (first + i) % WORDS; i++)
		out[i] = rng_normal(rng, first + i);
	for (; n - i >= WORDS; i += WORDS) {
		block_of(rng, (first + i) / WORDS, words);
		normals_of(words, out + i);
		normals_of(words + 2, out + i + 2);
	}
	for (; i < n; i++)
		out[i] = rng_normal(rng, first + i);
}

void rng_permutation(struct rng rng, size_t n, int64_t *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (int64_t)i;
	for (size_t i = n; i > 1; i--) {
		const size_t j = (size_t)rng_below(rng, i, i);
		const int64_t kept = out[i - 1];

		out[i - 1] = out[j];
		out[j] = kept;
	}
}
