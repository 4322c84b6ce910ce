/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fingerprint.h"

#include <string.h>

#include "base/digest.h"

/* LANES polynomials at once hide how long a product takes; a word takes seven
 * bytes, so that it is below the prime. */
enum { LANES = 4, WORD = 7, STRIDE = LANES * WORD };

#define PRIME (((uint64_t)1 << 61) - 1)
#define WORD_MASK (((uint64_t)1 << 8 * WORD) - 1)

__extension__ typedef unsigned __int128 wide;

/* acc * point + word modulo PRIME, but for one PRIME too much. */
static inline uint64_t step(uint64_t acc, uint64_t point, uint64_t word)
{
	const wide sum = (wide)acc * point + word;
	const uint64_t folded = (uint64_t)(sum & PRIME) + (uint64_t)(sum >> 61);

	return (folded & PRIME) + (folded >> 61);
}

enum err_code fingerprint_key_draw(struct fingerprint_key *ret_key,
				   struct err *err)
{
	struct fingerprint_key key;
	enum err_code rc = digest_random(&key, sizeof(key), err);

	if (rc)
		return rc;
	for (int i = 0; i < FINGERPRINT_POINTS; i++) {
		key.word[i] %= PRIME;
		key.lane[i] %= PRIME;
	}
	*ret_key = key;
	return ERR_NONE;
}

/* One round over STRIDE bytes; 8 - WORD bytes behind them are read, too. */
static inline void take(const struct fingerprint_key *key,
			const unsigned char *at,
			uint64_t acc[FINGERPRINT_POINTS][LANES])
{
	for (int i = 0; i < LANES; i++) {
		uint64_t word;

		memcpy(&word, at + (ptrdiff_t)i * WORD, sizeof(word));
		word &= WORD_MASK;
		for (int p = 0; p < FINGERPRINT_POINTS; p++)
			acc[p][i] = step(acc[p][i], key->word[p], word);
	}
}

struct fingerprint fingerprint_of(const struct fingerprint_key *key,
				  const void *bytes, size_t n)
{
	uint64_t acc[FINGERPRINT_POINTS][LANES] = { 0 };
	unsigned char rest[STRIDE + sizeof(uint64_t)] = { 0 };
	const unsigned char *at = bytes;
	struct fingerprint ret;
	size_t left = n;

	for (; left >= sizeof(rest); left -= STRIDE, at += STRIDE)
		take(key, at, acc);
	while (left) {
		const size_t part = left < STRIDE ? left : STRIDE;

		memset(rest, 0, sizeof(rest));
		memcpy(rest, at, part);
		take(key, rest, acc);
		at += part;
		left -= part;
	}
	for (int p = 0; p < FINGERPRINT_POINTS; p++) {
		/* blocks that differ in zeros at their end differ in n */
		uint64_t sum = step(1, key->lane[p], n & WORD_MASK);

		for (int i = 0; i < LANES; i++)
			sum = step(sum, key->lane[p], acc[p][i]);
		ret.half[p] = sum % PRIME;
	}
	return ret;
}
