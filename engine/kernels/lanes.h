/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Lanes: a vector of VECTOR_LANES floats, for files that are compiled once for
 * each level of CPU and define that first.
 *
 * Threads: pure.
 */
#ifndef ENGINE_KERNELS_LANES_H
#define ENGINE_KERNELS_LANES_H

#include <stdint.h>
#include <string.h>

enum { LANES = VECTOR_LANES };

typedef float vec __attribute__((vector_size(VECTOR_LANES * sizeof(float))));

/* LOW and HIGH: halves of two vectors like the teeth of a zip. */
#if VECTOR_LANES == 16
#define LANES_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LANES_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
enum { LANES_LOG = 4 };
#elif VECTOR_LANES == 8
#define LANES_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define LANES_HIGH 4, 12, 5, 13, 6, 14, 7, 15
enum { LANES_LOG = 3 };
#else
#define LANES_LOW 0, 4, 1, 5
#define LANES_HIGH 2, 6, 3, 7
enum { LANES_LOG = 2 };
#endif

static inline __attribute__((always_inline)) vec load(const float *from)
{
	vec v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static inline __attribute__((always_inline)) void store(vec v, float *to)
{
	memcpy(to, &v, sizeof(v));
}

static inline __attribute__((always_inline)) vec all(float x)
{
	return x - (vec){ 0 }; /* less nothing: no operation is left */
}

/* Out of the way of those that have all lanes. */
static __attribute__((noinline, cold, unused)) vec load_few(const float *from,
							    int64_t n)
{
	float part[VECTOR_LANES] = { 0 };

	for (int64_t i = 0; i < n; i++)
		part[i] = from[i];
	return load(part);
}

static __attribute__((noinline, cold, unused)) void store_few(vec v, int64_t n,
							      float *to)
{
	float part[VECTOR_LANES];

	store(v, part);
	for (int64_t i = 0; i < n; i++)
		to[i] = part[i];
}

/* The first n lanes where there are fewer; zeros, or what was there, behind. */
static inline __attribute__((always_inline)) vec load_part(const float *from,
							   int64_t n)
{
	return __builtin_expect(n >= LANES, 1) ? load(from) : load_few(from, n);
}

static inline __attribute__((always_inline)) void store_part(vec v, int64_t n,
							     float *to)
{
	if (__builtin_expect(n >= LANES, 1))
		store(v, to);
	else
		store_few(v, n, to);
}

/* to[l, i] = x[i, l] of a square, rows as far apart as said. After LANES_LOG
 * stages that zip halves, it lies on its side. */
static inline __attribute__((always_inline)) void
turn_square(const float *x, int64_t step, float *to, int64_t to_step)
{
	vec row[VECTOR_LANES], next[VECTOR_LANES];

#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		row[i] = load(x + i * step);
#pragma GCC unroll 4
	for (int stage = 0; stage < LANES_LOG; stage++) {
#pragma GCC unroll 8
		for (int64_t i = 0; i < LANES / 2; i++) {
			/* cppcheck-suppress uninitvar; loaded above */
			const vec a = row[i], b = row[i + LANES / 2];

			next[2 * i] = __builtin_shufflevector(a, b, LANES_LOW);
			next[2 * i + 1] =
			    __builtin_shufflevector(a, b, LANES_HIGH);
		}
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++)
			/* cppcheck-suppress uninitvar; made above */
			row[i] = next[i];
	}
#pragma GCC unroll 16
	for (int i = 0; i < LANES; i++)
		store(row[i], to + i * to_step);
}

/* to[l, i] = x[i, l], i < n <= LANES and l < k; zeros up to LANES. */
static inline void turn_rows(const float *x, int64_t step, const int64_t n_k[2],
			     float *to, int64_t to_step)
{
	const int64_t n = n_k[0], k = n_k[1];
	int64_t l = 0;

	for (; n == LANES && l + LANES <= k; l += LANES)
		turn_square(x + l, step, to + l * to_step, to_step);
	for (; l < k; l++)
		for (int64_t i = 0; i < LANES; i++)
			to[l * to_step + i] = i < n ? x[i * step + l] : 0;
}

#endif
