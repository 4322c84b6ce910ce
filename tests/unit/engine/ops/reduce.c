/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/reduce_loops.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum { ROWS = 41, COLUMNS = 67 };

static const enum reduce_map maps[] = { MAP_SUM,     MAP_ABS, MAP_SQUARE,
					MAP_PRODUCT, MAP_MAX, MAP_MIN,
					MAP_EXP };

/* Rows reduced, columns reduced, and rows of three. */
static const struct reduce forms[] = {
	{ .n_kept = 1,
	  .n_reduced = 1,
	  .kept_dim = { ROWS },
	  .kept_stride = { COLUMNS },
	  .reduced_dim = { COLUMNS },
	  .reduced_stride = { 1 },
	  .n_out = ROWS,
	  .count = COLUMNS },
	{ .n_kept = 1,
	  .n_reduced = 1,
	  .kept_dim = { COLUMNS },
	  .kept_stride = { 1 },
	  .reduced_dim = { ROWS },
	  .reduced_stride = { COLUMNS },
	  .is_inner_kept = true,
	  .n_out = COLUMNS,
	  .count = ROWS },
	{ .n_kept = 1,
	  .n_reduced = 1,
	  .kept_dim = { ROWS * COLUMNS / 3 },
	  .kept_stride = { 3 },
	  .reduced_dim = { 3 },
	  .reduced_stride = { 1 },
	  .n_out = ROWS * COLUMNS / 3,
	  .count = 3 },
};

Test(reduce, all_levels_give_the_same_bits)
{
	float x[ROWS * COLUMNS], first[ROWS * COLUMNS], y[ROWS * COLUMNS];

	rng_fill_normal((struct rng){ .seed = 5 }, 0, ROWS * COLUMNS, x);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		for (size_t m = 0; m < sizeof(maps) / sizeof(*maps); m++) {
			const struct reduce_rule rule = { .map = maps[m] };
			struct reduce r = forms[i];

			r.rule = &rule;
			for (unsigned l = 0; l < loop_levels(); l++) {
				float *to = l ? y : first;

				reduce_fn_of_level(DTYPE_F32, l)(&r, x, to, 0,
								 r.n_out);
				cr_expect_eq(
				    memcmp(first, to,
					   (size_t)r.n_out * sizeof(*to)),
				    0, "form %zu, map %zu, %s", i, m,
				    loop_level_name(l));
			}
		}
	}
}
