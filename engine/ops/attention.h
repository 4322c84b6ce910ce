/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attention: its attributes, and the extents and strides that its kernels and
 * its gradient go by.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_ATTENTION_H
#define ENGINE_OPS_ATTENTION_H

#include "engine/kernel.h"

enum attention_in {
	ATTENTION_Q,
	ATTENTION_K,
	ATTENTION_V,
	ATTENTION_MASK,
	ATTENTION_PAST_KEY,
	ATTENTION_PAST_VALUE,
	ATTENTION_LENGTHS, /* nonpad_kv_seqlen */
};
enum attention_out {
	ATTENTION_Y,
	ATTENTION_PRESENT_KEY,
	ATTENTION_PRESENT_VALUE,
	ATTENTION_SCORES, /* qk_matmul_output */
};
/** What qk_matmul_output shows. */
enum attention_mode {
	SCORES_RAW,
	SCORES_CAPPED,
	SCORES_MASKED,
	SCORES_SOFTMAX
};

struct attention_attrs {
	int64_t is_causal, q_num_heads, kv_num_heads;
	int64_t qk_matmul_output_mode, softmax_precision;
	int64_t left_window_size, right_window_size;
	double scale, softcap;
};

/** Elements from one batch, head and row to the next. */
struct attention_step {
	int64_t batch, head, row;
};

struct attention {
	int64_t n_batch, q_heads, kv_heads, n_q, n_past, n_new;
	int64_t n_kv; /**< n_past + n_new */
	int64_t head, v_head;
	struct attention_step q, k, v, y, past_k, past_v, present_k, present_v;
	int64_t mask[4]; /**< elements to the next of [batch, head, q, kv] */
	int64_t n_mask;	 /**< keys that it tells of; n_kv without one */
	bool has_mask, has_lengths;
	int64_t left, right; /**< keys beside a query's own; -1: no bound */
	double scale, softcap;
};

/** The keys [lo, hi) that a query may see, masks set aside. */
struct attention_window {
	int64_t lo, hi;
};

/** All that infer() let pass. */
struct attention attention_of(const struct kernel_query *query);
/** Of query row i, when `length` of the keys count. */
struct attention_window attention_window(const struct attention *a, int64_t i,
					 int64_t length);

/** Element i as a number; of bits, what is added to a score. */
double attention_number(const void *x, enum dtype elem, int64_t i);
/** Keys of batch b that count; a fault when there are not so many. */
int64_t attention_length(const struct attention *a,
			 const struct kernel_call *call, int64_t b);
/** One slice of past and new keys and values in the results for them. */
void attention_present(const struct attention *a,
		       const struct kernel_call *call, unsigned slice);
static inline int64_t attention_at(const struct attention_step *step, int64_t b,
				   int64_t h, int64_t row)
{
	return b * step->batch + h * step->head + row * step->row;
}

struct vjp;
enum err_code attention_vjp(struct vjp *vjp, struct err *err);

extern const struct kernel attention_blocks, attention_plain;

#endif
