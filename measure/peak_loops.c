/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops that do nothing but load the arithmetic units, or the memory.
 *
 * Compiled once a level of CPU, as engine/kernels/loops.h is. Ten chains of
 * dependent steps hide the latency of one.
 */
#include "measure/peak_priv.h"

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
enum { CHAINS = 10, LANES = BYTES / 4, READS = 8 };

typedef float floats __attribute__((vector_size(BYTES)));
typedef uint64_t words __attribute__((vector_size(BYTES)));

static float multiply(int64_t turns)
{
	const floats a = { 0.5F }, b = { 1 };
	/* none begins as another: equal chains would be computed once */
	floats c0 = b * 1, c1 = b * 2, c2 = b * 3, c3 = b * 4, c4 = b * 5;
	floats c5 = b * 6, c6 = b * 7, c7 = b * 8, c8 = b * 9, c9 = b * 10;

	for (int64_t i = 0; i < turns; i++) {
		c0 = c0 * a + b;
		c1 = c1 * a + b;
		c2 = c2 * a + b;
		c3 = c3 * a + b;
		c4 = c4 * a + b;
		c5 = c5 * a + b;
		c6 = c6 * a + b;
		c7 = c7 * a + b;
		c8 = c8 * a + b;
		c9 = c9 * a + b;
	}
	c0 += c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9;
	return c0[0];
}

static uint64_t read(const void *from, size_t bytes)
{
	const words *word = from;
	words a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	for (size_t i = 0; i < bytes / BYTES; i += READS) {
		a ^= word[i] ^ word[i + 1];
		b ^= word[i + 2] ^ word[i + 3];
		c ^= word[i + 4] ^ word[i + 5];
		d ^= word[i + 6] ^ word[i + 7];
	}
	a ^= b ^ c ^ d;
	return a[0] ^ a[1];
}

const struct peak_loops PEAK_LOOPS = {
	.flops = 2.0 * CHAINS * LANES,
	.multiply = multiply,
	.read = read,
};
