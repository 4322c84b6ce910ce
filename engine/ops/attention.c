/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attention over heads (https://arxiv.org/abs/1706.03762), where groups of
 * query heads may share one key head (https://arxiv.org/abs/2305.13245).
 *
 *   S = scale Q K^T           [batch, q heads, queries, keys]
 *   S = softcap tanh(S / softcap)                  where softcap > 0
 *   P = softmax(S + mask),    Y = P V
 *
 * Q, K and V are [batch, heads, rows, size], or [batch, rows, heads * size].
 * Keys are the past ones, then the new ones. A query sees the keys that the
 * mask, `is_causal`, the window and nonpad_kv_seqlen allow; one that sees none
 * gives zeros. Query i stands at key i + past, or, with nonpad_kv_seqlen, the
 * queries are the last keys that count.
 *
 * Source: operator Attention of ONNX, opsets 23 to 25.
 */
#include "engine/ops/attention.h"

#include <math.h>

static bool has(const struct infer *infer, unsigned i)
{
	return i < infer->n_in && infer->in[i].type.elem != DTYPE_NONE;
}

static struct attention_step heads_first(int64_t heads, int64_t rows,
					 int64_t size)
{
	return (struct attention_step){ heads * rows * size, rows * size,
					size };
}

static struct attention_step rows_first(int64_t heads, int64_t rows,
					int64_t size)
{
	return (struct attention_step){ heads * rows * size, size,
					heads * size };
}

static struct attention_step steps_of(const struct shape *x, int64_t heads,
				      int64_t rows, int64_t size)
{
	return x->rank == 4 ? heads_first(heads, rows, size)
			    : rows_first(heads, rows, size);
}

/* Extents, by shapes and attributes alone. */
static struct attention read_extents(const struct fact *in,
				     const struct attention_attrs *attrs)
{
	const struct shape *q = &in[ATTENTION_Q].shape;
	const struct shape *k = &in[ATTENTION_K].shape;
	const struct shape *v = &in[ATTENTION_V].shape;
	struct attention a = { .n_batch = q->dim[0] };

	if (q->rank == 4) {
		a.q_heads = q->dim[1];
		a.kv_heads = k->dim[1];
		a.n_q = q->dim[2];
		a.n_new = k->dim[2];
		a.head = q->dim[3];
		a.v_head = v->dim[3];
		return a;
	}
	a.q_heads = attrs->q_num_heads;
	a.kv_heads = attrs->kv_num_heads;
	a.n_q = q->dim[1];
	a.n_new = k->dim[1];
	a.head = q->dim[2] / a.q_heads;
	a.v_head = v->dim[2] / a.kv_heads;
	return a;
}

static void read_mask(struct attention *a, const struct shape *mask)
{
	int64_t step = 1;

	a->has_mask = true;
	if (mask->rank && mask->dim[mask->rank - 1] < a->n_kv)
		a->n_mask = mask->dim[mask->rank - 1];
	for (unsigned i = 0; i < mask->rank; i++) {
		const int64_t n = mask->dim[mask->rank - 1 - i];

		a->mask[3 - i] = n == 1 ? 0 : step;
		step *= n;
	}
}

struct attention attention_of(const struct kernel_query *query)
{
	const struct attention_attrs *attrs = query->attrs;
	const struct fact *in = query->in;
	const struct infer has_in = { .n_in = query->n_in, .in = in };
	struct attention a = read_extents(in, attrs);

	if (has(&has_in, ATTENTION_PAST_KEY))
		a.n_past = in[ATTENTION_PAST_KEY].shape.dim[2];
	a.n_kv = a.n_mask = a.n_past + a.n_new;
	a.q = steps_of(&in[0].shape, a.q_heads, a.n_q, a.head);
	a.k = steps_of(&in[1].shape, a.kv_heads, a.n_new, a.head);
	a.v = steps_of(&in[2].shape, a.kv_heads, a.n_new, a.v_head);
	a.y = steps_of(&in[0].shape, a.q_heads, a.n_q, a.v_head);
	a.past_k = heads_first(a.kv_heads, a.n_past, a.head);
	a.past_v = heads_first(a.kv_heads, a.n_past, a.v_head);
	a.present_k = heads_first(a.kv_heads, a.n_kv, a.head);
	a.present_v = heads_first(a.kv_heads, a.n_kv, a.v_head);
	if (has(&has_in, ATTENTION_MASK))
		read_mask(&a, &in[ATTENTION_MASK].shape);
	a.has_lengths = has(&has_in, ATTENTION_LENGTHS);
	a.left = attrs->left_window_size;
	a.right = attrs->is_causal ? 0 : attrs->right_window_size;
	a.softcap = attrs->softcap;
	a.scale = attrs->scale;
	if (a.scale == 0)
		a.scale = a.head ? 1 / sqrt((double)a.head) : 1;
	return a;
}

struct attention_window attention_window(const struct attention *a, int64_t i,
					 int64_t length)
{
	/* the key that the query stands at */
	const int64_t at = i + (a->has_lengths ? length - a->n_q : a->n_past);
	struct attention_window w = { 0, length };

	if (w.hi > a->n_mask)
		w.hi = a->n_mask;
	if (a->right >= 0 && w.hi > at + a->right + 1)
		w.hi = at + a->right + 1;
	if (a->left >= 0 && at - a->left > 0)
		w.lo = at - a->left;
	if (w.hi < w.lo)
		w.lo = w.hi = 0;
	return w;
}

/* ---- shapes -------------------------------------------------------------- */

static const char *const names[] = {
	"Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"
};

static enum err_code expect(const struct infer *infer, unsigned i,
			    const struct shape *want, struct err *err)
{
	char text[2][64];

	if (!has(infer, i) || shape_equal(&infer->in[i].shape, want))
		return ERR_NONE;
	return infer_fail(
	    err, "input '%s': expected %s, got %s", names[i],
	    shape_text(want, text[0], sizeof(text[0])),
	    shape_text(&infer->in[i].shape, text[1], sizeof(text[1])));
}

static enum err_code check_ranks(const struct infer *infer, struct err *err)
{
	const unsigned rank = infer->in[0].shape.rank;

	if (rank != 3 && rank != 4)
		return infer_fail(
		    err, "input 'Q': expected rank 3 or 4, got %u", rank);
	for (unsigned i = 1; i < 3; i++)
		if (infer->in[i].shape.rank != rank)
			return infer_fail(err,
					  "input '%s': expected rank %u as "
					  "input 'Q', got %u",
					  names[i], rank,
					  infer->in[i].shape.rank);
	return ERR_NONE;
}

/* An attribute that is given must be what the shapes say; where they do not
 * say it, it must be given and divide the last axis. */
static enum err_code check_heads(const struct infer *infer, unsigned i,
				 int64_t heads, struct err *err)
{
	const struct shape *x = &infer->in[i].shape;
	const char *attr = i ? "kv_num_heads" : "q_num_heads";

	if (x->rank == 4 && heads && heads != x->dim[1])
		return infer_fail(err,
				  "attribute '%s': expected %lld as input "
				  "'%s', got %lld",
				  attr, (long long)x->dim[1], names[i],
				  (long long)heads);
	if (x->rank == 3 && (heads < 1 || x->dim[2] % heads))
		return infer_fail(err,
				  "attribute '%s': expected a divisor of %lld, "
				  "the last extent of input '%s', got %lld",
				  attr, (long long)x->dim[2], names[i],
				  (long long)heads);
	return ERR_NONE;
}

/* K and V against the extents that Q, K and the attributes give. */
static enum err_code check_keys(const struct infer *infer,
				const struct attention *a, struct err *err)
{
	struct shape k = { 4, { a->n_batch, a->kv_heads, a->n_new, a->head } };
	struct shape v = { 4,
			   { a->n_batch, a->kv_heads, a->n_new, a->v_head } };
	enum err_code rc;

	if (infer->in[0].shape.rank == 3) {
		k = (struct shape){
			3, { a->n_batch, a->n_new, a->kv_heads * a->head }
		};
		v = (struct shape){
			3, { a->n_batch, a->n_new, a->kv_heads * a->v_head }
		};
	}
	rc = expect(infer, ATTENTION_K, &k, err);
	if (!rc)
		rc = expect(infer, ATTENTION_V, &v, err);
	if (!rc && (a->kv_heads ? a->q_heads % a->kv_heads : a->q_heads))
		rc = infer_fail(err,
				"input 'Q': expected a multiple of %lld heads, "
				"got %lld",
				(long long)a->kv_heads, (long long)a->q_heads);
	return rc;
}

/* sets n_past and n_kv */
static enum err_code check_past(const struct infer *infer, struct attention *a,
				struct err *err)
{
	const bool has_past = has(infer, ATTENTION_PAST_KEY);
	const struct shape *past = &infer->in[ATTENTION_PAST_KEY].shape;
	struct shape want = { 4, { a->n_batch, a->kv_heads, 0, a->head } };
	enum err_code rc;

	a->n_kv = a->n_new;
	if (has_past != has(infer, ATTENTION_PAST_VALUE))
		return err_set(err, ERR_INVALID,
			       "inputs 'past_key' and 'past_value' come "
			       "together or not at all");
	if (!has_past)
		return ERR_NONE;
	if (has(infer, ATTENTION_LENGTHS))
		return err_set(err, ERR_INVALID,
			       "input 'nonpad_kv_seqlen' does not go with "
			       "'past_key'");
	if (past->rank == 4)
		want.dim[2] = past->dim[2];
	rc = expect(infer, ATTENTION_PAST_KEY, &want, err);
	want.dim[3] = a->v_head;
	if (!rc)
		rc = expect(infer, ATTENTION_PAST_VALUE, &want, err);
	a->n_past = want.dim[2];
	a->n_kv += a->n_past;
	return rc;
}

static enum err_code check_mask(const struct infer *infer,
				const struct attention *a, struct err *err)
{
	const int64_t want[4] = { a->n_batch, a->q_heads, a->n_q, a->n_kv };
	const struct shape *mask = &infer->in[ATTENTION_MASK].shape;
	const struct shape all = { 4, { want[0], want[1], want[2], want[3] } };
	char text[2][64];
	bool is_fine = mask->rank <= 4;

	if (!has(infer, ATTENTION_MASK))
		return ERR_NONE;
	for (unsigned i = 0; i < mask->rank && is_fine; i++) {
		const int64_t n = mask->dim[mask->rank - 1 - i];

		is_fine = i ? n == 1 || n == want[3 - i] : n <= want[3];
	}
	if (is_fine)
		return ERR_NONE;
	return infer_fail(err,
			  "input 'attn_mask': expected a shape that broadcasts "
			  "to %s, or a shorter last extent, got %s",
			  shape_text(&all, text[0], sizeof(text[0])),
			  shape_text(mask, text[1], sizeof(text[1])));
}

static enum err_code check_attrs(const struct attention_attrs *attrs,
				 struct err *err)
{
	const enum dtype elem = (enum dtype)attrs->softmax_precision;

	if (elem != DTYPE_NONE && elem != DTYPE_F32 && elem != DTYPE_F64 &&
	    elem != DTYPE_F16 && elem != DTYPE_BF16)
		return err_set(err, ERR_INVALID,
			       "attribute 'softmax_precision': expected a "
			       "floating type, got %s",
			       dtype_info(elem)->name);
	if (!isfinite(attrs->scale) || !isfinite(attrs->softcap))
		return err_set(err, ERR_INVALID,
			       "attribute '%s': expected a finite number",
			       isfinite(attrs->scale) ? "softcap" : "scale");
	return ERR_NONE;
}

static enum err_code set_shape(struct infer *infer, unsigned i,
			       const struct shape *shape, struct err *err)
{
	if (i >= infer->n_out || infer->out[i].type.elem == DTYPE_NONE)
		return ERR_NONE;
	infer->out[i].shape = *shape;
	infer->out[i].has_shape = true;
	return shape_check(shape, "an output", err);
}

static enum err_code set_shapes(struct infer *infer, const struct attention *a,
				struct err *err)
{
	struct shape y = { 4, { a->n_batch, a->q_heads, a->n_q, a->v_head } };
	const struct shape key = {
		4, { a->n_batch, a->kv_heads, a->n_kv, a->head }
	};
	const struct shape value = {
		4, { a->n_batch, a->kv_heads, a->n_kv, a->v_head }
	};
	const struct shape scores = {
		4, { a->n_batch, a->q_heads, a->n_q, a->n_kv }
	};
	enum err_code rc;

	/* kernels walk the scores whether or not they are a result */
	rc = shape_check(&scores, "the scores", err);
	if (rc)
		return rc;
	if (infer->in[0].shape.rank == 3)
		y = (struct shape){
			3, { a->n_batch, a->n_q, a->q_heads * a->v_head }
		};
	rc = set_shape(infer, ATTENTION_Y, &y, err);
	if (!rc)
		rc = set_shape(infer, ATTENTION_PRESENT_KEY, &key, err);
	if (!rc)
		rc = set_shape(infer, ATTENTION_PRESENT_VALUE, &value, err);
	if (!rc)
		rc = set_shape(infer, ATTENTION_SCORES, &scores, err);
	return rc;
}

static enum err_code attention_infer(struct infer *infer, struct err *err)
{
	const struct attention_attrs *attrs = infer->attrs;
	struct attention a;
	struct shape lengths = { .rank = 1 };
	enum err_code rc = check_attrs(attrs, err);

	if (!rc)
		rc = check_ranks(infer, err);
	if (!rc)
		rc = check_heads(infer, ATTENTION_Q, attrs->q_num_heads, err);
	if (!rc)
		rc = check_heads(infer, ATTENTION_K, attrs->kv_num_heads, err);
	if (rc)
		return rc;
	a = read_extents(infer->in, attrs);
	rc = check_keys(infer, &a, err);
	if (!rc)
		rc = check_past(infer, &a, err);
	if (!rc)
		rc = check_mask(infer, &a, err);
	lengths.dim[0] = a.n_batch;
	if (!rc)
		rc = expect(infer, ATTENTION_LENGTHS, &lengths, err);
	return rc ? rc : set_shapes(infer, &a, err);
}

/* ---- the row ------------------------------------------------------------- */

static const struct kernel *const kernels[] = { &attention_blocks,
						&attention_plain, NULL };

static const struct port attention_in[] = {
	{ "Q", "T:float16,float,double,bfloat16", 0 },
	{ "K", "T", 0 },
	{ "V", "S:float16,float,double,bfloat16", 0 },
	{ "attn_mask",
	  "float16,float,double,bfloat16,bool,int8,int16,int32,int64,uint8,"
	  "uint16,uint32,uint64",
	  PORT_OPTIONAL },
	{ "past_key", "T", PORT_OPTIONAL },
	{ "past_value", "S", PORT_OPTIONAL },
	{ "nonpad_kv_seqlen", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port attention_out[] = {
	{ "Y", "T", 0 },
	{ "present_key", "T", PORT_OPTIONAL },
	{ "present_value", "S", PORT_OPTIONAL },
	{ "qk_matmul_output", "T", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
#define AT(member) .offset = offsetof(struct attention_attrs, member)
static const struct op_attr attrs[] = {
	{ .name = "is_causal", .help = "not 0: no query sees a later key",
	  AT(is_causal), .kind = ATTR_INT },
	{ .name = "kv_num_heads", .help = "heads of K and V, where they have rank 3",
	  AT(kv_num_heads), .kind = ATTR_INT, .max = INT32_MAX },
	{ .name = "left_window_size", .help = "earlier keys that a query sees; -1: all",
	  AT(left_window_size), .kind = ATTR_INT, .min = -1, .max = INT32_MAX, .def = -1 },
	{ .name = "q_num_heads", .help = "heads of Q, where it has rank 3",
	  AT(q_num_heads), .kind = ATTR_INT, .max = INT32_MAX },
	{ .name = "qk_matmul_output_mode",
	  .help = "what qk_matmul_output shows: 0 scores, 1 capped, 2 masked, 3 softmax",
	  AT(qk_matmul_output_mode), .kind = ATTR_INT, .max = SCORES_SOFTMAX },
	{ .name = "right_window_size", .help = "later keys that a query sees; -1: all",
	  AT(right_window_size), .kind = ATTR_INT, .min = -1, .max = INT32_MAX, .def = -1 },
	{ .name = "scale", .help = "factor of the scores; 0: 1 / sqrt(size of a head)",
	  AT(scale), .kind = ATTR_FLOAT },
	{ .name = "softcap", .help = "bound of the scores; 0: none",
	  AT(softcap), .kind = ATTR_FLOAT, .max = 1e30 },
	{ .name = "softmax_precision", .help = "element type of the softmax",
	  AT(softmax_precision), .kind = ATTR_INT, .max = DTYPE_COUNT - 1 },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "heads",
	  .graph = "y = Attention(q:float[2,3,5,8], k:float[2,3,7,8], v:float[2,3,7,6])" },
	{ .name = "groups",
	  .graph = "y = Attention(q:float[2,6,5,8], k:float[2,2,7,8], v:float[2,2,7,9])" },
	{ .name = "packed",
	  .graph = "y = Attention<q_num_heads=3, kv_num_heads=3>(q:float[2,5,24], "
		   "k:float[2,7,24], "
		   "v:float[2,7,18])" },
	{ .name = "packed groups",
	  .graph = "y = Attention<q_num_heads=4, kv_num_heads=2, scale=0.3>(q:float[2,5,24], "
		   "k:float[2,7,12], v:float[2,7,10])" },
	{ .name = "causal",
	  .graph = "y = Attention<is_causal=1>(q:float[1,2,7,4], k:float[1,2,7,4], "
		   "v:float[1,2,7,4])" },
	{ .name = "more queries than keys",
	  .graph = "y = Attention<is_causal=1>(q:float[1,2,9,4], k:float[1,2,7,4], "
		   "v:float[1,2,7,4])" },
	{ .name = "window",
	  .graph = "y = Attention<left_window_size=2, right_window_size=1>(q:float[1,2,9,4], "
		   "k:float[1,2,9,4], v:float[1,2,9,4])" },
	{ .name = "mask of numbers",
	  .graph = "y = Attention(q:float[2,3,5,4], k:float[2,3,7,4], v:float[2,3,7,4], "
		   "m:float[2,1,5,7])" },
	{ .name = "mask of heads",
	  .graph = "y = Attention<is_causal=1>(q:float[2,4,5,4], k:float[2,2,7,4], "
		   "v:float[2,2,7,4], m:float[4,5,7])" },
	{ .name = "mask of keys",
	  .graph = "y = Attention(q:float[2,3,5,4], k:float[2,3,7,4], v:float[2,3,7,4], "
		   "m:float[7])" },
	{ .name = "mask of bits",
	  .graph = "y, k1, v1, s = Attention<qk_matmul_output_mode=2>(q:float[2,3,5,4], "
		   "k:float[2,3,7,4], v:float[2,3,7,4], m:bool[5,7])" },
	{ .name = "nothing to see",
	  .graph = "y, k1, v1, s = Attention<qk_matmul_output_mode=3>(q:float[1,1,2,4], "
		   "k:float[1,1,3,4], v:float[1,1,3,4], m:bool[2,3]={0,0,0,1,0,1})" },
	{ .name = "mask of integers",
	  .graph = "y = Attention(q:float[2,3,5,4], k:float[2,3,7,4], v:float[2,3,7,4], "
		   "m:int32[5,7])" },
	{ .name = "mask too short",
	  .graph = "y = Attention(q:float[2,3,5,4], k:float[2,3,7,4], v:float[2,3,7,4], "
		   "m:float[5,4])" },
	{ .name = "past",
	  .graph = "y, k1, v1 = Attention<is_causal=1>(q:float[2,4,3,4], k:float[2,2,3,4], "
		   "v:float[2,2,3,5], , pk:float[2,2,6,4], pv:float[2,2,6,5])" },
	{ .name = "past, packed",
	  .graph = "y, k1, v1, s = Attention<q_num_heads=4, kv_num_heads=2>(q:float[2,3,16], "
		   "k:float[2,3,8], v:float[2,3,10], , pk:float[2,2,6,4], pv:float[2,2,6,5])" },
	{ .name = "one query",
	  .graph = "y = Attention(q:float[2,6,1,16], k:float[2,2,30,16], v:float[2,2,30,16])" },
	{ .name = "lengths",
	  .graph = "y = Attention<is_causal=1>(q:float[3,2,4,4], k:float[3,2,7,4], "
		   "v:float[3,2,7,4], , , , n:int64[3]={2,7,0})" },
	{ .name = "cap",
	  .graph = "y, k1, v1, s = Attention<softcap=0.7, "
		   "qk_matmul_output_mode=1>(q:float[2,3,5,4], "
		   "k:float[2,3,7,4], v:float[2,3,7,4])" },
	{ .name = "many queries",
	  .graph = "y = Attention<is_causal=1>(q:float[2,2,150,32], k:float[2,1,150,32], "
		   "v:float[2,1,150,32])" },
	{ .name = "precision",
	  .graph = "y = Attention<softmax_precision=11>(q:float[1,2,3,4], k:float[1,2,5,4], "
		   "v:float[1,2,5,4])" },
	{ .name = "double",
	  .graph = "y = Attention(q:double[2,3,5,8], k:double[2,3,7,8], v:double[2,3,7,6])" },
	{ .name = "two types",
	  .graph = "y = Attention(q:float[1,3,5,8], k:float[1,3,7,8], v:double[1,3,7,6])" },
	{ .name = "no queries",
	  .graph = "y = Attention(q:float[2,3,0,8], k:float[2,3,7,8], v:float[2,3,7,6])" },
	{ .name = "no keys",
	  .graph = "y = Attention(q:float[2,3,5,8], k:float[2,3,0,8], v:float[2,3,0,6])" },
	{ .name = "no heads",
	  .graph = "y = Attention(q:float[2,0,5,8], k:float[2,0,3,8], v:float[2,0,3,6])" },
	{ .name = "heads of no size",
	  .graph = "y = Attention(q:float[2,1,5,0], k:float[2,1,3,0], v:float[2,1,3,6])" },
	{ .name = "rank 2", .graph = "y = Attention(q:float[5,8], k:float[7,8], v:float[7,6])",
	  .want = ERR_SHAPE },
	{ .name = "ranks differ",
	  .graph = "y = Attention(q:float[1,2,5,8], k:float[2,7,8], v:float[2,7,6])",
	  .want = ERR_SHAPE },
	{ .name = "heads not told",
	  .graph = "y = Attention(q:float[2,5,8], k:float[2,7,8], v:float[2,7,6])",
	  .want = ERR_SHAPE },
	{ .name = "heads do not divide",
	  .graph = "y = Attention(q:float[2,5,3,8], k:float[2,2,3,8], v:float[2,2,3,6])",
	  .want = ERR_SHAPE },
	{ .name = "heads told otherwise",
	  .graph = "y = Attention<q_num_heads=2>(q:float[2,4,3,8], k:float[2,2,3,8], "
		   "v:float[2,2,3,6])", .want = ERR_SHAPE },
	{ .name = "keys of other size",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,7], v:float[2,2,3,6])",
	  .want = ERR_SHAPE },
	{ .name = "fewer values",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,8], v:float[2,2,2,6])",
	  .want = ERR_SHAPE },
	{ .name = "half of a past",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,8], v:float[2,2,3,6], , "
		   "pk:float[2,2,5,8])", .want = ERR_INVALID },
	{ .name = "past of other heads",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,8], v:float[2,2,3,6], , "
		   "pk:float[2,1,5,8], pv:float[2,1,5,6])", .want = ERR_SHAPE },
	{ .name = "mask too long",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,8], v:float[2,2,3,6], "
		   "m:float[3,4])",
	  .want = ERR_SHAPE },
	{ .name = "lengths of other batch",
	  .graph = "y = Attention(q:float[2,2,3,8], k:float[2,2,3,8], v:float[2,2,3,6], , , , "
		   "n:int64[3])", .want = ERR_SHAPE },
	{ .name = "precision of integers",
	  .graph = "y = Attention<softmax_precision=7>(q:float[1,2,3,4], k:float[1,2,5,4], "
		   "v:float[1,2,5,4])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_attention;
const struct op op_attention = {
	.domain = "",
	.name = "Attention",
	.help = "Values weighed by how well their keys meet each query.",
	.since = 23,
	.in = attention_in,
	.out = attention_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct attention_attrs),
	.infer = attention_infer,
	.kernels = kernels,
	.vjp = attention_vjp,
	.cases = cases,
};
