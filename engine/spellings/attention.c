/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attention as com.microsoft has it: Attention (which makes Q, K and V by one
 * product), MultiHeadAttention, GroupQueryAttention (with positions turned and
 * a cache of its own), and EmbedLayerNormalization, which feeds them. All
 * become Attention of ONNX and what stands around it.
 *
 * Masks become what is added to scores, `mask_filter_value` where they hide a
 * key. Not supported: masks of starts and ends (rank 1, more than one number a
 * batch), rotation inside of Attention, buffers that past and present share,
 * and what is refused by name.
 *
 * Source: the operators' documents of ONNX Runtime (ContribOperators.md).
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 4096 };

struct attention_attrs {
	int64_t num_heads, kv_num_heads, unidirectional, do_rotary;
	int64_t past_present_share_buffer, rotary_embedding_dim;
	int64_t rotary_interleaved, local_window_size, smooth_softmax, causal;
	int64_t mask_index_type;
	double scale, mask_filter_value, softcap, epsilon;
	struct attr_ints qkv_hidden_sizes;
};

static bool has(const struct lower *lower, unsigned i)
{
	return i < lower->node->n_in && lower->node->in[i] != VALUE_NONE;
}

static void put(char text[TEXT_MAX], const char *part)
{
	const size_t n = strlen(text);

	(void)snprintf(text + n, TEXT_MAX - n, "%s", part);
}

static enum err_code refuse(const struct lower *lower, const char *what,
			    struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "node '%s' (%s): %s",
		       lower->node->node_name, lower->node->name, what);
}

/* the first of inputs `from` to 63 that is there is too much */
static enum err_code refuse_inputs(const struct lower *lower, unsigned from,
				   struct err *err)
{
	for (unsigned i = from; i < lower->node->n_in; i++)
		if (lower->node->in[i] != VALUE_NONE)
			return err_set(err, ERR_UNSUPPORTED,
				       "node '%s' (%s): input %u is not "
				       "supported",
				       lower->node->node_name,
				       lower->node->name, i);
	return ERR_NONE;
}

/* m = what input `mask` and `bias` add to scores. A mask of rank 2 to 4 holds
 * 0 and 1: its first axis is the batch, its last ones are queries and keys.
 * One of rank 1 holds how many keys of `k`, and of `past` at its axis, count;
 * only a run tells which it is, so both are made. */
static const char *put_mask(const char *mask, const char *past,
			    const char *bias, char text[TEXT_MAX])
{
	if (!mask)
		return bias ? bias : "";
	put(text, "none:int64[]={0}\none:int64[]={1}\nfirst:int64[1]={0}\n"
		  "second:int64[1]={1}\nend:int64[1]={9}\nshape = Shape(");
	put(text, mask);
	put(text, ")\nrank = Shape(shape)\n"
		  "ones = ConstantOfShape<value=int64[1]{1}>(Sub(4, rank))\n"
		  "wide = Concat<axis=0>(Gather(shape, first), ones, "
		  "Slice(shape, second, end))\n"
		  "given = Cast<to=int64>(Reshape(");
	put(text, mask);
	put(text, ", wide))\nfresh = Gather(Shape(k), one)\n"
		  "keys = Range(none, ");
	put(text, past ? past : "fresh");
	put(text, ", one)\n"
		  "seen = Where(Equal(rank, second), Less(keys, given), "
		  "Cast<to=bool>(given))\n"
		  "hidden = Mul(Sub(1, CastLike(seen, x0)), "
		  "@mask_filter_value)\n");
	if (!bias)
		return "hidden";
	put(text, "m = Add(hidden, ");
	put(text, bias);
	put(text, ")\n");
	return "m";
}

/* ---- MultiHeadAttention -------------------------------------------------- */

/* Operands of rank 5 hold two or three side by side. */
static void put_operands(const struct lower *lower, char text[TEXT_MAX])
{
	put(text, "flat:int64[3]={0,0,-1}\n");
	if (!has(lower, 1))
		put(text,
		    "q0 = Reshape(Gather<axis=3>(x0, a:int64[]={0}), flat)\n"
		    "k0 = Reshape(Gather<axis=3>(x0, b:int64[]={1}), flat)\n"
		    "v0 = Reshape(Gather<axis=3>(x0, c:int64[]={2}), flat)\n");
	else if (!has(lower, 2))
		put(text,
		    "q0 = x0\n"
		    "k0 = Reshape(Gather<axis=3>(x1, a:int64[]={0}), flat)\n"
		    "v0 = Reshape(Gather<axis=3>(x1, b:int64[]={1}), flat)\n");
	else
		put(text, "q0 = x0\nk0 = x1\nv0 = x2\n");
	if (!has(lower, 3)) {
		put(text, "q = q0\nk = k0\nv = v0\n");
		return;
	}
	put(text, "size = Gather(Shape(q0), last:int64[1]={2})\n"
		  "twice = Add(size, size)\n"
		  "q = Add(q0, Slice(x3, zero:int64[1]={0}, size))\n"
		  "k = Add(k0, Slice(x3, size, twice))\n"
		  "v = Add(v0, Slice(x3, twice, far:int64[1]={2147483647}))\n");
}

static enum err_code lower_heads(struct lower *lower, struct err *err)
{
	char text[TEXT_MAX] = "";
	const char *mask;
	enum err_code rc = refuse_inputs(lower, 8, err);

	if (rc)
		return rc;
	if (has(lower, 1) != has(lower, 2) && !has(lower, 1))
		return refuse(lower, "a value without a key", err);
	put_operands(lower, text);
	mask = put_mask(has(lower, 4) ? "x4" : NULL,
			has(lower, 6)
			    ? "Add(fresh, Gather(Shape(x6), two:int64[]={2}))"
			    : NULL,
			has(lower, 5) ? "x5" : NULL, text);
	put(text, lower->node->n_out > 3   ? "y0, y1, y2, y3"
		  : lower->node->n_out > 2 ? "y0, y1, y2"
		  : lower->node->n_out > 1 ? "y0, y1"
					   : "y0");
	put(text, " = Attention<q_num_heads=@num_heads, "
		  "kv_num_heads=@num_heads, scale=@scale, "
		  "is_causal=@unidirectional, qk_matmul_output_mode=3>"
		  "(q, k, v");
	put(text, *mask || has(lower, 6) ? ", " : "");
	put(text, mask);
	put(text, has(lower, 6) ? ", x6, x7)" : ")");
	return lower_text(lower, text, err);
}

/* ---- Attention ----------------------------------------------------------- */

static void put_projection(const struct lower *lower, char text[TEXT_MAX])
{
	const struct attention_attrs *own = lower->attrs;
	const struct attr_ints *sizes = &own->qkv_hidden_sizes;
	char split[128] = "<axis=2, num_outputs=3>(p";

	if (sizes->n == 3)
		(void)snprintf(split, sizeof(split),
			       "<axis=2>(p, sizes:int64[3]={%lld,%lld,%lld}",
			       (long long)sizes->v[0], (long long)sizes->v[1],
			       (long long)sizes->v[2]);
	put(text, has(lower, 2) ? "p = Add(MatMul(x0, x1), x2)\n"
				: "p = MatMul(x0, x1)\n");
	put(text, "q, k, v = Split");
	put(text, split);
	put(text, ")\n");
}

static enum err_code lower_attention(struct lower *lower, struct err *err)
{
	const struct attention_attrs *own = lower->attrs;
	char text[TEXT_MAX] = "";
	const char *mask;
	enum err_code rc = refuse_inputs(lower, 6, err);

	if (!rc && own->do_rotary)
		rc = refuse(lower, "do_rotary is not supported", err);
	if (!rc && own->past_present_share_buffer)
		rc = refuse(lower, "a shared buffer is not supported", err);
	if (rc)
		return rc;
	put_projection(lower, text);
	mask = put_mask(has(lower, 3) ? "x3" : NULL,
			has(lower, 4)
			    ? "Add(fresh, Gather(Shape(x4), three:int64[]={3}))"
			    : NULL,
			has(lower, 5) ? "x5" : NULL, text);
	put(text, lower->node->n_out > 1 ? "y0, k1, v1" : "y0");
	put(text, " = Attention<q_num_heads=@num_heads, "
		  "kv_num_heads=@num_heads, scale=@scale, "
		  "is_causal=@unidirectional>(q, k, v");
	put(text, *mask || has(lower, 4) ? ", " : "");
	put(text, mask);
	put(text, has(lower, 4) ? ", Gather<axis=0>(x4, o:int64[]={0}), "
				  "Gather<axis=0>(x4, l:int64[]={1}))\n"
				: ")\n");
	if (lower->node->n_out > 1)
		put(text, "pair:int64[1]={0}\n"
			  "y1 = Concat<axis=0>(Unsqueeze(k1, pair), "
			  "Unsqueeze(v1, pair))\n");
	return lower_text(lower, text, err);
}

/* ---- GroupQueryAttention ------------------------------------------------- */

/* q, k, v of [batch, heads, rows, size]; pos [batch, rows]: where they stand;
 * put_at [batch]: the first of them */
static void put_groups(const struct lower *lower, char text[TEXT_MAX])
{
	const struct attention_attrs *own = lower->attrs;
	const long long n = own->num_heads, kv = own->kv_num_heads;
	char part[512];

	(void)snprintf(part, sizeof(part),
		       "heads:int64[4]={0,0,%lld,-1}\n"
		       "kv_heads:int64[4]={0,0,%lld,-1}\n"
		       "count:int64[3]={%lld,%lld,%lld}\nall:int64[1]={%lld}\n",
		       n, kv, n, kv, kv, n + 2 * kv);
	put(text, part);
	put(text,
	    has(lower, 1)
		? "q0 = x0\nk0 = x1\nv0 = x2\n"
		: "size = Div(Gather(Shape(x0), last:int64[1]={2}), all)\n"
		  "q0, k0, v0 = Split<axis=2>(x0, Mul(count, size))\n");
	put(text,
	    "q1 = Transpose<perm=[0,2,1,3]>(Reshape(q0, heads))\n"
	    "k1 = Transpose<perm=[0,2,1,3]>(Reshape(k0, kv_heads))\n"
	    "v = Transpose<perm=[0,2,1,3]>(Reshape(v0, kv_heads))\n"
	    "none:int64[]={0}\none:int64[]={1}\n"
	    "rows = Gather(Shape(x0), one)\n"
	    "put_at = Max(none, Sub(Add(Cast<to=int64>(x5), one), rows))\n"
	    "column:int64[1]={1}\n"
	    "pos = Add(Unsqueeze(put_at, column), Range(none, rows, one))\n");
	put(text, own->do_rotary
		      ? "q = com.microsoft.RotaryEmbedding<"
			"interleaved=@rotary_interleaved>(q1, pos, x7, x8)\n"
			"k = com.microsoft.RotaryEmbedding<"
			"interleaved=@rotary_interleaved>(k1, pos, x7, x8)\n"
		      : "q = q1\nk = k1\n");
}

/* y1, y2: past rows, then zeros as far as the total says, and the new rows
 * written into them */
static void put_cache(const struct lower *lower, char text[TEXT_MAX])
{
	put(text, "total = Reshape(Cast<to=int64>(x6), vector:int64[1]={1})\n"
		  "batch_heads = Slice(Shape(k), from:int64[1]={0}, "
		  "to:int64[1]={2})\n"
		  "size_at:int64[1]={3}\nzero = CastLike(0, x0)\n"
		  "length_at:int64[1]={2}\n");
	if (has(lower, 3))
		put(text,
		    "more = Max(Sub(total, Gather(Shape(x3), length_at)), "
		    "none)\n"
		    "fill_k = Expand(zero, Concat<axis=0>(batch_heads, more, "
		    "Gather(Shape(k), size_at)))\n"
		    "fill_v = Expand(zero, Concat<axis=0>(batch_heads, more, "
		    "Gather(Shape(v), size_at)))\n"
		    "cache_k = Concat<axis=2>(x3, fill_k)\n"
		    "cache_v = Concat<axis=2>(x4, fill_v)\n");
	else
		put(text,
		    "cache_k = Expand(zero, Concat<axis=0>(batch_heads, total, "
		    "Gather(Shape(k), size_at)))\n"
		    "cache_v = Expand(zero, Concat<axis=0>(batch_heads, total, "
		    "Gather(Shape(v), size_at)))\n");
	put(text, "all_k = TensorScatter(cache_k, k, put_at)\n"
		  "all_v = TensorScatter(cache_v, v, put_at)\n");
}

static enum err_code check_groups(const struct lower *lower, struct err *err)
{
	const struct attention_attrs *own = lower->attrs;

	if (has(lower, 1) != has(lower, 2) || has(lower, 3) != has(lower, 4))
		return refuse(lower, "keys and values come together", err);
	if (!has(lower, 5) || !has(lower, 6))
		return refuse(lower, "lengths must be given", err);
	if (own->do_rotary && (!has(lower, 7) || !has(lower, 8)))
		return refuse(lower, "caches of angles must be given", err);
	if (own->smooth_softmax > 0)
		return refuse(lower, "smooth_softmax is not supported", err);
	if (lower->node->n_out > 3)
		return refuse(lower, "output 3 is not supported", err);
	return refuse_inputs(lower, 11, err);
}

static enum err_code lower_groups(struct lower *lower, struct err *err)
{
	const struct attention_attrs *own = lower->attrs;
	char text[TEXT_MAX] = "";
	enum err_code rc = check_groups(lower, err);

	if (rc)
		return rc;
	put_groups(lower, text);
	put_cache(lower, text);
	/* a query sees the keys up to its own place */
	put(text, "keys = Range(none, Gather(Shape(all_k), two:int64[]={2}), "
		  "one)\n"
		  "at = Unsqueeze(pos, sides:int64[2]={1,3})\n");
	if (own->causal)
		put(text, "before = LessOrEqual(keys, at)\n");
	else
		put(text, "before = Less(keys, Unsqueeze(Add("
			  "Cast<to=int64>(x5), one), all_sides:int64[3]="
			  "{1,2,3}))\n");
	put(text, own->local_window_size > 0
		      ? "near = And(before, Greater(keys, "
			"Sub(at, @local_window_size)))\n"
		      : "near = before\n");
	put(text, has(lower, 10)
		      ? "m = Where(near, x10, CastLike(never:float[]={-1e38}, "
			"x10))\n"
		      : "m = near\n");
	put(text, "y = Attention<scale=@scale, softcap=@softcap>(q, all_k, "
		  "all_v, m)\n"
		  "y0 = Reshape(Transpose<perm=[0,2,1,3]>(y), "
		  "flat:int64[3]={0,0,-1})\n"
		  "y1 = all_k\ny2 = all_v\n");
	return lower_text(lower, text, err);
}

/* ---- EmbedLayerNormalization --------------------------------------------- */

static enum err_code lower_embed(struct lower *lower, struct err *err)
{
	char text[TEXT_MAX] = "";

	put(text, "none:int64[]={0}\none:int64[]={1}\n"
		  "rows = Gather(Shape(x0), one)\n");
	put(text, has(lower, 8)
		      ? "place = Gather(x3, x8)\n"
		      : "place = Gather(x3, Range(none, rows, one))\n");
	put(text, "w = Add(Gather(x2, x0), place)\n");
	put(text, has(lower, 1) && has(lower, 4)
		      ? "s = Add(w, Gather(x4, x1))\n"
		      : "s = w\n");
	put(text, "y0 = LayerNormalization<epsilon=@epsilon>(s, x5, x6)\n");
	if (lower->node->n_out > 1)
		put(text, has(lower, 7) ? "y1 = ReduceSum<keepdims=0>(x7, "
					  "line:int64[1]={1})\n"
					: "y1 = Cast<to=int32>(Expand(none, "
					  "Slice(Shape(x0), b:int64[1]={0}, "
					  "e:int64[1]={1})))\n");
	if (lower->node->n_out > 2)
		put(text, "y2 = s\n");
	return lower_text(lower, text, err);
}

/* ---- the table ----------------------------------------------------------- */

/* clang-format off */
#define AT(member) .offset = offsetof(struct attention_attrs, member)
#define NUM_HEADS \
	{ .name = "num_heads", .help = "heads of queries", AT(num_heads), .kind = ATTR_INT, \
	  .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX }
#define SCALE \
	{ .name = "scale", .help = "factor of the scores; 0: 1 / sqrt(size)", AT(scale), \
	  .kind = ATTR_FLOAT }
#define FILTER \
	{ .name = "mask_filter_value", .help = "added where a mask is 0", \
	  AT(mask_filter_value), .kind = ATTR_FLOAT, .def = -10000 }
#define UNIDIRECTIONAL \
	{ .name = "unidirectional", .help = "1: no query sees a later key", \
	  AT(unidirectional), .kind = ATTR_INT, .max = 1 }
#define ROTARY \
	{ .name = "do_rotary", .help = "1: queries and keys are turned", AT(do_rotary), \
	  .kind = ATTR_INT, .max = 1 }

static const struct op_attr attention_attrs[] = {
	ROTARY,
	FILTER,
	NUM_HEADS,
	{ .name = "past_present_share_buffer", .help = "1 is not supported",
	  AT(past_present_share_buffer), .kind = ATTR_INT, .max = 1 },
	{ .name = "qkv_hidden_sizes", .help = "columns of Q, K and V", AT(qkv_hidden_sizes),
	  .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "rotary_embedding_dim", .help = "of do_rotary", AT(rotary_embedding_dim),
	  .kind = ATTR_INT },
	SCALE,
	UNIDIRECTIONAL,
	{ 0 },
};
static const struct op_attr heads_attrs[] = {
	FILTER, NUM_HEADS, SCALE, UNIDIRECTIONAL, { 0 }
};
static const struct op_attr group_attrs[] = {
	{ .name = "causal", .help = "0: queries see later keys", AT(causal), .kind = ATTR_INT,
	  .max = 1, .def = 1 },
	ROTARY,
	{ .name = "kv_num_heads", .help = "heads of keys", AT(kv_num_heads), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX },
	{ .name = "local_window_size", .help = "keys that a query sees; -1: all",
	  AT(local_window_size), .kind = ATTR_INT, .min = -1, .max = INT32_MAX, .def = -1 },
	NUM_HEADS,
	{ .name = "rotary_interleaved", .help = "1: pairs are neighbours",
	  AT(rotary_interleaved), .kind = ATTR_INT, .max = 1 },
	SCALE,
	{ .name = "smooth_softmax", .help = "1 is not supported", AT(smooth_softmax),
	  .kind = ATTR_INT, .min = -1, .max = 1, .def = -1 },
	{ .name = "softcap", .help = "bound of the scores; 0: none", AT(softcap),
	  .kind = ATTR_FLOAT, .max = 1e30 },
	{ 0 },
};
static const struct op_attr embed_attrs[] = {
	{ .name = "epsilon", .help = "added to the variance", AT(epsilon), .kind = ATTR_FLOAT,
	  .max = 1e30, .def = 1e-12 },
	{ .name = "mask_index_type", .help = "whether there is a mask index",
	  AT(mask_index_type), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};

#define ROW(what, how, table) \
	{ .domain = "com.microsoft", .name = (what), .from = 1, .to = UINT16_MAX, \
	  .lower = (how), .attrs = (table), .attrs_size = sizeof(struct attention_attrs) }

const struct spelling spellings_attention[] = {
	ROW("Attention", lower_attention, attention_attrs),
	ROW("EmbedLayerNormalization", lower_embed, embed_attrs),
	ROW("GroupQueryAttention", lower_groups, group_attrs),
	ROW("MultiHeadAttention", lower_heads, heads_attrs),
	{ 0 },
};
/* clang-format on */
