/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; STEP_LOOPS_TABLE names the table, STEP_LANES
 * its vectors, STEP_THERE how many rows of four vectors hold sums and STEP_BACK
 * how many of two. */
#include "engine/kernels/step_loops_priv.h"

#define VECTOR_LANES STEP_LANES
#include "engine/kernels/fast_math.h"
#include "engine/kernels/lanes.h"

enum { THERE = STEP_GATES * LANES, BACK = 2 * LANES };
/* lines of memory that a row's vector of units touches, at most */
enum { LINES_THERE = STEP_GATES + STEP_KEPT + 2 };
enum { LINES_BACK = STEP_KEPT + STEP_GATES + 1 };
enum { WISHES = 2 * STEP_BACK * LINES_BACK };

_Static_assert(STEP_THERE *LINES_THERE <= WISHES, "room for either way");

/* First row of part i of n rows, in the fewest parts of `most` rows, all about
 * as many. */
static int64_t first_row(int64_t n, int64_t most, int64_t i)
{
	return n * i / ((n + most - 1) / most);
}

/* Addresses to ask memory for while a sum of k terms is made, evenly spread:
 * all at once they would stand in the way of the weights. They come into the
 * second level, as rows of units lie so that they meet in a few lines of the
 * first. */
struct wishes {
	const float *at[WISHES];
	int64_t n;
	uint64_t by, next; /* 32 bits of them behind the point */
};

static inline __attribute__((always_inline)) void wish(struct wishes *w,
						       const float *at)
{
	w->at[w->n++] = at;
}

static inline __attribute__((always_inline)) void begin(struct wishes *w,
							int64_t k)
{
	w->next = 0;
	w->by = k ? ((uint64_t)w->n << 32) / (uint64_t)k : 0;
}

static inline __attribute__((always_inline)) void ask(struct wishes *w)
{
	__builtin_prefetch(w->at[w->next >> 32], 0, 2);
	w->next += w->by;
}

/* --- there --- */

static void pack_there(const float *r, int64_t n, float *to)
{
	for (int64_t j = 0; j < n; j += LANES, to += THERE * n) {
		const int64_t n_k[2] = { n - j < LANES ? n - j : LANES, n };

		for (int64_t g = 0; g < STEP_GATES; g++)
			turn_rows(r + (g * n + j) * n, n, n_k, to + g * LANES,
				  THERE);
	}
}

/* What a row's units from j on will read and write. */
static inline __attribute__((always_inline)) void
expect(const struct step_there *s, int64_t row, int64_t j, struct wishes *w)
{
	const int64_t n = s->n;

#pragma GCC unroll 4
	for (int64_t g = 0; g < STEP_GATES; g++)
		wish(w, s->pre + (row * STEP_GATES + g) * n + j);
	wish(w, s->c + row * s->c_step + j);
#pragma GCC unroll 6
	for (int64_t g = 0; g < STEP_KEPT; g++)
		wish(w, s->kept + (row * STEP_KEPT + g) * n + j);
	wish(w, s->y + row * n + j);
}

/* i o f g of their sums, over one divisor: sigmoid(2 x) is (d + n) / (2 d)
 * where tanh(x) is n / d. */
static inline __attribute__((always_inline)) void
bend(float a[STEP_GATES][STEP_LANES], float gate[STEP_GATES][STEP_LANES])
{
	for (int i = 0; i < LANES; i++) {
		const struct fast_quotient in =
		    fast_tanh_quotient(0.5f * a[0][i]);
		const struct fast_quotient out =
		    fast_tanh_quotient(0.5f * a[1][i]);
		const struct fast_quotient keep =
		    fast_tanh_quotient(0.5f * a[2][i]);
		const struct fast_quotient new = fast_tanh_quotient(a[3][i]);
		const float left = in.d * out.d, right = keep.d * new.d;
		const float one = 1.0f / (left * right);
		const float of_left = 0.5f * (one * right);
		const float of_right = one * left;

		gate[0][i] = (in.d + in.n) * (out.d * of_left);
		gate[1][i] = (out.d + out.n) * (in.d * of_left);
		gate[2][i] = (keep.d + keep.n) * (new.d *(0.5f * of_right));
		gate[3][i] = new.n *(keep.d * of_right);
	}
}

/* i o f g and c of one row's units from j on, `left` of them. */
static inline __attribute__((always_inline)) void
gates(const struct step_there *s, const float *sum, int64_t row, int64_t j,
      const int64_t left)
{
	const int64_t n = s->n;
	float *kept = s->kept + row * STEP_KEPT * n + j;
	float gate[STEP_GATES][STEP_LANES], a[STEP_GATES][STEP_LANES];

#pragma GCC unroll 4
	for (int64_t g = 0; g < STEP_GATES; g++)
		store(load(sum + g * LANES) +
			  (load_part(s->pre + (row * STEP_GATES + g) * n + j,
				     left) +
			   load_part(s->bias + g * n + j, left)),
		      a[g]);
	bend(a, gate);
#pragma GCC unroll 4
	for (int64_t g = 0; g < STEP_GATES; g++)
		store_part(load(gate[g]), left, kept + g * n);
	store_part(load(gate[2]) * load_part(s->c + row * s->c_step + j, left) +
		       load(gate[0]) * load(gate[3]),
		   left, kept + 5 * n);
}

/* tanh(c) and h of the same. */
static inline __attribute__((always_inline)) void
state(const struct step_there *s, int64_t row, int64_t j, const int64_t left)
{
	const int64_t n = s->n;
	float *kept = s->kept + row * STEP_KEPT * n + j;
	float c[STEP_LANES];

	store(load_part(kept + 5 * n, left), c);
	for (int i = 0; i < LANES; i++) {
		const struct fast_quotient q = fast_tanh_quotient(c[i]);

		c[i] = q.n / q.d;
	}
	store_part(load(c), left, kept + 4 * n);
	store_part(load(c) * load_part(kept + n, left), left,
		   s->y + row * n + j);
}

/* Of rows first to last - 1, whose sums are made. */
static __attribute__((noinline)) void cells(const struct step_there *s,
					    const float *made, int64_t j,
					    const int64_t first_last[2])
{
	const int64_t row = first_last[0], m = first_last[1] - row;

	for (int64_t i = 0; i < m; i++)
		gates(s, made + i * THERE, row + i, j, LANES);
	for (int64_t i = 0; i < m; i++)
		state(s, row + i, j, LANES);
}

/* The same of the last units, fewer than a vector has. */
static __attribute__((noinline)) void few_cells(const struct step_there *s,
						const float *made, int64_t j,
						const int64_t first_last[2])
{
	const int64_t row = first_last[0], m = first_last[1] - row;

	for (int64_t i = 0; i < m; i++) {
		gates(s, made + i * THERE, row + i, j, s->n - j);
		state(s, row + i, j, s->n - j);
	}
}

/* m rows of one panel; a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
there_tile(const struct step_there *s, const float *b, int64_t row, int64_t j,
	   const int m)
{
	const int64_t n = s->n;
	const float *h = s->h + row * n;
	float made[STEP_THERE][STEP_GATES * STEP_LANES];
	vec sum[STEP_THERE][STEP_GATES];
	struct wishes w;

	w.n = 0;
#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		expect(s, row + i, j, &w);
#pragma GCC unroll 4
		for (int64_t g = 0; g < STEP_GATES; g++)
			sum[i][g] = (vec){ 0 };
	}
	begin(&w, n);
#pragma GCC unroll 1
	for (int64_t l = 0; l < n; l++, b += THERE) {
		vec weight[STEP_GATES];

		ask(&w);
#pragma GCC unroll 4
		for (int64_t g = 0; g < STEP_GATES; g++)
			weight[g] = load(b + g * LANES);
#pragma GCC unroll 8
		for (int i = 0; i < m; i++) {
			const vec x = all(h[i * n + l]);

#pragma GCC unroll 4
			for (int64_t g = 0; g < STEP_GATES; g++)
				sum[i][g] += x * weight[g];
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < m; i++)
#pragma GCC unroll 4
		for (int64_t g = 0; g < STEP_GATES; g++)
			store(sum[i][g], made[i] + g * LANES);
	(j + LANES <= n ? cells : few_cells)(s, made[0], j,
					     (int64_t[]){ row, row + m });
}

static void there_rows(const struct step_there *s, const float *b, int64_t j,
		       const int64_t first_last[2])
{
	const int64_t row = first_last[0], m = first_last[1] - row;

	if (STEP_THERE >= 6 && m == 6)
		there_tile(s, b, row, j, 6);
	else if (STEP_THERE >= 5 && m == 5)
		there_tile(s, b, row, j, 5);
	else if (STEP_THERE >= 4 && m == 4)
		there_tile(s, b, row, j, 4);
	else if (STEP_THERE >= 3 && m == 3)
		there_tile(s, b, row, j, 3);
	else if (m == 2)
		there_tile(s, b, row, j, 2);
	else if (m == 1)
		there_tile(s, b, row, j, 1);
}

static void there(const struct step_there *s)
{
	for (int64_t j = 0; j < s->n; j += LANES)
		for (int64_t i = 0, row = 0, next; row < s->rows; row = next) {
			next = first_row(s->rows, STEP_THERE, ++i);
			there_rows(s, s->panels + j * STEP_GATES * s->n, j,
				   (int64_t[]){ row, next });
		}
}

/* --- and back --- */

static void pack_back(const float *r, int64_t n, float *to)
{
	for (int64_t j = 0; j < n; j += BACK)
		for (int64_t l = 0; l < STEP_GATES * n; l++, to += BACK) {
			store(load_part(r + l * n + j, n - j), to);
			store(load_part(r + l * n + j + LANES, n - j - LANES),
			      to + LANES);
		}
}

static inline __attribute__((always_inline)) void
expect_back(const struct step_back *s, int64_t row, int64_t j, struct wishes *w)
{
	const int64_t n = s->n;

#pragma GCC unroll 5
	for (int64_t g = 0; g < STEP_KEPT - 1; g++)
		wish(w, s->kept + (row * STEP_KEPT + g) * n + j);
	wish(w, s->c + row * s->c_step + j);
	if (s->dy)
		wish(w, s->dy + row * n + j);
#pragma GCC unroll 4
	for (int64_t g = 0; g < STEP_GATES; g++)
		wish(w, s->dgates + (row * STEP_GATES + g) * n + j);
}

/* Gradients of one row's gates, of a vector of units from j on. */
static inline __attribute__((always_inline)) void
slopes(const struct step_back *s, vec dh, int64_t row, int64_t j,
       const int64_t left)
{
	const int64_t n = s->n;
	const float *kept = s->kept + row * STEP_KEPT * n + j;
	float *d = s->dgates + row * STEP_GATES * n + j;
	float *const dc = s->dc + row * n + j;
	const vec i = load_part(kept, left), o = load_part(kept + n, left);
	const vec f = load_part(kept + 2 * n, left);
	const vec g = load_part(kept + 3 * n, left);
	const vec bent = load_part(kept + 4 * n, left);
	const vec c = load_part(s->c + row * s->c_step + j, left);
	const vec of_c = load_part(dc, left) + dh * o * (1.0f - bent * bent);

	store_part(of_c * g * i * (1.0f - i), left, d);
	store_part(dh * bent * o * (1.0f - o), left, d + n);
	store_part(of_c * c * f * (1.0f - f), left, d + 2 * n);
	store_part(of_c * i * (1.0f - g * g), left, d + 3 * n);
	store_part(of_c * f, left, dc);
}

static inline __attribute__((always_inline)) void
finish(const struct step_back *s, const float *sum, int64_t row, int64_t j,
       const int64_t left)
{
	const int64_t n = s->n;
	vec dh = load(sum);

	if (s->start)
		dh += load_part(s->start + row * n + j, left);
	if (s->dy)
		dh += load_part(s->dy + row * n + j, left);
	if (s->dgates)
		slopes(s, dh, row, j, left);
	else
		store_part(dh, left, s->dh + row * n + j);
}

/* Of rows first to last - 1, whose sums are made. */
static __attribute__((noinline)) void finish_rows(const struct step_back *s,
						  const float *made, int64_t j,
						  const int64_t first_last[2])
{
	const int64_t row = first_last[0], m = first_last[1] - row;

	for (int64_t i = 0; i < m; i++) {
		finish(s, made + i * BACK, row + i, j, LANES);
		finish(s, made + i * BACK + LANES, row + i, j + LANES, LANES);
	}
}

/* The same of the last units, fewer than a panel has. */
static __attribute__((noinline)) void finish_few(const struct step_back *s,
						 const float *made, int64_t j,
						 const int64_t first_last[2])
{
	const int64_t row = first_last[0], m = first_last[1] - row;

	for (int64_t i = 0; i < m; i++)
		for (int64_t k = 0; j + k < s->n && k < BACK; k += LANES)
			finish(s, made + i * BACK + k, row + i, j + k,
			       s->n - j - k);
}

static inline __attribute__((always_inline)) void
back_tile(const struct step_back *s, const float *b, int64_t row, int64_t j,
	  const int m)
{
	const int64_t width = STEP_GATES * s->n, k = s->after ? width : 0;
	const float *a = s->after ? s->after + row * width : NULL;
	float dh[STEP_BACK][2 * STEP_LANES];
	vec sum[STEP_BACK][2];
	struct wishes w;

	w.n = 0;
	w.at[0] = b;
#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		if (s->dgates) {
			expect_back(s, row + i, j, &w);
			if (j + LANES < s->n)
				expect_back(s, row + i, j + LANES, &w);
		}
		sum[i][0] = sum[i][1] = (vec){ 0 };
	}
	begin(&w, k);
#pragma GCC unroll 1
	for (int64_t l = 0; l < k; l++, b += BACK) {
		const vec left = load(b), right = load(b + LANES);

		ask(&w);
#pragma GCC unroll 8
		for (int i = 0; i < m; i++) {
			const vec x = all(a[i * width + l]);

			sum[i][0] += x * left;
			sum[i][1] += x * right;
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		store(sum[i][0], dh[i]);
		store(sum[i][1], dh[i] + LANES);
	}
	(j + BACK <= s->n ? finish_rows : finish_few)(
	    s, dh[0], j, (int64_t[]){ row, row + m });
}

static void back_rows(const struct step_back *s, const float *b, int64_t j,
		      const int64_t first_last[2])
{
	const int64_t last = first_last[1];
	int64_t i = first_last[0];

	for (; STEP_BACK >= 8 && i + 8 <= last; i += 8)
		back_tile(s, b, i, j, 8);
	for (; STEP_BACK >= 6 && i + 6 <= last; i += 6)
		back_tile(s, b, i, j, 6);
	for (; i + 4 <= last; i += 4)
		back_tile(s, b, i, j, 4);
	for (; i + 2 <= last; i += 2)
		back_tile(s, b, i, j, 2);
	if (i < last)
		back_tile(s, b, i, j, 1);
}

/* A panel stays near while rows pass by. */
static void back(const struct step_back *s)
{
	for (int64_t j = 0; j < s->n; j += BACK)
		back_rows(s, s->panels + j * STEP_GATES * s->n, j,
			  (int64_t[]){ 0, s->rows });
}

extern const struct step_loops STEP_LOOPS_TABLE;
const struct step_loops STEP_LOOPS_TABLE = {
	.units = { LANES, BACK },
	.pack_there = pack_there,
	.pack_back = pack_back,
	.there = there,
	.back = back,
};
