/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The row run with vectors, compiled for each level of x86-64 (ROW_RUN is its
 * name there): numbers end where bits are set, and are counted by them.
 */
#include "server/row_run.h"

#include "server/number_block_priv.h"

row_run_fn ROW_RUN;

/* Where counting is. */
struct count {
	int64_t n, n_rows;
	bool is_over; /* a row of another length */
};

/* The numbers of a block; returns where it stopped. */
static ALWAYS_INLINE const char *take_block(const char *block,
					    const struct number_block *b,
					    int64_t extent, struct count *count)
{
	uint64_t end = b->end, row = b->end & ~b->comma;
	unsigned last = 0;

	for (; row; row &= row - 1) {
		const uint64_t upto = row ^ (row - 1);

		if (count->n + __builtin_popcountll(end & upto) != extent) {
			/* from its first number in this block on again */
			count->is_over = true;
			return block_after(block, b, last);
		}
		end &= ~upto;
		count->n = 0;
		count->n_rows++;
		last = (unsigned)__builtin_ctzll(row);
	}
	if (end)
		last = 63 - (unsigned)__builtin_clzll(end);
	count->n += __builtin_popcountll(end);
	return block_after(block, b, last);
}

const char *ROW_RUN(const char *at, const char *end, const struct row_run *run)
{
	struct count count = { .n = *run->n, .n_rows = *run->n_rows };

	while (end - at >= BLOCK && !count.is_over) {
		const struct number_block b = block_look(at, run->extent >= 0);
		const char *next = take_block(at, &b, run->extent, &count);

		if (next == at)
			break;
		at = next;
	}
	*run->n = count.n;
	*run->n_rows = count.n_rows;
	return at;
}
