/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Hash: FNV-1a of 64 bits over bytes (Fowler, Noll and Vo; RFC 9923), for
 * tables in memory and stamps. Anyone can make two texts that agree; digest.h
 * and fingerprint.h are for where that matters.
 *
 * Threads: pure function.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

/** A hash that began with HASH_BEGIN, and these bytes behind what it is of. */
static inline uint64_t hash_mix(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
