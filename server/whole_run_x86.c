/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The whole run with vectors, compiled for each level of x86-64 (WHOLE_RUN is
 * its name there): blocks whose numbers have four digits at most are joined at
 * once, others a number at a time.
 */
#include "server/whole_run.h"

#include "server/float_run_priv.h"
#include "server/whole_block_priv.h"

whole_run_fn WHOLE_RUN;

/* The elements of a block, from the numbers that end at each of its bytes, or
 * where whole is NULL from their digits; returns where it stopped. size is a
 * constant where this is inlined. */
static ALWAYS_INLINE const char *take(const char *block, struct number_block b,
				      const uint16_t *whole,
				      const struct whole_run *run, size_t size,
				      size_t *n)
{
	const uint64_t signs = b.minus << 1, limit = run->limit[0];
	const uint64_t limit_below = run->limit[1];
	char *out = (char *)run->out + *n * size;
	const char *const out_begin = out;
	unsigned last = 0;

	for (; b.end; b.end &= b.end - 1, b.start &= b.start - 1) {
		const unsigned first = (unsigned)__builtin_ctzll(b.start);
		const unsigned stop = (unsigned)__builtin_ctzll(b.end);
		const uint64_t sign = signs >> first & 1;
		uint64_t value;

		if (whole)
			value = whole[stop - 1];
		else if (stop - first <= BLOCK_WIDTH)
			value = block_join(
			    block_digits_before(block + stop, stop - first));
		else
			break;
		if (__builtin_expect(value > (sign ? limit_below : limit), 0))
			break;
		value = (value ^ (0 - sign)) + sign;
		memcpy(out, &value, size); /* its low bytes */
		out += size;
		last = stop;
	}
	*n += (size_t)(out - out_begin) / size;
	return block_after(block, &b, last);
}

static ALWAYS_INLINE const char *run_blocks(const char *at, const char *end,
					    const struct whole_run *run,
					    size_t size)
{
	size_t n = *run->n;

	while (end - at >= RUN_SLACK && run->count - n >= BLOCK_ELEMENTS) {
		struct number_block b = block_look(at, run->is_nested);
		const char *next;

		if (whole_block_is_short(&b)) {
			uint16_t whole[BLOCK];

			whole_block_join(at, whole);
			next = take(at, b, whole, run, size, &n);
		} else {
			/* up to the first point */
			b.end &= (b.point & -b.point) - 1;
			next = take(at, b, NULL, run, size, &n);
		}
		if (next == at)
			break;
		at = next;
	}
	*run->n = n;
	return at;
}

const char *WHOLE_RUN(const char *at, const char *end,
		      const struct whole_run *run)
{
	if (at - run->begin < RUN_BEFORE)
		return at;
	switch (run->size) {
	case 1:
		return run_blocks(at, end, run, 1);
	case 2:
		return run_blocks(at, end, run, 2);
	case 4:
		return run_blocks(at, end, run, 4);
	default:
		return run_blocks(at, end, run, 8);
	}
}
