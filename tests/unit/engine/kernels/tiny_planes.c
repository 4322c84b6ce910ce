/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/tiny_planes.h"

#include <criterion/criterion.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum {
	SIDE_MOST = 8,
	LANES_MOST = 16,
	IMAGES = 5,
	FROM = 19, /* channels in: no whole number of vectors */
	TO = 15,   /* channels out: no whole number of blocks */
	PLANE = SIDE_MOST * SIDE_MOST,
	X_SIZE = 2 * LANES_MOST * PLANE * LANES_MOST,
	W_SIZE = FROM * TO * TINY_TAPS,
	GUARD = 123,
};

struct field {
	float x[X_SIZE], w[W_SIZE], y[X_SIZE], out[X_SIZE + 16];
	double want[X_SIZE];
};

static struct field *field(void)
{
	static struct field all;
	const struct rng rng = { .seed = 5, .stream = 1 };

	rng_fill_normal(rng, 0, X_SIZE, all.x);
	rng_fill_normal(rng, X_SIZE, X_SIZE, all.y);
	rng_fill_normal(rng, (uint64_t)2 * X_SIZE, W_SIZE, all.w);
	for (int64_t i = 0; i < X_SIZE; i++)
		all.want[i] = 0;
	for (int64_t i = 0; i < X_SIZE + 16; i++)
		all.out[i] = GUARD;
	return &all;
}

/* A pixel of the input and one of the output, and the tap where they meet. */
struct meeting {
	int64_t in, out, tap;
};

static bool meeting_at(const struct tiny_plane *p, int64_t i,
		       struct meeting *ret)
{
	const int64_t side = (p->side - 1) / p->stride + 1;
	const int64_t out = i / TINY_TAPS, tap = i % TINY_TAPS;
	const int64_t y = out / side * p->stride + tap / 3 - 1;
	const int64_t x = out % side * p->stride + tap % 3 - 1;

	*ret = (struct meeting){ y * p->side + x, out, tap };
	return y >= 0 && y < p->side && x >= 0 && x < p->side;
}

static int64_t outputs(const struct tiny_plane *p)
{
	const int64_t side = (p->side - 1) / p->stride + 1;

	return side * side;
}

static void compare(const struct field *f, int64_t n, const char *what,
		    const struct tiny_plane *p, int64_t lanes)
{
	for (int64_t i = 0; i < n; i++)
		cr_assert_float_eq(
		    f->out[i], f->want[i], 1e-4,
		    "%s of %lld by %lld, step %lld, %lld lanes: element %lld",
		    what, (long long)p->side, (long long)p->side,
		    (long long)p->stride, (long long)lanes, (long long)i);
	for (int64_t i = n; i < n + 16; i++)
		cr_assert_eq(f->out[i], GUARD, "%s: written beyond", what);
}

static void check_forward(const struct tiny_plane *p, int64_t lanes)
{
	struct field *f = field();
	const int64_t in = p->side * p->side, out = outputs(p);
	const struct tiny_sums sums = {
		.x = f->x,
		.w = f->w,
		.w_sum_step = TINY_TAPS,
		.w_step = FROM * TINY_TAPS,
		.bias = f->y,
		.y = f->out,
		.n_sums = FROM,
		.n = TO,
	};
	struct meeting m;

	for (int64_t i = 0; i < TO * out * lanes; i++)
		f->want[i] = (double)f->y[i / lanes / out];
	for (int64_t i = 0; i < out * TINY_TAPS * TO * FROM * lanes; i++) {
		const int64_t lane = i % lanes, c = i / lanes % FROM;
		const int64_t o = i / lanes / FROM % TO;

		if (meeting_at(p, i / lanes / FROM / TO, &m))
			f->want[(o * out + m.out) * lanes + lane] +=
			    (double)f->w[(o * FROM + c) * TINY_TAPS + m.tap] *
			    (double)f->x[(c * in + m.in) * lanes + lane];
	}
	p->forward(&sums);
	compare(f, TO * out * lanes, "forward", p, lanes);
}

static void check_data(const struct tiny_plane *p, int64_t lanes)
{
	struct field *f = field();
	const int64_t in = p->side * p->side, out = outputs(p);
	const struct tiny_sums sums = {
		.x = f->x,
		.w = f->w,
		.w_sum_step = FROM * TINY_TAPS,
		.w_step = TINY_TAPS,
		.y = f->out,
		.n_sums = TO,
		.n = FROM,
	};
	struct meeting m;

	for (int64_t i = 0; i < out * TINY_TAPS * TO * FROM * lanes; i++) {
		const int64_t lane = i % lanes, c = i / lanes % FROM;
		const int64_t o = i / lanes / FROM % TO;

		if (meeting_at(p, i / lanes / FROM / TO, &m))
			f->want[(c * in + m.in) * lanes + lane] +=
			    (double)f->w[(o * FROM + c) * TINY_TAPS + m.tap] *
			    (double)f->x[(o * out + m.out) * lanes + lane];
	}
	p->data(&sums);
	compare(f, FROM * in * lanes, "by data", p, lanes);
}

static void check_weights(const struct tiny_plane *p, int64_t lanes)
{
	struct field *f = field();
	const int64_t in = p->side * p->side, out = outputs(p);
	const struct tiny_weights weights = {
		.x = f->x,
		.dy = f->y,
		.dw = f->out,
		.n_images = IMAGES,
		.c = FROM,
		.n = TO,
	};
	struct meeting m;

	for (int64_t i = 0; i < out * TINY_TAPS * TO * FROM * IMAGES; i++) {
		const int64_t k = i % IMAGES, c = i / IMAGES % FROM;
		const int64_t o = i / IMAGES / FROM % TO;
		const int64_t block = c / lanes * IMAGES + k;

		if (meeting_at(p, i / IMAGES / FROM / TO, &m))
			f->want[(o * FROM + c) * TINY_TAPS + m.tap] +=
			    (double)
				f->x[(block * in + m.in) * lanes + c % lanes] *
			    (double)f->y[(o * IMAGES + k) * out + m.out];
	}
	p->weights(&weights);
	compare(f, W_SIZE, "by weights", p, lanes);
}

Test(tiny_planes, every_size_sums_what_meets_at_every_level)
{
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct tiny_planes *all = tiny_planes_level(level);

		cr_assert(all->lanes <= LANES_MOST);
		for (const struct tiny_plane *p = all->plane; p->side; p++) {
			cr_assert(p->side <= SIDE_MOST);
			cr_assert_eq(tiny_plane_find(all, p->side, p->stride),
				     p);
			check_forward(p, all->lanes);
			check_data(p, all->lanes);
			check_weights(p, all->lanes);
		}
		cr_assert_null(tiny_plane_find(all, 3, 7));
	}
}

Test(tiny_planes, rows_spread_over_lanes_come_back)
{
	enum { N = 37, STEP = 41 };

	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct tiny_planes *all = tiny_planes_level(level);
		const int64_t lanes = all->lanes;

		for (int64_t n = 1; n <= lanes; n++) {
			struct field *f = field();

			all->spread(f->x, STEP, n, N, f->out);
			for (int64_t i = 0; i < N * lanes; i++)
				cr_assert_eq(
				    f->out[i],
				    i % lanes < n
					? f->x[i % lanes * STEP + i / lanes]
					: 0);
			cr_assert_eq(f->out[N * lanes], GUARD);
			all->gather(f->out, STEP, n, N, f->y);
			for (int64_t i = 0; i < n * N; i++)
				cr_assert_eq(f->y[i / N * STEP + i % N],
					     f->x[i / N * STEP + i % N]);
		}
	}
}
