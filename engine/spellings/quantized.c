/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Quantized operators of com.microsoft, as what they mean: dequantize, compute,
 * quantize again. Products of bytes stay exact: they become MatMulInteger.
 *
 * The texts are templates: "$3" is input 3, or nothing where it is left out;
 * "#4" is input 4, or a zero of input 0's type; "?6{...}" counts only where
 * input 6 is there, "!6{...}" only where it is not.
 */
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "engine/spelling.h"

enum { TEMPLATE_MAX = 1 << 16, BITS_LEAST = 2, BITS_MOST = 8 };

static bool has(const struct lower *lower, unsigned i)
{
	return i < lower->node->n_in && lower->node->in[i] != VALUE_NONE;
}

static void put_input(const struct lower *lower, char mark, unsigned i,
		      struct buf *buf)
{
	if (has(lower, i))
		buf_printf(buf, "x%u", i);
	else if (mark == '#')
		buf_puts(buf, "CastLike(0, x0)");
}

static void expand(const struct lower *lower, const char *form, struct buf *buf)
{
	bool is_skipped = false;

	for (const char *at = form; *at; at++) {
		const unsigned i = (unsigned)(at[1] - '0');
		const bool is_mark = strchr("$#?!", *at) && i < 10;

		if (*at == '}') {
			is_skipped = false;
		} else if (is_mark && (*at == '?' || *at == '!')) {
			is_skipped = has(lower, i) != (*at == '?');
			at += 2;
		} else if (is_mark) {
			if (!is_skipped)
				put_input(lower, *at, i, buf);
			at++;
		} else if (!is_skipped) {
			buf_putc(buf, *at);
		}
	}
}

/* The text that was built; buf is spent. */
static enum err_code finish(struct lower *lower, struct buf *buf,
			    struct err *err)
{
	enum err_code rc;

	buf_putc(buf, '\0');
	rc = buf_check(buf, "text of a quantized operator", err);
	if (!rc)
		rc = lower_text(lower, buf->data, err);
	buf_finish(buf);
	return rc;
}

/* ---- templates ----------------------------------------------------------- */

struct form {
	const char *name, *text;
};

/* clang-format off */
static const struct form forms[] = {
	{ "DynamicQuantizeMatMul",
	  "q, s, z = DynamicQuantizeLinear(x0)\n"
	  "y = Mul(Cast<to=float>(MatMulInteger(q, x1, z, $3)), Mul(s, x2))\n"
	  "y0 = ?4{Add(y, x4)}!4{y}" },
	{ "MatMulIntegerToFloat",
	  "y = Mul(CastLike(MatMulInteger(x0, x1, $4, $5), x2), Mul(x2, x3))\n"
	  "y0 = ?6{Add(y, x6)}!6{y}" },
	{ "QLinearAdd",
	  "y0 = QuantizeLinear(Add(DequantizeLinear(x0, x1, $2), "
	  "DequantizeLinear(x3, x4, $5)), x6, #7)" },
	{ "QLinearMul",
	  "y0 = QuantizeLinear(Mul(DequantizeLinear(x0, x1, $2), "
	  "DequantizeLinear(x3, x4, $5)), x6, #7)" },
	{ "QLinearSigmoid",
	  "y0 = QuantizeLinear(Sigmoid(DequantizeLinear(x0, x1, $2)), x3, #4)" },
	{ "QLinearLeakyRelu",
	  "y0 = QuantizeLinear(LeakyRelu<alpha=@alpha>("
	  "DequantizeLinear(x0, x1, $2)), x3, #4)" },
	{ "QLinearWhere",
	  "y0 = QuantizeLinear(Where(x0, DequantizeLinear(x1, x2, $3), "
	  "DequantizeLinear(x4, x5, $6)), x7, x8)" },
	{ NULL, NULL },
};
/* clang-format on */

static enum err_code lower_form(struct lower *lower, struct err *err)
{
	const struct form *form = forms;
	struct buf buf;

	while (form->name && strcmp(form->name, lower->node->name) != 0)
		form++;
	buf_init(&buf, TEMPLATE_MAX);
	expand(lower, form->text ? form->text : "", &buf);
	return finish(lower, &buf, err);
}

/* ---- those with attributes of their own ---------------------------------- */

struct leaky_attrs {
	double alpha;
};
struct softmax_attrs {
	int64_t axis, opset;
};
struct concat_attrs {
	int64_t axis;
};
struct pool_attrs {
	const char *auto_pad;
	struct attr_ints kernel_shape, strides, pads;
	int64_t ceil_mode, channels_last, count_include_pad;
};
struct gemm_attrs {
	double alpha;
	int64_t transA, transB;
};

static enum err_code lower_softmax(struct lower *lower, struct err *err)
{
	const struct softmax_attrs *own = lower->attrs;
	struct buf buf;

	buf_init(&buf, TEMPLATE_MAX);
	expand(lower, "x = DequantizeLinear(x0, x1, $2)\n", &buf);
	if (own->opset < 13)
		buf_puts(&buf, "y = Reshape<allowzero=1>(Softmax<axis=1>("
			       "Flatten<axis=@axis>(x)), Shape(x))\n");
	else
		buf_puts(&buf, "y = Softmax<axis=@axis>(x)\n");
	expand(lower, "y0 = QuantizeLinear(y, x3, #4)", &buf);
	return finish(lower, &buf, err);
}

/* Y_scale, Y_zero_point, then three operands a tensor. */
static enum err_code lower_concat(struct lower *lower, struct err *err)
{
	const unsigned n = lower->node->n_in;
	struct buf buf;

	if (n < 5 || n % 3 != 2)
		return err_set(err, ERR_INVALID,
			       "node '%s' (QLinearConcat) has %u inputs; "
			       "expected 2 and three for each tensor",
			       lower->node->node_name, n);
	buf_init(&buf, TEMPLATE_MAX);
	buf_puts(&buf, "y0 = QuantizeLinear(Concat<axis=@axis>(");
	for (unsigned i = 2; i < n; i += 3)
		buf_printf(&buf, "%sDequantizeLinear(x%u, x%u, x%u)",
			   i > 2 ? ", " : "", i, i + 1, i + 2);
	buf_puts(&buf, "), x0, x1)");
	return finish(lower, &buf, err);
}

/* channels_last is of images: [batch, height, width, channels] */
static enum err_code lower_pool(struct lower *lower, struct err *err)
{
	const bool is_global =
	    strcmp(lower->node->name, "QLinearAveragePool") != 0;
	const struct pool_attrs *own = lower->attrs;
	struct buf buf;

	buf_init(&buf, TEMPLATE_MAX);
	expand(lower, "x = DequantizeLinear(x0, x1, $2)\n", &buf);
	buf_puts(&buf, own->channels_last ? "c = Transpose<perm=[0,3,1,2]>(x)\n"
					  : "c = x\n");
	buf_puts(&buf, is_global
			   ? "p = GlobalAveragePool(c)\n"
			   : "p = AveragePool<auto_pad=@auto_pad, "
			     "kernel_shape=@kernel_shape, strides=@strides, "
			     "pads=@pads, ceil_mode=@ceil_mode, "
			     "count_include_pad=@count_include_pad>(c)\n");
	buf_puts(&buf, own->channels_last ? "y = Transpose<perm=[0,2,3,1]>(p)\n"
					  : "y = p\n");
	expand(lower, "y0 = QuantizeLinear(y, x3, #4)", &buf);
	return finish(lower, &buf, err);
}

static enum err_code lower_gemm(struct lower *lower, struct err *err)
{
	const struct gemm_attrs *own = lower->attrs;
	struct buf buf;

	buf_init(&buf, TEMPLATE_MAX);
	buf_puts(&buf,
		 own->transA ? "a = Transpose<perm=[1,0]>(x0)\n" : "a = x0\n");
	buf_puts(&buf,
		 own->transB ? "b = Transpose<perm=[1,0]>(x3)\n" : "b = x3\n");
	expand(lower,
	       "p = MatMulInteger(a, b, x2, x5)\n"
	       "s = ?6{Add(p, x6)}!6{p}\n"
	       "y = Mul(Cast<to=float>(s), Mul(Mul(x1, x4), @alpha))\n"
	       "y0 = ?7{QuantizeLinear(y, x7, #8)}!7{y}",
	       &buf);
	return finish(lower, &buf, err);
}

/* ---- weights of few bits ------------------------------------------------- */

struct nbits_attrs {
	int64_t K, N, bits, block_size, accuracy_level, weight_prepacked;
};

/* rows of `bytes` packed bytes each as rows of n whole numbers, a byte each */
static uint8_t *unpack_rows(struct arena *arena, const uint8_t *from,
			    int64_t n_rows, int64_t bytes, int64_t n,
			    int64_t bits)
{
	const unsigned mask = (1U << bits) - 1;
	uint8_t *to = arena_array(arena, (size_t)(n_rows * n) + 1, sizeof(*to));

	for (int64_t i = 0; to && i < n_rows * n; i++) {
		const int64_t bit = i % n * bits;
		const unsigned byte = from[i / n * bytes + bit / 8];

		to[i] = (uint8_t)(byte >> (bit % 8) & mask);
	}
	return to;
}

static enum err_code refuse_nbits(const struct lower *lower, const char *why,
				  struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "node '%s' (MatMulNBits): %s",
		       lower->node->node_name, why);
}

static enum err_code check_nbits(const struct lower *lower, int64_t n_blocks,
				 struct err *err)
{
	const struct nbits_attrs *own = lower->attrs;
	const struct tensor_view *b = lower->in_const[1];
	const int64_t size = own->block_size;

	if (own->bits != 2 && own->bits != 4 && own->bits != 8)
		return refuse_nbits(lower, "only 2, 4 and 8 bits are known",
				    err);
	if (size < 16 || (size & (size - 1)) != 0)
		return refuse_nbits(lower,
				    "block_size must be a power of two, 16 or "
				    "more",
				    err);
	if (!b || b->dtype != DTYPE_U8 || own->weight_prepacked ||
	    shape_count(&b->shape) !=
		own->N * n_blocks * (size * own->bits / 8))
		return refuse_nbits(lower,
				    "input 'B' must be a constant of N rows "
				    "of whole blocks",
				    err);
	if (has(lower, 4))
		return refuse_nbits(lower, "input 'g_idx' is not supported",
				    err);
	return ERR_NONE;
}

/* The zero points: packed ones, or the middle of the range. */
static enum err_code make_zeros(const struct lower *lower, int64_t n_blocks,
				int32_t *ret_value, struct err *err)
{
	const struct nbits_attrs *own = lower->attrs;
	const struct tensor_view *zero =
	    has(lower, 3) ? lower->in_const[3] : NULL;
	const int64_t bytes = (n_blocks * own->bits + 7) / 8;
	struct arena *arena = lower->build->graph->arena;
	struct tensor_view view = { .dtype = DTYPE_U8,
				    .shape = { 2, { own->N, n_blocks } } };
	const size_t n = (size_t)(own->N * n_blocks);

	if (has(lower, 3) && (!zero || zero->dtype != DTYPE_U8 ||
			      shape_count(&zero->shape) != own->N * bytes))
		return refuse_nbits(lower,
				    "input 'zero_points' must be a constant of "
				    "packed numbers",
				    err);
	if (zero)
		view.data = unpack_rows(arena, zero->data, own->N, bytes,
					n_blocks, own->bits);
	else
		view.data = arena_array(arena, n + 1, 1);
	if (!view.data)
		return err_set(err, ERR_NO_MEMORY,
			       "MatMulNBits: out of memory");
	if (!zero)
		memset(view.data, 1 << (own->bits - 1), n);
	*ret_value = build_const(lower->build, &view);
	return build_check(lower->build, err);
}

static enum err_code lower_nbits(struct lower *lower, struct err *err)
{
	const struct nbits_attrs *own = lower->attrs;
	const int64_t n_blocks =
	    (own->K + own->block_size - 1) / own->block_size;
	const int64_t padded = n_blocks * own->block_size;
	struct tensor_view view = { .dtype = DTYPE_U8,
				    .shape = { 2, { own->N, padded } } };
	struct lower inner = *lower;
	struct spelling_node node = *lower->node;
	int32_t in[6] = { VALUE_NONE, VALUE_NONE, VALUE_NONE,
			  VALUE_NONE, VALUE_NONE, VALUE_NONE };
	struct buf buf;
	enum err_code rc = check_nbits(lower, n_blocks, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < node.n_in && i < 6; i++)
		in[i] = node.in[i];
	view.data =
	    unpack_rows(lower->build->graph->arena, lower->in_const[1]->data,
			own->N, padded * own->bits / 8, padded, own->bits);
	if (!view.data)
		return err_set(err, ERR_NO_MEMORY,
			       "MatMulNBits: out of memory");
	in[1] = build_const(lower->build, &view);
	rc = make_zeros(lower, n_blocks, &in[3], err);
	if (rc)
		return rc;
	node.in = in;
	node.n_in = 6;
	inner.node = &node;
	buf_init(&buf, TEMPLATE_MAX);
	buf_printf(&buf,
		   "shape:int64[2]={%lld,%lld}\n"
		   "first:int64[1]={0}; end:int64[1]={%lld}; "
		   "axis:int64[1]={1}\n"
		   "w = DequantizeLinear<block_size=@block_size>("
		   "x1, Reshape(x2, shape), x3)\n"
		   "p = MatMulT<trans_b=1>(x0, Slice(w, first, end, axis))\n",
		   (long long)own->N, (long long)n_blocks, (long long)own->K);
	expand(&inner, "y0 = ?5{Add(p, x5)}!5{p}", &buf);
	return finish(&inner, &buf, err);
}

/* ---- LSTM ---------------------------------------------------------------- */

struct lstm_attrs {
	struct attr_floats alpha, beta;
	struct attr_strings activations;
	double clip;
	const char *direction;
	int64_t hidden_size, input_forget;
};

/* Weights lie [directions, from, gates], with one scale for each direction, or
 * one for each gate's element as well. They become floats: more exact than
 * quantizing each step's inputs, and no slower here. */
static void put_weights(const struct lower *lower, unsigned weights,
			unsigned scale, const char *name, struct buf *buf)
{
	const struct tensor_view *view = lower->in_const[scale];

	if (view && view->shape.rank < 2)
		buf_printf(buf,
			   "%s = Transpose<perm=[0,2,1]>(DequantizeLinear"
			   "<axis=0>(x%u, x%u, x%u))\n",
			   name, weights, scale, scale + 1);
	else
		buf_printf(buf,
			   "%s = Transpose<perm=[0,2,1]>(DequantizeLinear"
			   "<axis=1, block_size=2147483647>(x%u, "
			   "Unsqueeze(x%u, one), Unsqueeze(x%u, one)))\n",
			   name, weights, scale, scale + 1);
}

static enum err_code lower_lstm(struct lower *lower, struct err *err)
{
	struct buf buf;

	for (unsigned i = 8; i < 12; i++)
		if (!has(lower, i))
			return err_set(err, ERR_INVALID,
				       "node '%s' (DynamicQuantizeLSTM): input "
				       "%u is missing",
				       lower->node->node_name, i);
	buf_init(&buf, TEMPLATE_MAX);
	buf_puts(&buf, "one:int64[1]={1}\n");
	put_weights(lower, 1, 8, "w", &buf);
	put_weights(lower, 2, 10, "r", &buf);
	expand(lower,
	       "y0, y1, y2 = LSTM<activation_alpha=@activation_alpha, "
	       "activation_beta=@activation_beta, activations=@activations, "
	       "clip=@clip, direction=@direction, hidden_size=@hidden_size, "
	       "input_forget=@input_forget>(x0, w, r, $3, $4, $5, $6, $7)",
	       &buf);
	return finish(lower, &buf, err);
}

/* ---- tables -------------------------------------------------------------- */

/* clang-format off */
#define ROW(type, member, label, kind_) \
	{ .name = (label), .help = "as in the operator it means", \
	  .offset = offsetof(struct type, member), .kind = (kind_) }
static const struct op_attr leaky_attrs[] = {
	{ .name = "alpha", .help = "slope below 0", .offset = offsetof(struct leaky_attrs, alpha),
	  .kind = ATTR_FLOAT, .def = 0.01 },
	{ 0 },
};
static const struct op_attr softmax_attrs[] = {
	{ .name = "axis", .help = "of the sums", .offset = offsetof(struct softmax_attrs, axis),
	  .kind = ATTR_INT, .def = -1 },
	{ .name = "opset", .help = "below 13: the axes behind are one",
	  .offset = offsetof(struct softmax_attrs, opset), .kind = ATTR_INT, .def = 13 },
	{ 0 },
};
static const struct op_attr concat_attrs[] = {
	{ .name = "axis", .help = "that is joined", .offset = offsetof(struct concat_attrs, axis),
	  .kind = ATTR_INT, .flags = ATTR_REQUIRED },
	{ 0 },
};
static const struct op_attr pool_attrs[] = {
	{ .name = "auto_pad", .help = "as in AveragePool",
	  .offset = offsetof(struct pool_attrs, auto_pad), .kind = ATTR_STRING,
	  .def_text = "NOTSET" },
	ROW(pool_attrs, ceil_mode, "ceil_mode", ATTR_INT),
	ROW(pool_attrs, channels_last, "channels_last", ATTR_INT),
	ROW(pool_attrs, count_include_pad, "count_include_pad", ATTR_INT),
	ROW(pool_attrs, kernel_shape, "kernel_shape", ATTR_INTS),
	ROW(pool_attrs, pads, "pads", ATTR_INTS),
	ROW(pool_attrs, strides, "strides", ATTR_INTS),
	{ 0 },
};
static const struct op_attr gemm_attrs[] = {
	{ .name = "alpha", .help = "factor of the product",
	  .offset = offsetof(struct gemm_attrs, alpha), .kind = ATTR_FLOAT, .def = 1 },
	ROW(gemm_attrs, transA, "transA", ATTR_INT),
	ROW(gemm_attrs, transB, "transB", ATTR_INT),
	{ 0 },
};
#define SIZE(member, label, least) \
	{ .name = (label), .help = "extents of the weights", \
	  .offset = offsetof(struct nbits_attrs, member), .kind = ATTR_INT, \
	  .flags = ATTR_REQUIRED, .min = (least), .max = 1 << 24 }
static const struct op_attr nbits_attrs[] = {
	SIZE(K, "K", 1),
	SIZE(N, "N", 1),
	SIZE(block_size, "block_size", 1),
	{ .name = "bits", .help = "of a weight", .offset = offsetof(struct nbits_attrs, bits),
	  .kind = ATTR_INT, .min = BITS_LEAST, .max = BITS_MOST, .def = 4 },
	ROW(nbits_attrs, accuracy_level, "accuracy_level", ATTR_INT),
	ROW(nbits_attrs, weight_prepacked, "weight_prepacked", ATTR_INT),
	{ 0 },
};
static const struct op_attr lstm_attrs[] = {
	ROW(lstm_attrs, alpha, "activation_alpha", ATTR_FLOATS),
	ROW(lstm_attrs, beta, "activation_beta", ATTR_FLOATS),
	ROW(lstm_attrs, activations, "activations", ATTR_STRINGS),
	ROW(lstm_attrs, clip, "clip", ATTR_FLOAT),
	{ .name = "direction", .help = "as in LSTM",
	  .offset = offsetof(struct lstm_attrs, direction), .kind = ATTR_STRING,
	  .def_text = "forward" },
	ROW(lstm_attrs, hidden_size, "hidden_size", ATTR_INT),
	ROW(lstm_attrs, input_forget, "input_forget", ATTR_INT),
	{ 0 },
};
static const struct op_attr no_attrs[] = { { 0 } };

#define FORM(op) \
	{ .domain = "com.microsoft", .name = (op), .from = 1, .to = UINT16_MAX, \
	  .lower = lower_form, .attrs = no_attrs }
#define CODE(op, code, own) \
	{ .domain = "com.microsoft", .name = (op), .from = 1, .to = UINT16_MAX, \
	  .lower = (code), .attrs = own, .attrs_size = sizeof(struct own) }
const struct spelling spellings_quantized[] = {
	CODE("DynamicQuantizeLSTM", lower_lstm, lstm_attrs),
	FORM("DynamicQuantizeMatMul"),
	FORM("MatMulIntegerToFloat"),
	CODE("MatMulNBits", lower_nbits, nbits_attrs),
	CODE("QGemm", lower_gemm, gemm_attrs),
	FORM("QLinearAdd"),
	CODE("QLinearAveragePool", lower_pool, pool_attrs),
	CODE("QLinearConcat", lower_concat, concat_attrs),
	CODE("QLinearGlobalAveragePool", lower_pool, pool_attrs),
	CODE("QLinearLeakyRelu", lower_form, leaky_attrs),
	FORM("QLinearMul"),
	FORM("QLinearSigmoid"),
	CODE("QLinearSoftmax", lower_softmax, softmax_attrs),
	FORM("QLinearWhere"),
	{ 0 },
};
/* clang-format on */
