/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The float run with vectors, compiled for each level of x86-64 (FLOAT_RUN is
 * its name there).
 *
 * The start, point and end of each element are known by block
 * (server/number_block_priv.h). An element is the 16 bytes up to its end, with
 * what stands before it masked and the point shuffled out: its digits, which
 * four multiplications join. No branch depends on where a point is, or on how
 * many digits there are. A block of short whole numbers, as pictures are sent,
 * is joined at once, and where the CPU can move single bytes one of up to 16
 * digits an element too (server/float_lanes_priv.h).
 */
#include "server/float_run_priv.h"

#include "server/float_lanes_priv.h"
#include "server/whole_block_priv.h"

enum { NO_POINT = 16, LONGEST = 19 };

float_run_fn FLOAT_RUN;

/* Bytes from others, without the one at p: those from
 * without_bytes[p] on. */
#define Z 0x80
static const uint8_t without_bytes[NO_POINT + 1][BLOCK_WIDTH] = {
	{ Z, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15 },
	{ Z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
};
#undef Z

/* The digits of an element of at most 16 bytes, n of them behind the point;
 * n -1: no point. */
static ALWAYS_INLINE uint64_t join_short(const char *end, size_t len, int n)
{
	const __m128i x = block_digits_before(end, len);

	return block_join(
	    _mm_shuffle_epi8(x, block_load(without_bytes[15 - n])));
}

/* One digit, the point, and 15 to 17 digits: by length what of the 16 bytes is
 * digits, and what the first digit, and the third byte, are worth. */
static ALWAYS_INLINE uint64_t join_long(const char *end, size_t len)
{
	static const uint64_t worth[][2] = {
		{ 1000000000000000, 0 },
		{ 10000000000000000, 0 },
		{ 100000000000000000, 10000000000000000 },
	};
	const uint64_t *by = worth[len - BLOCK_WIDTH - 1];
	const char *first = end - len;
	const size_t n = len == BLOCK_WIDTH + 1 ? BLOCK_WIDTH - 1 : BLOCK_WIDTH;

	return block_join(block_digits_before(end, n)) +
	       (uint64_t)(first[0] - '0') * by[0] +
	       (uint64_t)(first[2] - '0') * by[1];
}

/* The elements of a block; returns where it stopped. */
static ALWAYS_INLINE const char *
take_block(const char *block, struct number_block b, uint32_t *out, size_t *n)
{
	const uint64_t signs = b.minus << 1;
	unsigned point = (unsigned)_tzcnt_u64(b.point); /* 64: none */
	unsigned last = 0;

	for (; b.end; b.end &= b.end - 1, b.start &= b.start - 1) {
		const unsigned first = (unsigned)__builtin_ctzll(b.start);
		const unsigned stop = (unsigned)__builtin_ctzll(b.end);
		const bool has_point = point < stop;
		const unsigned len = stop - first;
		const int n_behind = has_point ? (int)(stop - point) - 1 : -1;
		const char *end = block + stop;
		uint64_t w;

		if (len <= BLOCK_WIDTH)
			w = join_short(end, len, n_behind);
		else if (len <= LONGEST && point - first == 1)
			w = join_long(end, len);
		else
			break;
		b.point = has_point ? b.point & (b.point - 1) : b.point;
		point = (unsigned)_tzcnt_u64(b.point);
		/* a second point is not JSON's */
		if (!run_scale(w, (unsigned)(n_behind + !has_point),
			       signs >> first & 1, &out[*n]) |
		    (point < stop))
			break;
		++*n;
		last = stop;
	}
	return block_after(block, &b, last);
}

/* The same where no element has a point or more than four digits. */
static ALWAYS_INLINE const char *
take_whole(const char *block, struct number_block b, uint32_t *out, size_t *n)
{
	const uint64_t signs = b.minus << 1;
	uint16_t whole[BLOCK];
	unsigned stop = 0;
	size_t i = *n;

	whole_block_join(block, whole);
	for (uint64_t end = b.end; end; end &= end - 1, i++) {
		const unsigned first = (unsigned)__builtin_ctzll(b.start);
		float value;

		stop = (unsigned)__builtin_ctzll(end);
		value = (float)(int32_t)whole[stop - 1];
		memcpy(&out[i], &value, sizeof(value));
		out[i] |= (uint32_t)(signs >> first & 1) << 31;
		b.start &= b.start - 1;
	}
	*n = i;
	return block_after(block, &b, stop);
}

static ALWAYS_INLINE const char *take_any(const char *block,
					  const struct number_block *b,
					  uint32_t *out, size_t *n)
{
	if (whole_block_is_short(b))
		return take_whole(block, *b, out, n);
#ifdef __AVX512VBMI2__
	const char *next = float_lanes_take(block, b, out, n);

	if (next)
		return next;
#endif
	return take_block(block, *b, out, n);
}

const char *FLOAT_RUN(const char *at, const char *end,
		      const struct float_run *run)
{
	size_t n = *run->n;

	if (at - run->begin < RUN_BEFORE)
		return at;
	while (end - at >= BLOCK) {
		const struct number_block b = block_look(at, run->is_nested);
		const char *next;

		if ((size_t)_mm_popcnt_u64(b.end) > run->count - n)
			break;
		next = take_any(at, &b, run->out, &n);

		if (next == at)
			break;
		at = next;
	}
	*run->n = n;
	return at;
}
