/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of floats in blocks of queries of one key head, whose scores fit
 * into a cache: two products and a softmax by rows. Rows of a block are
 * neighbouring queries of one head, or, where there is one query alone, the
 * heads that share keys. */
#include <math.h>
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/kernels/loops.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/attention.h"

enum { ROWS = 64, MAX_SLICES = 16 };

#define US_PER_FLOP 1.4e-5
#define US_PER_SCORE 1e-3
#define SLICE_US 40

struct block {
	int64_t b, h, kv_h, i; /* of its first row */
	int64_t n;	       /* rows */
	int64_t step_h, step_i;
	int64_t q_row, y_row; /* elements to the next row */
	int64_t lo, hi;	      /* keys that any row sees */
	float *score;	      /* n rows of n_kv */
	loop_run *add;	      /* of floats */
};

static void multiply(const struct blas_product *p, const float *a,
		     const float *b, float *c)
{
	if (!onednn_product_f32(p, a, b, c))
		blas_product_f32(p, a, b, c);
}

static int64_t rows_of_group(const struct attention *a)
{
	return a->n_q == 1 ? a->q_heads / a->kv_heads : a->n_q;
}

static int64_t blocks_of_group(const struct attention *a)
{
	return (rows_of_group(a) + ROWS - 1) / ROWS;
}

/* groups of rows that read one head of keys */
static int64_t count_groups(const struct attention *a)
{
	return a->n_batch * (a->n_q == 1 ? a->kv_heads : a->q_heads);
}

static struct block block_at(const struct attention *a, int64_t at)
{
	const int64_t n_blocks = blocks_of_group(a), group = at / n_blocks;
	const int64_t first = at % n_blocks * ROWS;
	const int64_t per_kv = a->q_heads / a->kv_heads;
	const int64_t rest = rows_of_group(a) - first;
	struct block k = { .n = rest < ROWS ? rest : ROWS };

	if (a->n_q == 1) {
		k.b = group / a->kv_heads;
		k.kv_h = group % a->kv_heads;
		k.h = k.kv_h * per_kv + first;
		k.step_h = 1;
		k.q_row = a->q.head;
		k.y_row = a->y.head;
		return k;
	}
	k.b = group / a->q_heads;
	k.h = group % a->q_heads;
	k.kv_h = k.h / per_kv;
	k.i = first;
	k.step_i = 1;
	k.q_row = a->q.row;
	k.y_row = a->y.row;
	return k;
}

/* The block's part of past (0) or new (1) keys: n of them from `first` on of
 * all, `at` of their own. */
struct keys {
	int64_t first, n, at;
};

static struct keys keys_of(const struct attention *a, const struct block *k,
			   unsigned part)
{
	const int64_t from = part ? a->n_past : 0;
	const int64_t to = part ? a->n_kv : a->n_past;
	struct keys keys = { .first = k->lo > from ? k->lo : from };

	keys.n = (k->hi < to ? k->hi : to) - keys.first;
	keys.at = keys.first - from;
	return keys;
}

static void make_scores(const struct attention *a, const struct block *k,
			const struct kernel_call *call)
{
	const float *q = (const float *)call->in[ATTENTION_Q] +
			 attention_at(&a->q, k->b, k->h, k->i);

	for (unsigned part = 0; part < 2; part++) {
		const struct attention_step *step = part ? &a->k : &a->past_k;
		const struct keys keys = keys_of(a, k, part);
		const struct blas_product product = {
			.m = k->n,
			.n = keys.n,
			.k = a->head,
			.lda = k->q_row,
			.ldb = step->row,
			.ldc = a->n_kv,
			.trans_b = true,
			.alpha = a->scale,
		};

		if (keys.n > 0)
			multiply(
			    &product, q,
			    (const float *)call->in[part ? ATTENTION_K
							 : ATTENTION_PAST_KEY] +
				attention_at(step, k->b, k->kv_h, keys.at),
			    k->score + keys.first);
	}
}

static void make_values(const struct attention *a, const struct block *k,
			const struct kernel_call *call)
{
	float *y = (float *)call->out[ATTENTION_Y] +
		   attention_at(&a->y, k->b, k->h, k->i);
	double beta = 0;

	for (int64_t r = 0; k->lo == k->hi && r < k->n; r++)
		memset(y + r * k->y_row, 0, (size_t)a->v_head * sizeof(float));
	for (unsigned part = 0; part < 2; part++) {
		const struct attention_step *step = part ? &a->v : &a->past_v;
		const struct keys keys = keys_of(a, k, part);
		const struct blas_product product = {
			.m = k->n,
			.n = a->v_head,
			.k = keys.n,
			.lda = a->n_kv,
			.ldb = step->row,
			.ldc = k->y_row,
			.alpha = 1,
			.beta = beta,
		};

		if (keys.n <= 0)
			continue;
		multiply(&product, k->score + keys.first,
			 (const float *)call->in[part ? ATTENTION_V
						      : ATTENTION_PAST_VALUE] +
			     attention_at(step, k->b, k->kv_h, keys.at),
			 y);
		beta = 1;
	}
}

static float *scores_out(const struct kernel_call *call)
{
	return call->query->n_out > ATTENTION_SCORES
		   ? call->out[ATTENTION_SCORES]
		   : NULL;
}

static void show(const struct attention *a, const struct block *k,
		 const struct kernel_call *call, int64_t mode)
{
	const struct attention_attrs *attrs = call->query->attrs;
	float *to = scores_out(call);

	if (!to || attrs->qk_matmul_output_mode != mode)
		return;
	for (int64_t r = 0; r < k->n; r++) {
		const int64_t row =
		    (k->b * a->q_heads + k->h + r * k->step_h) * a->n_q + k->i +
		    r * k->step_i;

		memcpy(to + row * a->n_kv, k->score + r * a->n_kv,
		       (size_t)a->n_kv * sizeof(float));
	}
}

/* add_mask() of floats that lie side by side. */
static bool add_floats(loop_run *add, const float *m,
		       const struct attention_window *w, float *row)
{
	const void *const in[] = { row + w->lo, m + w->lo };
	static const int step[] = { 1, 1 };
	static const double none[LOOP_MAX_PARAMS];
	int64_t j = w->lo;

	while (j < w->hi && !(m[j] > -INFINITY))
		j++;
	(void)add(w->hi - w->lo, in, step, row + w->lo, none);
	return j < w->hi;
}

/* Adds mask elements lo .. hi - 1 to a row; false when all of them are
 * -infinity. */
static bool add_mask(const struct attention *a, const struct block *k,
		     const struct kernel_call *call, int64_t at,
		     const struct attention_window *w, float *row)
{
	const enum dtype elem = call->query->in[ATTENTION_MASK].type.elem;
	const void *mask = call->in[ATTENTION_MASK];
	const int64_t step = a->mask[3];
	bool any = false;

	if (elem == DTYPE_F32 && step == 1)
		return add_floats(k->add, (const float *)mask + at, w, row);
	if (elem == DTYPE_F32) {
		const float *m = (const float *)mask + at;

		for (int64_t j = w->lo; j < w->hi; j++) {
			any |= m[j * step] > -INFINITY;
			row[j] += m[j * step];
		}
		return any;
	}
	if (elem == DTYPE_BOOL) {
		const uint8_t *m = (const uint8_t *)mask + at;

		for (int64_t j = w->lo; j < w->hi; j++) {
			any |= m[j * step] != 0;
			row[j] = m[j * step] ? row[j] : -INFINITY;
		}
		return any;
	}
	for (int64_t j = w->lo; j < w->hi; j++) {
		const double m = attention_number(mask, elem, at + j * step);

		any |= m > (double)-INFINITY;
		row[j] += (float)m;
	}
	return any;
}

static void fill(float *row, int64_t first, int64_t last, float value)
{
	for (int64_t j = first; j < last; j++)
		row[j] = value;
}

/* what every row may see, and its scores with the mask */
static void mask_rows(const struct attention *a, const struct block *k,
		      const struct kernel_call *call,
		      struct attention_window seen[ROWS])
{
	const int64_t length = attention_length(a, call, k->b);

	for (int64_t r = 0; r < k->n; r++) {
		const int64_t h = k->h + r * k->step_h;
		const int64_t i = k->i + r * k->step_i;
		const int64_t at =
		    k->b * a->mask[0] + h * a->mask[1] + i * a->mask[2];
		float *row = k->score + r * a->n_kv;
		struct attention_window *w = &seen[r];

		*w = attention_window(a, i, length);
		fill(row, k->lo, w->lo, -INFINITY);
		fill(row, w->hi > k->lo ? w->hi : k->lo, k->hi, -INFINITY);
		if (a->has_mask && !add_mask(a, k, call, at, w, row))
			w->lo = w->hi = k->lo;
	}
}

static void softmax_rows(const struct attention *a, const struct block *k,
			 const struct attention_window seen[ROWS])
{
	const struct row_loops *loops = row_loops();

	for (int64_t r = 0; r < k->n; r++) {
		const struct attention_window *w = &seen[r];
		const int64_t n = w->hi - w->lo;
		float *row = k->score + r * a->n_kv, sum;

		fill(row, k->lo, w->lo, 0);
		fill(row, w->hi > k->lo ? w->hi : k->lo, k->hi, 0);
		if (n <= 0)
			continue;
		row += w->lo;
		sum = loops->exps(row, loops->largest(row, n), n, row);
		loops->scale(row, 1 / sum, 0, n, row);
	}
}

/* all keys where the scores are a result, else those that any row sees */
static void set_keys(const struct attention *a, struct block *k,
		     const struct kernel_call *call)
{
	const int64_t length = attention_length(a, call, k->b);
	const struct attention_window first = attention_window(a, k->i, length);
	const struct attention_window last =
	    attention_window(a, k->i + (k->n - 1) * k->step_i, length);

	k->hi = a->n_kv;
	if (scores_out(call))
		return;
	/* rows that see nothing have an empty window at 0 */
	k->hi = last.hi > last.lo ? last.hi : length;
	k->lo = a->left < 0 || first.hi == first.lo ? 0 : first.lo;
	if (k->lo > k->hi)
		k->lo = k->hi;
}

static void run_block(const struct attention *a, struct block *k,
		      const struct kernel_call *call)
{
	struct attention_window seen[ROWS];
	const float cap = (float)a->softcap;

	set_keys(a, k, call);
	make_scores(a, k, call);
	show(a, k, call, SCORES_RAW);
	for (int64_t r = 0; cap > 0 && r < k->n; r++)
		for (int64_t j = k->lo; j < k->hi; j++) {
			float *s = &k->score[r * a->n_kv + j];

			*s = cap * tanhf(*s / cap);
		}
	show(a, k, call, SCORES_CAPPED);
	mask_rows(a, k, call, seen);
	show(a, k, call, SCORES_MASKED);
	softmax_rows(a, k, seen);
	show(a, k, call, SCORES_SOFTMAX);
	if (call->out[ATTENTION_Y])
		make_values(a, k, call);
}

static void blocks_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct attention a = attention_of(call->query);
	int64_t first, last;

	loop_run *const add = loop_find("Add")->run[DTYPE_F32];

	attention_present(&a, call, slice);
	kernel_slice(count_groups(&a) * blocks_of_group(&a), call->n_slices,
		     slice, &first, &last);
	for (int64_t at = first; at < last; at++) {
		struct block k = block_at(&a, at);

		k.score = scratch;
		k.add = add;
		run_block(&a, &k, call);
	}
}

static double blocks_cost(const struct kernel_query *query)
{
	const struct attention a = attention_of(query);
	const double scores =
	    (double)(a.n_batch * a.q_heads * a.n_q) * (double)a.n_kv;

	return 0.5 + (double)(count_groups(&a) * blocks_of_group(&a)) +
	       scores * US_PER_SCORE +
	       scores * 2 * (double)(a.head + a.v_head) * US_PER_FLOP;
}

static enum err_code blocks_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct attention a = attention_of(query);
	const int64_t rows = rows_of_group(&a);
	int64_t n = count_groups(&a) * blocks_of_group(&a);
	const double want = blocks_cost(query) / SLICE_US;

	(void)err;
	n = (double)n > want ? (int64_t)want : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	ret->scratch_bytes = (size_t)(rows < ROWS ? rows : ROWS) *
			     (size_t)a.n_kv * sizeof(float);
	return ERR_NONE;
}

static bool blocks_fit(const struct kernel_query *query)
{
	const struct attention_attrs *attrs = query->attrs;
	const struct attention a = attention_of(query);

	return query->in[ATTENTION_Q].type.elem == DTYPE_F32 &&
	       query->in[ATTENTION_V].type.elem == DTYPE_F32 &&
	       attrs->softmax_precision != DTYPE_F64 && a.n_batch > 0 &&
	       a.q_heads > 0 && a.n_q > 0 && a.n_kv > 0 && a.head > 0 &&
	       a.v_head > 0;
}

const struct kernel attention_blocks = {
	.name = "attention.blocks",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = blocks_fit,
	.cost = blocks_cost,
	.prepare = blocks_prepare,
	.run = blocks_run,
};
