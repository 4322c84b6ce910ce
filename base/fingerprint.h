/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fingerprint: 128 bits of a block under a secret key, to tell large blocks
 * apart fast.
 *
 * The words of the block are the coefficients of polynomials over the
 * integers modulo 2^61 - 1, evaluated at two points that the key holds
 * (Carter and Wegman 1979). Whoever does not know the key cannot make two
 * blocks that agree; blocks of 100 MB agree by chance once in 2^74. Under
 * another key, thus in another process, a block has another fingerprint: it is
 * for tables in memory, digest.h for what is written down.
 *
 * Ownership: plain data.
 * Threads:   pure functions.
 */
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { FINGERPRINT_POINTS = 2 };

struct fingerprint_key {
	uint64_t word[FINGERPRINT_POINTS], lane[FINGERPRINT_POINTS];
};

struct fingerprint {
	uint64_t half[FINGERPRINT_POINTS];
};

MUST_USE enum err_code fingerprint_key_draw(struct fingerprint_key *ret_key,
					    struct err *err);
struct fingerprint fingerprint_of(const struct fingerprint_key *key,
				  const void *bytes, size_t n);

static inline bool fingerprint_equal(struct fingerprint a, struct fingerprint b)
{
	return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

#endif
