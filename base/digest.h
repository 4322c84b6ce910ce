/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Digest: SHA-256 (FIPS 180-4) as lower-case hex, secret comparison, random
 * names. nettle does the hashing, getrandom(2) the randomness.
 *
 * Ownership: plain data. Threads: one thread a struct.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DIGEST_HEX_MAX = 65 };

/** A hash under way; the bytes are the library's. */
struct digest {
	uint64_t state[16];
};

void digest_init(struct digest *digest);
void digest_update(struct digest *digest, const void *data, size_t len);
/** 64 hex digits and NUL; the struct is ready for a new hash. */
void digest_finish(struct digest *digest, char ret_hex[DIGEST_HEX_MAX]);
/** The whole in one call. */
void digest_sha256(const void *data, size_t len, char ret_hex[DIGEST_HEX_MAX]);
/** Whole file, read in pieces; reads from where fd stands. */
MUST_USE enum err_code digest_fd(int fd, const char *name,
				 char ret_hex[DIGEST_HEX_MAX], struct err *err);
/** Compares in a time that does not depend on the bytes. */
bool digest_equal(const void *a, const void *b, size_t len);

MUST_USE enum err_code digest_random(void *to, size_t len, struct err *err);
/** n hex digits and NUL: to has n + 1 bytes. n <= 64. */
MUST_USE enum err_code digest_random_hex(char *to, size_t n, struct err *err);

#endif
