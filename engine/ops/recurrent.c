/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RNN, GRU and LSTM, in one or both directions. recurrent.h has the formulas.
 */
#include "engine/ops/recurrent.h"

enum err_code recurrent_shapes(const struct recurrent *r, struct infer *infer,
			       struct err *err)
{
	const int64_t d = r->n_directions, b = r->n_batch;
	const int64_t t = r->n_steps, h = r->n_hidden;
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < infer->n_out && !rc; i++) {
		struct shape *y = &infer->out[i].shape;

		if (i == 0 && r->batch_first)
			*y = (struct shape){ 4, { b, t, d, h } };
		else if (i == 0)
			*y = (struct shape){ 4, { t, d, b, h } };
		else
			*y = (struct shape){ 3,
					     { r->batch_first ? b : d,
					       r->batch_first ? d : b, h } };
		infer->out[i].has_shape = true;
		rc = shape_check(y, i ? "output 'Y_h'" : "output 'Y'", err);
	}
	return rc;
}

static enum err_code recurrent_infer(const char *op, struct infer *infer,
				     struct err *err)
{
	struct recurrent r;
	const enum err_code rc =
	    recurrent_init(op, infer->attrs, infer->in, infer->n_in, &r, err);

	return rc ? rc : recurrent_shapes(&r, infer, err);
}

static enum err_code rnn_infer(struct infer *infer, struct err *err)
{
	return recurrent_infer("RNN", infer, err);
}

static enum err_code gru_infer(struct infer *infer, struct err *err)
{
	return recurrent_infer("GRU", infer, err);
}

static enum err_code lstm_infer(struct infer *infer, struct err *err)
{
	return recurrent_infer("LSTM", infer, err);
}

static const struct kernel *const recurrent_kernels[] = {
	&recurrent_panels, &recurrent_blas, &recurrent_plain, NULL
};

/* clang-format off */
static const struct port lstm_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "W", "T", 0 },
	{ "R", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "sequence_lens", "T1:int32", PORT_OPTIONAL },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ "initial_c", "T", PORT_OPTIONAL },
	{ "P", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port rnn_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "W", "T", 0 },
	{ "R", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "sequence_lens", "T1:int32", PORT_OPTIONAL },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port lstm_out[] = {
	{ "Y", "T", PORT_OPTIONAL },
	{ "Y_h", "T", PORT_OPTIONAL },
	{ "Y_c", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port rnn_out[] = {
	{ "Y", "T", PORT_OPTIONAL },
	{ "Y_h", "T", PORT_OPTIONAL },
	{ 0 },
};

#define MEMBER(m) offsetof(struct recurrent_attrs, m)
#define COMMON_ATTRS                                                                  \
	{ .name = "activation_alpha", .help = "of the activations that have one, in order", \
	  .offset = MEMBER(alpha), .kind = ATTR_FLOATS },                             \
	{ .name = "activation_beta", .help = "of the activations that have one, in order", \
	  .offset = MEMBER(beta), .kind = ATTR_FLOATS },                              \
	{ .name = "activations", .help = "names, by direction",                       \
	  .offset = MEMBER(activations), .kind = ATTR_STRINGS },                      \
	{ .name = "clip", .help = "bound of what activations get; 0: none",           \
	  .offset = MEMBER(clip), .kind = ATTR_FLOAT, .max = 1e300 },                 \
	{ .name = "direction", .help = "forward, reverse or bidirectional",           \
	  .offset = MEMBER(direction), .kind = ATTR_STRING, .def_text = "forward" },  \
	{ .name = "hidden_size", .help = "elements of the state; 0: as in R",         \
	  .offset = MEMBER(hidden_size), .kind = ATTR_INT, .max = INT32_MAX },        \
	{ .name = "layout", .help = "1: the batch is the first axis",                 \
	  .offset = MEMBER(layout), .kind = ATTR_INT, .max = 1 }

const struct op_attr recurrent_lstm_attrs[] = {
	COMMON_ATTRS,
	{ .name = "input_forget", .help = "1: the forget gate is 1 - the input gate",
	  .offset = MEMBER(input_forget), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
const struct op_attr recurrent_gru_attrs[] = {
	COMMON_ATTRS,
	{ .name = "linear_before_reset", .help = "not 0: the reset gate multiplies a product",
	  .offset = MEMBER(linear_before_reset), .kind = ATTR_INT },
	{ 0 },
};
const struct op_attr recurrent_rnn_attrs[] = { COMMON_ATTRS, { 0 } };

static const struct op_case lstm_cases[] = {
	{ .name = "plain",
	  .graph = "y, h, c = LSTM(x:float[5,3,4], w:float[1,8,4], r:float[1,8,2])" },
	{ .name = "everything",
	  .graph = "y, h, c = LSTM<direction=\"bidirectional\", clip=0.7>(x:float[5,3,4], "
		   "w:float[2,8,4], r:float[2,8,2], b:float[2,16], l:int32[3]={5,0,3}, "
		   "h0:float[2,3,2], c0:float[2,3,2], p:float[2,6])" },
	{ .name = "batch first",
	  .graph = "y, h, c = LSTM<layout=1, direction=\"bidirectional\">(x:float[3,5,4], "
		   "w:float[2,8,4], r:float[2,8,2], b:float[2,16], l:int32[3]={5,1,3}, "
		   "h0:float[3,2,2], c0:float[3,2,2])" },
	{ .name = "reverse, coupled gates",
	  .graph = "y, h, c = LSTM<direction=\"reverse\", input_forget=1>(x:float[5,3,4], "
		   "w:float[1,8,4], r:float[1,8,2], b:float[1,16])" },
	{ .name = "other activations",
	  .graph = "y, h, c = LSTM<activations=[\"HardSigmoid\",\"ScaledTanh\",\"affine\"], "
		   "activation_alpha=[0.3,1.5,0.5], activation_beta=[0.4,0.7,0.1]>(x:float[5,3,4], "
		   "w:float[1,8,4], r:float[1,8,2])" },
	{ .name = "eight rows of long inputs, both directions",
	  .graph = "y, h, c = LSTM<direction=\"bidirectional\">(x:float[18,8,300], "
		   "w:float[2,68,300], r:float[2,68,17], b:float[2,136])" },
	{ .name = "five rows of long inputs",
	  .graph = "y, h, c = LSTM(x:float[3,5,260], w:float[1,280,260], "
		   "r:float[1,280,70], b:float[1,560])" },
	{ .name = "large",
	  .graph = "y, h, c = LSTM(x:float[9,40,33], w:float[1,68,33], r:float[1,68,17], "
		   "b:float[1,136])" },
	{ .name = "one row",
	  .graph = "y, h, c = LSTM(x:float[600,1,3], w:float[1,20,3], r:float[1,20,5], "
		   "b:float[1,40])" },
	{ .name = "many steps of few rows",
	  .graph = "y, h, c = LSTM<direction=\"bidirectional\">(x:float[20,3,5], w:float[2,20,5], "
		   "r:float[2,20,5], b:float[2,40])" },
	{ .name = "constant weights",
	  .graph = "w = Reshape(Sin(Range(0, 340, 1)), k:int64[3]={1,68,5}); "
		   "r = Reshape(Cos(Range(0, 1156, 1)), l:int64[3]={1,68,17}); "
		   "y, h, c = LSTM(x:float[3,2,5], w, r)" },
	{ .name = "constant weights, both directions, lengths",
	  .graph = "r = Reshape(Cos(Range(0, 2312, 1)), k:int64[3]={2,68,17}); "
		   "y, h, c = LSTM<direction=\"bidirectional\">(x:float[9,2,5], "
		   "w:float[2,68,5], r, b:float[2,136], n:int32[2]={9,4})" },
	{ .name = "only the last state",
	  .graph = "y, h = LSTM(x:float[5,3,4], w:float[1,8,4], r:float[1,8,2])" },
	{ .name = "double",
	  .graph = "y, h, c = LSTM(x:double[5,3,4], w:double[1,8,4], r:double[1,8,2])" },
	{ .name = "float16",
	  .graph = "y, h, c = LSTM(x:float16[5,3,4], w:float16[1,8,4], r:float16[1,8,2])",
	  .tolerance = 5e-3 },
	{ .name = "no steps",
	  .graph = "y, h, c = LSTM(x:float[0,3,4], w:float[1,8,4], r:float[1,8,2], , , "
		   "h0:float[1,3,2])" },
	{ .name = "no batch",
	  .graph = "y, h, c = LSTM(x:float[5,0,4], w:float[1,8,4], r:float[1,8,2])" },
	{ .name = "no input",
	  .graph = "y, h, c = LSTM(x:float[5,3,0], w:float[1,8,0], r:float[1,8,2])" },
	{ .name = "W of another size",
	  .graph = "y, h, c = LSTM(x:float[5,3,4], w:float[1,8,3], r:float[1,8,2])",
	  .want = ERR_SHAPE },
	{ .name = "R of another size",
	  .graph = "y, h, c = LSTM(x:float[5,3,4], w:float[1,8,4], r:float[1,8,3])",
	  .want = ERR_SHAPE },
	{ .name = "another hidden_size",
	  .graph = "y, h, c = LSTM<hidden_size=3>(x:float[5,3,4], w:float[1,8,4], r:float[1,8,2])",
	  .want = ERR_SHAPE },
	{ .name = "X of rank 2",
	  .graph = "y, h, c = LSTM(x:float[5,3], w:float[1,8,4], r:float[1,8,2])",
	  .want = ERR_SHAPE },
	{ .name = "an unknown direction",
	  .graph = "y, h, c = LSTM<direction=\"up\">(x:float[5,3,4], w:float[1,8,4], "
		   "r:float[1,8,2])", .want = ERR_INVALID },
	{ .name = "too few activations",
	  .graph = "y, h, c = LSTM<activations=[\"Tanh\"]>(x:float[5,3,4], w:float[1,8,4], "
		   "r:float[1,8,2])", .want = ERR_INVALID },
	{ .name = "an unknown activation",
	  .graph = "y, h, c = LSTM<activations=[\"Tanh\",\"Wave\",\"Tanh\"]>(x:float[5,3,4], "
		   "w:float[1,8,4], r:float[1,8,2])", .want = ERR_UNSUPPORTED },
	{ 0 },
};
static const struct op_case gru_cases[] = {
	{ .name = "rows that do not divide alike",
	  .graph = "y, h = GRU<hidden_size=2>(x:float[5,33,3], w:float[1,6,3], r:float[1,6,2])",
	  .tolerance = 1e-4 },
	{ .name = "plain", .graph = "y, h = GRU(x:float[5,3,4], w:float[1,6,4], r:float[1,6,2])" },
	{ .name = "everything",
	  .graph = "y, h = GRU<direction=\"bidirectional\", clip=0.7>(x:float[5,3,4], "
		   "w:float[2,6,4], r:float[2,6,2], b:float[2,12], l:int32[3]={5,0,3}, "
		   "h0:float[2,3,2])" },
	{ .name = "linear before reset",
	  .graph = "y, h = GRU<linear_before_reset=1, layout=1>(x:float[3,5,4], w:float[1,6,4], "
		   "r:float[1,6,2], b:float[1,12], , h0:float[3,1,2])" },
	{ .name = "linear, without bias",
	  .graph = "y, h = GRU<linear_before_reset=1>(x:float[3,5,4], w:float[1,6,4], "
		   "r:float[1,6,2])" },
	{ .name = "many steps of few rows",
	  .graph = "y, h = GRU<direction=\"bidirectional\">(x:float[20,3,5], w:float[2,15,5], "
		   "r:float[2,15,5], b:float[2,30])" },
	{ .name = "constant weights",
	  .graph = "w = Reshape(Sin(Range(0, 510, 1)), k:int64[3]={2,51,5}); "
		   "r = Reshape(Cos(Range(0, 1734, 1)), l:int64[3]={2,51,17}); "
		   "y, h = GRU<direction=\"bidirectional\">(x:float[3,2,5], w, r)" },
	{ .name = "constant weights, linear before reset",
	  .graph = "r = Reshape(Cos(Range(0, 3888, 1)), l:int64[3]={1,108,36}); "
		   "y, h = GRU<linear_before_reset=1>(x:float[3,2,5], w:float[1,108,5], r)" },
	{ .name = "large",
	  .graph = "y, h = GRU(x:float[9,40,33], w:float[1,51,33], r:float[1,51,17], "
		   "b:float[1,102])" },
	{ .name = "large, linear before reset",
	  .graph = "y, h = GRU<linear_before_reset=1>(x:float[9,40,33], w:float[1,51,33], "
		   "r:float[1,51,17], b:float[1,102])" },
	{ .name = "other activations",
	  .graph = "y, h = GRU<activations=[\"Softsign\",\"ThresholdedRelu\"], "
		   "activation_alpha=[0.2]>(x:float[5,3,4], w:float[1,6,4], r:float[1,6,2])" },
	{ .name = "double",
	  .graph = "y, h = GRU<direction=\"reverse\">(x:double[5,3,4], w:double[1,6,4], "
		   "r:double[1,6,2])" },
	{ .name = "bias of another size",
	  .graph = "y, h = GRU(x:float[5,3,4], w:float[1,6,4], r:float[1,6,2], b:float[1,6])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case rnn_cases[] = {
	{ .name = "plain", .graph = "y, h = RNN(x:float[5,3,4], w:float[1,2,4], r:float[1,2,2])" },
	{ .name = "everything",
	  .graph = "y, h = RNN<direction=\"bidirectional\", clip=0.7, "
		   "activations=[\"LeakyRelu\",\"Elu\"], activation_alpha=[0.3]>(x:float[5,3,4], "
		   "w:float[2,2,4], r:float[2,2,2], b:float[2,4], l:int32[3]={5,0,3}, "
		   "h0:float[2,3,2])" },
	{ .name = "batch first",
	  .graph = "y, h = RNN<layout=1, direction=\"reverse\">(x:float[3,5,4], w:float[1,2,4], "
		   "r:float[1,2,2])" },
	{ .name = "many steps of few rows",
	  .graph = "y, h = RNN(x:float[20,1,5], w:float[1,2,5], r:float[1,2,2])" },
	{ .name = "constant weights",
	  .graph = "r = Reshape(Mul(Cos(Range(0, 289, 1)), 0.3), l:int64[3]={1,17,17}); "
		   "y, h = RNN(x:float[9,2,5], w:float[1,17,5], r)" },
	{ .name = "large",
	  .graph = "y, h = RNN<activations=[\"Softplus\"]>(x:float[9,40,33], w:float[1,17,33], "
		   "r:float[1,17,17])", .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y, h = RNN<activations=[\"Relu\"]>(x:double[5,3,4], w:double[1,2,4], "
		   "r:double[1,2,2])" },
	{ .name = "lengths of another batch",
	  .graph = "y, h = RNN(x:float[5,3,4], w:float[1,2,4], r:float[1,2,2], , l:int32[2])",
	  .want = ERR_SHAPE },
	{ .name = "a state of another size",
	  .graph = "y, h = RNN(x:float[5,3,4], w:float[1,2,4], r:float[1,2,2], , , "
		   "h0:float[3,1,2])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_gru;
const struct op op_gru = {
	.domain = "",
	.name = "GRU",
	.help = "Gated recurrent units over sequences.",
	.since = 14,
	.in = rnn_in,
	.out = rnn_out,
	.attrs = recurrent_gru_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = gru_infer,
	.kernels = recurrent_kernels,
	.vjp = recurrent_vjp,
	.cases = gru_cases,
};

extern const struct op op_lstm;
const struct op op_lstm = {
	.domain = "",
	.name = "LSTM",
	.help = "Long short-term memory over sequences.",
	.since = 14,
	.in = lstm_in,
	.out = lstm_out,
	.attrs = recurrent_lstm_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = lstm_infer,
	.kernels = recurrent_kernels,
	.vjp = recurrent_vjp,
	.cases = lstm_cases,
};

extern const struct op op_rnn;
const struct op op_rnn = {
	.domain = "",
	.name = "RNN",
	.help = "A simple recurrent layer over sequences.",
	.since = 14,
	.in = rnn_in,
	.out = rnn_out,
	.attrs = recurrent_rnn_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = rnn_infer,
	.kernels = recurrent_kernels,
	.vjp = recurrent_vjp,
	.cases = rnn_cases,
};
