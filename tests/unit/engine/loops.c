/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/loops.h"

#include <criterion/criterion.h>

#include <string.h>

#include "base/rng.h"

enum { N = 131 };

static void draw(enum dtype dtype, void *data, uint32_t stream)
{
	const struct rng rng = { .seed = 7, .stream = stream };

	for (uint64_t i = 0; i < N; i++) {
		const double x = dtype_is_float(dtype)
				     ? (double)rng_normal(rng, i)
				     : 1 + (double)rng_below(rng, i, 2);

		dtype_convert(DTYPE_F64, &x, dtype,
			      (char *)data + i * dtype_info(dtype)->size, 1,
			      true);
	}
}

/* One loop of one level against the level below, in all ways of walking. */
static void compare(const struct loop *loop, const struct loop *base,
		    enum dtype dtype, const char *level)
{
	static double a[N], b[N], want[N], got[N];
	const double p[LOOP_MAX_PARAMS] = { 0.25, 1.5, 0.5 };
	const void *in[LOOP_MAX_IN] = { a, b, b };

	draw(dtype, a, 1);
	draw(dtype, b, 2);
	for (int way = 0; way < 4; way++) {
		const int step[LOOP_MAX_IN] = { way & 1, way >> 1, 0 };

		memset(want, 0, sizeof(want));
		memset(got, 0, sizeof(got));
		base->run[dtype](N, in, step, want, p);
		loop->run[dtype](N, in, step, got, p);
		cr_expect_arr_eq(got, want, sizeof(got),
				 "%s of %s at %s, steps %d and %d", loop->op,
				 dtype_info(dtype)->name, level, way & 1,
				 way >> 1);
	}
}

Test(loops, every_level_gives_the_same_bits)
{
	const struct loop *base = loop_find_level(0, "Abs");

	cr_assert_not_null(base);
	for (; base->op; base++)
		for (unsigned level = 1; level < loop_levels(); level++)
			for (int type = 0; type < DTYPE_COUNT; type++)
				if (base->run[type])
					compare(
					    loop_find_level(level, base->op),
					    base, (enum dtype)type,
					    loop_level_name(level));
}

Test(loops, every_loop_has_a_row)
{
	const struct loop *loop = loop_find("Abs");
	char name[64];

	cr_assert_not_null(loop);
	for (; loop->op; loop++) {
		snprintf(name, sizeof(name), "%s", loop->op);
		name[strcspn(name, ".")] = '\0';
		cr_expect(op_find("", name) || op_find("predictd", name),
			  "no row is named '%s'", name);
	}
}
