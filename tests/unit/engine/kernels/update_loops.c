/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/update_loops.h"

#include <criterion/criterion.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"
#include "engine/ops/optimizer.h"

static void draw(float *to, size_t n, uint32_t stream)
{
	rng_fill_normal((struct rng){ .stream = stream }, 0, n, to);
}

enum { N = 77, RULES = 14 };

/* Parameters, what rules keep, and a gradient. */
static void begin(float at[4][N], float grad[N])
{
	draw(grad, N, 6);
	draw(at[0], N, 7);
	for (int i = 0; i < N; i++) {
		at[1][i] = 2 + grad[i] * grad[i];
		at[2][i] = 1;
		at[3][i] = 0.1f;
	}
}

Test(update_loops, have_the_same_bits_at_every_level)
{
	const float hyper[OPTIMIZER_HYPER] = { [HYPER_RATE] = 0.1f,
					       [HYPER_L2] = 0.01f,
					       [HYPER_KEEP] = 0.999f,
					       [HYPER_MOMENTUM] = 0.9f,
					       [HYPER_FRESH] = 0.1f,
					       [HYPER_SQUARE] = 0.99f,
					       [HYPER_SQUARE_FRESH] = 0.01f,
					       [HYPER_EPS] = 1e-8f,
					       [HYPER_ROOT] = 2,
					       [HYPER_MAX_VALUE] = 1,
					       [HYPER_L1] = 0.02f,
					       [HYPER_OWN] = 0.5f,
					       [HYPER_OWN + 1] = 1.2f,
					       [HYPER_OWN + 2] = 0.01f,
					       [HYPER_OWN + 3] = 5 };
	float first[RULES][4][N];

	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct update_loops *rows = update_loops_level(level);
		update_loop *const rule[RULES] = {
			rows->sgd,	 rows->rmsprop,	     rows->adam,
			rows->adadelta,	 rows->adagrad,	     rows->adamax,
			rows->lion,	 rows->nadam,	     rows->radam,
			rows->rprop,	 rows->lars,	     rows->lamb,
			rows->lamb_look, rows->lamb_moments,
		};

		for (int r = 0; r < RULES; r++) {
			float at[4][N], grad[N], room[N];
			struct row_update update = {
				.n = N,
				.param = at[0],
				.moment = { at[1], at[2], at[3] },
				.grad = room,
				.hyper = hyper,
				.momentum = true,
				.nesterov = true,
				.centered = r == 1,
				.amsgrad = true,
				.trust = 0.5f,
			};

			begin(at, grad);
			rows->load_grad(&update, grad, 0.5f);
			rule[r](&update);
			if (level == 0)
				memcpy(first[r], at, sizeof(at));
			cr_expect_eq(memcmp(first[r], at, sizeof(at)), 0,
				     "rule %d, level %u", r, level);
		}
	}
}
