/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/step_loops.h"

#include <string.h>

#include "engine/kernels/loops.h"
#include "engine/kernels/step_loops_priv.h"

/* rows of the transpose that are read side by side */
enum { BLOCK = 16 };

const struct step_loops *step_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	if (level)
		return level == 2 ? &step_loops_v4 : &step_loops_v3;
#endif
	(void)level;
	return &step_loops_base;
}

const struct step_loops *step_loops(void)
{
	return step_loops_level(loop_levels() - 1);
}

void step_pack(const struct step_loops *loops, const float *b, int64_t k,
	       int64_t n, float *to)
{
	const int64_t width = loops->width;

	for (int64_t j = 0; j < n; j += width) {
		const int64_t left = n - j < width ? n - j : width;

		for (int64_t l = 0; l < k; l++, to += width) {
			memcpy(to, b + l * n + j, (size_t)left * sizeof(*to));
			memset(to + left, 0,
			       (size_t)(width - left) * sizeof(*to));
		}
	}
}

void step_pack_transposed(const struct step_loops *loops, const float *b,
			  int64_t k, int64_t n, float *to)
{
	const int64_t width = loops->width;

	for (int64_t j = 0; j < n; j += width, to += width * k) {
		const int64_t left = n - j < width ? n - j : width;

		for (int64_t first = 0; first < k; first += BLOCK) {
			const int64_t last =
			    first + BLOCK < k ? first + BLOCK : k;

			for (int64_t i = 0; i < left; i++)
				for (int64_t l = first; l < last; l++)
					to[l * width + i] = b[(j + i) * k + l];
		}
		for (int64_t l = 0; left < width && l < k; l++)
			memset(to + l * width + left, 0,
			       (size_t)(width - left) * sizeof(*to));
	}
}
