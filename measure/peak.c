/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/peak.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/kernels/loops.h"
#include "measure/peak_priv.h"

enum { TRIALS = 20, TURNS = 200000, READ_TRIALS = 5, READ_BYTES = 64 << 20 };

static const struct peak_loops *choose(void)
{
#ifdef PEAK_X86_LEVELS
	static const struct peak_loops *const level[] = { &peak_loops_base,
							  &peak_loops_v3,
							  &peak_loops_v4 };

	return level[loop_levels() - 1];
#else
	return &peak_loops_base;
#endif
}

enum err_code peak_measure(struct peak *ret_peak, struct err *err)
{
	const struct peak_loops *loops = choose();
	volatile uint64_t sink = 0;
	int64_t least = INT64_MAX, least_read = INT64_MAX;
	char *memory = mem_aligned(READ_BYTES);

	if (!memory)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	memset(memory, 1, READ_BYTES);
	for (int i = 0; i < TRIALS; i++) {
		const int64_t start = clock_monotonic_ns();
		int64_t ns;

		sink = sink + (uint64_t)loops->multiply(TURNS);
		ns = clock_monotonic_ns() - start;
		least = ns < least ? ns : least;
	}
	for (int i = 0; i < READ_TRIALS; i++) {
		const int64_t start = clock_monotonic_ns();
		int64_t ns;

		sink = sink + loops->read(memory, READ_BYTES);
		ns = clock_monotonic_ns() - start;
		least_read = ns < least_read ? ns : least_read;
	}
	mem_free(memory);
	ret_peak->gflops =
	    loops->flops * TURNS / (double)(least > 0 ? least : 1);
	ret_peak->read_gbytes =
	    (double)READ_BYTES / (double)(least_read > 0 ? least_read : 1);
	return ERR_NONE;
}
