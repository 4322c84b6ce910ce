/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/fft.h"

#include <math.h>
#include <string.h>

enum { RADIX_MAX = 13 };

static struct fft_value multiply(struct fft_value a, struct fft_value b)
{
	return (struct fft_value){ a.re * b.re - a.im * b.im,
				   a.re * b.im + a.im * b.re };
}

static int64_t next_radix(int64_t n)
{
	if (n % 4 == 0)
		return 4;
	for (int64_t r = 2; r <= RADIX_MAX; r++)
		if (n % r == 0)
			return r;
	return n; /* 1, or a large factor */
}

static bool is_smooth(int64_t n)
{
	while (n > 1) {
		const int64_t r = next_radix(n);

		if (r > RADIX_MAX)
			return false;
		n /= r;
	}
	return true;
}

/* Length of the passes. */
static int64_t pass_length(int64_t n)
{
	int64_t m = 1;

	if (is_smooth(n))
		return n;
	while (m < 2 * n - 1)
		m *= 2;
	return m;
}

int64_t fft_room(int64_t n)
{
	const int64_t m = pass_length(n);

	return m == n ? 3 * m : 4 * m + n;
}

/* One pass: m blocks of r values each, for each of l frequencies k:
 *   y[(k + l p) m + q] = sum over s of e^(-2 pi i s p / r) t^s x[k m r + q + s
 * m] where t = e^(-2 pi i k / (l r)). */
struct pass {
	int64_t n, l, r, m;
};

static void pass_2(const struct pass *p, struct fft_value t,
		   const struct fft_value *x, struct fft_value *y)
{
	const int64_t half = p->l * p->m;

	for (int64_t q = 0; q < p->m; q++) {
		const struct fft_value a = x[q], b = multiply(x[q + p->m], t);

		y[q] = (struct fft_value){ a.re + b.re, a.im + b.im };
		y[q + half] = (struct fft_value){ a.re - b.re, a.im - b.im };
	}
}

/* turn: t, t^2, t^3 */
static void pass_4(const struct pass *p, const struct fft_value *turn,
		   const struct fft_value *x, struct fft_value *y)
{
	const int64_t m = p->m, step = p->l * p->m;

	for (int64_t q = 0; q < m; q++) {
		const struct fft_value a = x[q];
		const struct fft_value b = multiply(x[q + m], turn[1]);
		const struct fft_value c = multiply(x[q + 2 * m], turn[2]);
		const struct fft_value d = multiply(x[q + 3 * m], turn[3]);
		const struct fft_value e = { a.re + c.re, a.im + c.im };
		const struct fft_value f = { a.re - c.re, a.im - c.im };
		const struct fft_value g = { b.re + d.re, b.im + d.im };
		const struct fft_value h = { b.re - d.re, b.im - d.im };

		y[q] = (struct fft_value){ e.re + g.re, e.im + g.im };
		y[q + step] = (struct fft_value){ f.re + h.im, f.im - h.re };
		y[q + 2 * step] =
		    (struct fft_value){ e.re - g.re, e.im - g.im };
		y[q + 3 * step] =
		    (struct fft_value){ f.re - h.im, f.im + h.re };
	}
}

static void pass_any(const struct pass *p, const struct fft_value *root,
		     const struct fft_value *turn, const struct fft_value *x,
		     struct fft_value *y)
{
	const int64_t unit = p->n / p->r;
	struct fft_value in[RADIX_MAX];

	for (int64_t q = 0; q < p->m; q++) {
		for (int64_t s = 0; s < p->r; s++)
			in[s] = multiply(x[q + s * p->m], turn[s]);
		for (int64_t k = 0; k < p->r; k++) {
			struct fft_value sum = in[0];

			for (int64_t s = 1; s < p->r; s++) {
				const struct fft_value v =
				    multiply(in[s], root[s * k % p->r * unit]);

				sum.re += v.re;
				sum.im += v.im;
			}
			y[q + k * p->l * p->m] = sum;
		}
	}
}

static void pass_run(const struct pass *p, const struct fft_value *root,
		     const struct fft_value *x, struct fft_value *y)
{
	struct fft_value turn[RADIX_MAX];

	for (int64_t k = 0; k < p->l; k++) {
		for (int64_t s = 0; s < p->r; s++)
			turn[s] = root[s * k * p->m];
		if (p->r == 2)
			pass_2(p, turn[1], x + k * p->m * 2, y + k * p->m);
		else if (p->r == 4)
			pass_4(p, turn, x + k * p->m * 4, y + k * p->m);
		else
			pass_any(p, root, turn, x + k * p->m * p->r,
				 y + k * p->m);
	}
}

/* x to x by way of y, both of n. */
static void passes(int64_t n, const struct fft_value *root, struct fft_value *x,
		   struct fft_value *y)
{
	struct fft_value *from = x, *to = y;
	struct pass p = { .n = n, .l = 1, .m = n };

	while (p.m > 1) {
		struct fft_value *other = from;

		p.r = next_radix(p.m);
		p.m /= p.r;
		pass_run(&p, root, from, to);
		p.l *= p.r;
		from = to;
		to = other;
	}
	if (from != x)
		memcpy(x, from, (size_t)n * sizeof(*x));
}

/* e^(-2 pi i j / n), each from libm: roundings do not add up. */
static struct fft_value root_of(int64_t j, int64_t n)
{
	const double angle = -2 * M_PI * ((double)j / (double)n);

	return (struct fft_value){ cos(angle), sin(angle) };
}

static void init_chirp(struct fft *fft)
{
	const int64_t n = fft->n, m = fft->m;
	uint64_t square = 0; /* j j, modulo 2 n */

	memset(fft->reply, 0, (size_t)m * sizeof(*fft->reply));
	for (int64_t j = 0; j < n; j++) {
		struct fft_value v = root_of((int64_t)square, 2 * n);

		fft->chirp[j] = v;
		v.im = -v.im;
		fft->reply[j] = v;
		fft->reply[j ? m - j : 0] = v;
		square = (square + 2 * (uint64_t)j + 1) % (2 * (uint64_t)n);
	}
	passes(m, fft->root, fft->reply, fft->y);
}

void fft_init(struct fft *fft, int64_t n, struct fft_value *room)
{
	const int64_t m = pass_length(n);

	*fft = (struct fft){
		.n = n,
		.m = m,
		.x = room,
		.y = room + m,
		.root = room + 2 * m,
	};
	for (int64_t j = 0; j < m; j++)
		fft->root[j] = root_of(j, m);
	if (m == n)
		return;
	fft->reply = room + 3 * m;
	fft->chirp = room + 4 * m;
	init_chirp(fft);
}

/* The inverse transform is the transform with parts changed over. */
static void swap_parts(struct fft_value *x, int64_t n, double scale)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = (struct fft_value){ x[i].im * scale, x[i].re * scale };
}

static void convolve(const struct fft *fft)
{
	struct fft_value *x = fft->x;

	for (int64_t i = 0; i < fft->n; i++)
		x[i] = multiply(x[i], fft->chirp[i]);
	memset(x + fft->n, 0, (size_t)(fft->m - fft->n) * sizeof(*x));
	passes(fft->m, fft->root, x, fft->y);
	for (int64_t i = 0; i < fft->m; i++)
		x[i] = multiply(x[i], fft->reply[i]);
	swap_parts(x, fft->m, 1);
	passes(fft->m, fft->root, x, fft->y);
	swap_parts(x, fft->m, 1 / (double)fft->m);
	for (int64_t i = 0; i < fft->n; i++)
		x[i] = multiply(x[i], fft->chirp[i]);
}

void fft_run(const struct fft *fft, bool is_inverse)
{
	if (is_inverse)
		swap_parts(fft->x, fft->n, 1);
	if (fft->chirp)
		convolve(fft);
	else
		passes(fft->n, fft->root, fft->x, fft->y);
	if (is_inverse)
		swap_parts(fft->x, fft->n, 1 / (double)fft->n);
}
