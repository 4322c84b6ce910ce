/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the float runs of all levels share.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_FLOAT_RUN_PRIV_H
#define SERVER_FLOAT_RUN_PRIV_H

#include <stdbool.h>

#include "server/byte_mask.h"
#include "server/digits.h"
#include "server/float_run.h"

/* Bytes that may be read behind `at`, and before it. */
enum { RUN_SLACK = 96, RUN_BEFORE = 32, RUN_POWERS = 20 };

static const double run_powers[RUN_POWERS] = {
	1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,	 1e-7,	1e-8,  1e-9,
	1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19,
};

/** w * 10^-n rounded once; false where the double nearest to it does not
 * decide. w is below 2^63. */
static ALWAYS_INLINE bool run_scale(uint64_t w, unsigned n, uint32_t sign,
				    uint32_t *ret_bits)
{
	const double value = (double)(int64_t)w * run_powers[n];
	const float rounded = (float)value;
	uint64_t wide;
	uint32_t bits;

	memcpy(&wide, &value, sizeof(wide));
	memcpy(&bits, &rounded, sizeof(bits));
	*ret_bits = bits | sign << 31;
	/* 29 bits are rounded away; 2^28 is the middle */
	return ((wide - 0x0ffffffc) & 0x1fffffff) > 8;
}

/** Reads element i, which is all of [at, end); false: it is none. */
typedef bool run_take_fn(const char *at, const char *end, const void *run,
			 size_t i);

/** Elements up to commas, 64 bytes at a time and without vectors, for as long
 * as at least 64 may follow; *n counts on. Returns where the first one begins
 * that was not taken. */
static ALWAYS_INLINE const char *run_by_commas(const char *at, const char *end,
					       run_take_fn *take,
					       const void *run, size_t count,
					       size_t *n)
{
	size_t i = *n;

	while (end - at >= RUN_SLACK && count - i >= 64) {
		const char *block = at;
		uint64_t commas = byte_mask(at, ',');

		if (!commas)
			break;
		for (; commas; commas &= commas - 1) {
			const char *stop = block + __builtin_ctzll(commas);

			if (!take(at + (*at == ' '), stop, run, i))
				goto out;
			i++;
			at = stop + 1;
		}
	}
out:
	*n = i;
	return at;
}

/** One element of [at, end), without a sign. */
typedef bool run_element_fn(const char *at, const char *end, uint32_t sign,
			    uint32_t *ret_bits);

#endif
