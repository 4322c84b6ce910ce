/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * QAttention of com.microsoft: the product of bytes that makes queries, keys
 * and values, then attention in floats. Masks are [batch, steps], 1 where a
 * key counts.
 */
#include <math.h>
#include <stddef.h>

#include "base/buf.h"
#include "engine/spelling.h"

enum { TEXT_MAX = 1 << 14 };
enum { QA_BIAS = 2, QA_MASK = 5, QA_IN_ZERO, QA_WEIGHT_ZERO, QA_PAST };

struct attention_attrs {
	double scale, mask_filter_value;
	int64_t num_heads, unidirectional, do_rotary, share_buffer;
};

static bool has(const struct lower *lower, unsigned i)
{
	return i < lower->node->n_in && lower->node->in[i] != VALUE_NONE;
}

static enum err_code refuse(const struct lower *lower, const char *what,
			    struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "node '%s' (QAttention): %s",
		       lower->node->node_name, what);
}

/* 1 / sqrt(elements of a head), which the biases' length tells */
static enum err_code find_scale(const struct lower *lower, double *ret_scale,
				struct err *err)
{
	const struct attention_attrs *own = lower->attrs;
	const struct tensor_view *bias = lower->in_const[QA_BIAS];
	double width;

	*ret_scale = own->scale;
	if (own->scale != 0)
		return ERR_NONE;
	if (!bias || shape_count(&bias->shape) < 3 * own->num_heads)
		return refuse(
		    lower,
		    "input 'bias' must be a constant of three numbers "
		    "a head at least",
		    err);
	width = (double)shape_count(&bias->shape) / 3 / (double)own->num_heads;
	*ret_scale = 1 / sqrt(width);
	return ERR_NONE;
}

static void put_head(struct buf *buf, const char *name)
{
	buf_printf(buf, "%s = Transpose<perm=[0,2,1,3]>(Reshape(%s0, heads))\n",
		   name, name);
}

static enum err_code lower_attention(struct lower *lower, struct err *err)
{
	const struct attention_attrs *own = lower->attrs;
	const bool has_mask = has(lower, QA_MASK);
	struct buf buf;
	double scale;
	enum err_code rc;

	if (has(lower, QA_PAST) || own->unidirectional || own->do_rotary)
		return refuse(
		    lower,
		    "'past', 'unidirectional' and 'do_rotary' are not "
		    "supported",
		    err);
	rc = find_scale(lower, &scale, err);
	if (rc)
		return rc;
	buf_init(&buf, TEXT_MAX);
	buf_printf(&buf,
		   "heads:int64[4]={0,0,%lld,-1}; all:int64[3]={0,0,-1}\n"
		   "p = MatMulInteger(x0, x1, %s, %s)\n"
		   "qkv = Add(Mul(Cast<to=float>(p), Mul(x3, x4)), x2)\n"
		   "q0, k0, v0 = Split<axis=2, num_outputs=3>(qkv)\n",
		   (long long)own->num_heads,
		   has(lower, QA_IN_ZERO) ? "x6" : "",
		   has(lower, QA_WEIGHT_ZERO) ? "x7" : "");
	put_head(&buf, "q");
	put_head(&buf, "k");
	put_head(&buf, "v");
	buf_printf(&buf, "s0 = Mul(MatMulT<trans_b=1>(q, k), %.9g)\n", scale);
	if (has_mask)
		buf_puts(&buf,
			 "from:int64[1]={0}; to:int64[1]={2}; "
			 "axes:int64[2]={1,2}\n"
			 "m0 = Reshape(x5, Slice(Shape(x0), from, to))\n"
			 "m = Unsqueeze(Cast<to=float>(m0), axes)\n"
			 "s = Add(s0, Mul(Sub(1, m), @mask_filter_value))\n");
	else
		buf_puts(&buf, "s = s0\n");
	buf_puts(&buf, "o = Transpose<perm=[0,2,1,3]>(MatMul(Softmax(s), v))\n"
		       "y0 = Reshape(o, all)");
	buf_putc(&buf, '\0');
	rc = buf_check(&buf, "text of QAttention", err);
	if (!rc)
		rc = lower_text(lower, buf.data, err);
	buf_finish(&buf);
	return rc;
}

/* clang-format off */
#define MEMBER(m) offsetof(struct attention_attrs, m)
static const struct op_attr attrs[] = {
	{ .name = "do_rotary", .help = "not supported", .offset = MEMBER(do_rotary),
	  .kind = ATTR_INT },
	{ .name = "mask_filter_value", .help = "added where a key does not count",
	  .offset = MEMBER(mask_filter_value), .kind = ATTR_FLOAT, .def = -10000 },
	{ .name = "num_heads", .help = "heads of attention", .offset = MEMBER(num_heads),
	  .kind = ATTR_INT, .flags = ATTR_REQUIRED, .min = 1, .max = 1 << 20 },
	{ .name = "past_present_share_buffer", .help = "not looked at",
	  .offset = MEMBER(share_buffer), .kind = ATTR_INT },
	{ .name = "scale", .help = "of the scores; 0: by the size of a head",
	  .offset = MEMBER(scale), .kind = ATTR_FLOAT },
	{ .name = "unidirectional", .help = "not supported", .offset = MEMBER(unidirectional),
	  .kind = ATTR_INT },
	{ 0 },
};

const struct spelling spellings_quantized_attention[] = {
	{ .domain = "com.microsoft", .name = "QAttention", .from = 1, .to = UINT16_MAX,
	  .lower = lower_attention, .attrs = attrs,
	  .attrs_size = sizeof(struct attention_attrs) },
	{ 0 },
};
/* clang-format on */
