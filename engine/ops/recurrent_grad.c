/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The way back through RNN, GRU and LSTM.
 *
 * One node goes back through the steps of a layer. It reads Y, so that the
 * gates of all steps come from two large products again, and nothing but Y
 * lives between forward and backward. It gives the gradients of what the
 * activations got, G, and h before each step, H, both by row of X. With these,
 * weights are one product over all steps:
 *
 *   dX = sum over directions of G W      dW = G^T X
 *   dR = G^T H                           dB = sums of G, twice
 *
 * A GRU's last gate meets r h in place of H; with linear_before_reset, G r in
 * place of G meets H, and its second bias.
 */
#include "engine/autodiff.h"
#include "engine/ops/recurrent.h"
#include "engine/ops/reshape.h"

/* Shapes of the results in the order of their ports. */
static unsigned back_shapes(const struct recurrent *r, struct shape shape[5])
{
	const int64_t d = r->n_directions, b = r->n_batch, h = r->n_hidden;
	const int64_t all = r->n_steps * b;
	const struct shape rows = { 3, { d, all, h } };
	const struct shape state = {
		3, { r->batch_first ? b : d, r->batch_first ? d : b, h }
	};

	shape[BACK_GATES] = (struct shape){ 3, { d, all, r->n_gates * h } };
	shape[BACK_PREV] = rows;
	shape[BACK_DH0] = state;
	shape[BACK_LAST] = r->kind == RECURRENT_GRU ? rows : state;
	shape[BACK_LAST + 1] = (struct shape){ 3, { d, b, 3 * h } };
	return r->kind == RECURRENT_RNN	  ? BACK_LAST
	       : r->kind == RECURRENT_GRU ? BACK_LAST + 1
					  : BACK_LAST + 2;
}

static enum err_code expect(const struct infer *infer, unsigned i,
			    const char *name, const struct shape *want,
			    struct err *err)
{
	char text[2][64];

	if (i >= infer->n_in || infer->in[i].type.elem == DTYPE_NONE ||
	    shape_equal(&infer->in[i].shape, want))
		return ERR_NONE;
	return infer_fail(
	    err, "input '%s': expected %s, got %s", name,
	    shape_text(want, text[0], sizeof(text[0])),
	    shape_text(&infer->in[i].shape, text[1], sizeof(text[1])));
}

static enum err_code back_infer(const char *op, struct infer *infer,
				struct err *err)
{
	struct shape shape[5], y;
	struct recurrent r;
	enum err_code rc =
	    recurrent_init(op, infer->attrs, infer->in, infer->n_in, &r, err);

	if (rc)
		return rc;
	(void)back_shapes(&r, shape);
	y = (struct shape){
		4, { r.n_steps, r.n_directions, r.n_batch, r.n_hidden }
	};
	if (r.batch_first)
		y = (struct shape){
			4, { r.n_batch, r.n_steps, r.n_directions, r.n_hidden }
		};
	rc = expect(infer, RECURRENT_Y, "Y", &y, err);
	if (!rc)
		rc = expect(infer, RECURRENT_DY, "dY", &y, err);
	if (!rc)
		rc = expect(infer, RECURRENT_DH, "dY_h", &shape[BACK_DH0], err);
	if (!rc)
		rc = expect(infer, RECURRENT_DC, "dY_c", &shape[BACK_DH0], err);
	for (unsigned i = 0; i < infer->n_out && !rc; i++) {
		infer->out[i].shape = shape[i];
		infer->out[i].has_shape = true;
		rc = shape_check(&shape[i], "the result", err);
	}
	return rc;
}

static enum err_code rnn_grad_infer(struct infer *infer, struct err *err)
{
	return back_infer("RNNGrad", infer, err);
}

static enum err_code gru_grad_infer(struct infer *infer, struct err *err)
{
	return back_infer("GRUGrad", infer, err);
}

static enum err_code lstm_grad_infer(struct infer *infer, struct err *err)
{
	return back_infer("LSTMGrad", infer, err);
}

/* The rule: */

struct rule {
	struct vjp *vjp;
	struct build *build;
	struct recurrent r;
	int32_t in[RECURRENT_DC + 1]; /* of the gradient */
	int32_t out[5];
};

static bool wants(const struct rule *rule, unsigned i)
{
	return (int32_t)i < rule->vjp->node->n_in && rule->vjp->wanted[i];
}

/* Y, or that of a second layer where nobody asked the first one for it. */
static int32_t find_y(const struct rule *rule)
{
	const struct vjp *vjp = rule->vjp;
	int32_t out[3];

	if (vjp->out[0] != VALUE_NONE)
		return vjp->out[0];
	build_row(rule->build, vjp->node->op, vjp->attrs, vjp->in,
		  (unsigned)vjp->node->n_in, out, 1);
	return out[0];
}

static void add_grad_node(struct rule *rule)
{
	static const char *const name[] = { "RNNGrad", "GRUGrad", "LSTMGrad" };
	const struct vjp *vjp = rule->vjp;
	struct shape shape[5];

	for (unsigned i = 0; i <= RECURRENT_DC; i++)
		rule->in[i] = VALUE_NONE;
	for (int32_t i = 0; i < vjp->node->n_in && i <= RECURRENT_P; i++)
		rule->in[i] = vjp->in[i];
	rule->in[RECURRENT_Y] = find_y(rule);
	for (int32_t i = 0; i < vjp->node->n_out && i < 3; i++)
		rule->in[RECURRENT_DY + i] = vjp->grad_out[i];
	build_nodes(rule->build, name[rule->r.kind], vjp->attrs, rule->in,
		    RECURRENT_DC + 1, rule->out, back_shapes(&rule->r, shape));
}

/* The part [first, first + n) of an axis. */
static int32_t part(const struct rule *rule, int32_t x, int64_t axis,
		    int64_t first, int64_t n)
{
	const int64_t last = first + n;
	const int32_t in[4] = { x, build_ints(rule->build, &first, 1),
				build_ints(rule->build, &last, 1),
				build_ints(rule->build, &axis, 1) };

	return build_node(rule->build, "Slice", NULL, in, 4);
}

static int32_t by_text(const struct rule *rule, const char *text, int32_t a,
		       int32_t b)
{
	const struct build_name in[2] = { { "a", a }, { "b", b } };
	struct build_name out = { "y", VALUE_NONE };

	build_text(rule->build, text, in, 2, NULL, &out, 1);
	return out.value;
}

static int32_t weights(const struct rule *rule, int32_t gates, int32_t rows)
{
	return by_text(rule, "y = predictd.MatMulT<trans_a=1>(a, b)", gates,
		       rows);
}

static int32_t join(const struct rule *rule, int32_t a, int32_t b)
{
	return by_text(rule, "y = Concat<axis=1>(a, b)", a, b);
}

/* Sums over the rows of each direction. */
static int32_t sums(const struct rule *rule, int32_t x)
{
	return by_text(rule, "y = ReduceSum<keepdims=0>(a, axes:int64[1]={1})",
		       x, VALUE_NONE);
}

static int32_t grad_x(const struct rule *rule)
{
	int32_t x = build_2(rule->build, "MatMul", rule->out[BACK_GATES],
			    rule->vjp->in[RECURRENT_W]);

	if (rule->r.n_directions > 1)
		x = by_text(rule,
			    "y = ReduceSum<keepdims=0>(a, axes:int64[1]={0})",
			    x, VALUE_NONE);
	return build_reshape_like(rule->build, x, rule->vjp->in[RECURRENT_X]);
}

static int32_t grad_w(const struct rule *rule)
{
	const struct shape rows = {
		2, { rule->r.n_steps * rule->r.n_batch, rule->r.n_in }
	};

	return weights(
	    rule, rule->out[BACK_GATES],
	    build_reshape(rule->build, rule->vjp->in[RECURRENT_X], &rows));
}

static int32_t grad_r(const struct rule *rule)
{
	const int32_t gates = rule->out[BACK_GATES];
	const int32_t prev = rule->out[BACK_PREV];
	const int64_t n = rule->r.n_hidden;
	int32_t last;

	if (rule->r.kind != RECURRENT_GRU)
		return weights(rule, gates, prev);
	if (rule->r.linear_before_reset)
		last = weights(rule, rule->out[BACK_LAST], prev);
	else
		last = weights(rule, part(rule, gates, 2, 2 * n, n),
			       rule->out[BACK_LAST]);
	return join(rule, weights(rule, part(rule, gates, 2, 0, 2 * n), prev),
		    last);
}

static int32_t grad_b(const struct rule *rule)
{
	const int32_t of_w = sums(rule, rule->out[BACK_GATES]);
	int32_t of_r = of_w;

	if (rule->r.linear_before_reset)
		of_r = join(rule, part(rule, of_w, 1, 0, 2 * rule->r.n_hidden),
			    sums(rule, rule->out[BACK_LAST]));
	return join(rule, of_w, of_r);
}

enum err_code recurrent_vjp(struct vjp *vjp, struct err *err)
{
	struct rule rule = { .vjp = vjp, .build = vjp->build };
	struct fact in[RECURRENT_P + 1] = { 0 };
	enum err_code rc;

	for (int32_t i = 0; i < vjp->node->n_in && i <= RECURRENT_P; i++)
		if (vjp->in[i] != VALUE_NONE)
			in[i] = *build_fact(vjp->build, vjp->in[i]);
	rc = recurrent_init(vjp->node->op->name, vjp->attrs, in,
			    (unsigned)vjp->node->n_in, &rule.r, err);
	if (rc)
		return rc;
	add_grad_node(&rule);
	if (wants(&rule, RECURRENT_X))
		vjp->grad_in[RECURRENT_X] = grad_x(&rule);
	if (wants(&rule, RECURRENT_W))
		vjp->grad_in[RECURRENT_W] = grad_w(&rule);
	if (wants(&rule, RECURRENT_R))
		vjp->grad_in[RECURRENT_R] = grad_r(&rule);
	if (wants(&rule, RECURRENT_B))
		vjp->grad_in[RECURRENT_B] = grad_b(&rule);
	if (wants(&rule, RECURRENT_H0))
		vjp->grad_in[RECURRENT_H0] = rule.out[BACK_DH0];
	if (wants(&rule, RECURRENT_C0))
		vjp->grad_in[RECURRENT_C0] = rule.out[BACK_LAST];
	if (wants(&rule, RECURRENT_P))
		vjp->grad_in[RECURRENT_P] =
		    sums(&rule, rule.out[BACK_LAST + 1]);
	return build_check(vjp->build, err);
}

static const struct kernel *const back_kernels[] = { &recurrent_grad_blas,
						     &recurrent_grad_plain,
						     NULL };

/* clang-format off */
static const struct port back_in[] = {
	{ "X", "T:floats", 0 },
	{ "W", "T", 0 },
	{ "R", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "sequence_lens", "T1:int32", PORT_OPTIONAL },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ "initial_c", "T", PORT_OPTIONAL },
	{ "P", "T", PORT_OPTIONAL },
	{ "Y", "T", 0 },
	{ "dY", "T", PORT_OPTIONAL },
	{ "dY_h", "T", PORT_OPTIONAL },
	{ "dY_c", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port rnn_out[] = {
	{ "gates", "T", 0 },
	{ "before", "T", 0 },
	{ "dinitial_h", "T", 0 },
	{ 0 },
};
static const struct port gru_out[] = {
	{ "gates", "T", 0 },
	{ "before", "T", 0 },
	{ "dinitial_h", "T", 0 },
	{ "reset", "T", 0 },
	{ 0 },
};
static const struct port lstm_out[] = {
	{ "gates", "T", 0 },
	{ "before", "T", 0 },
	{ "dinitial_h", "T", 0 },
	{ "dinitial_c", "T", 0 },
	{ "dP", "T", PORT_OPTIONAL },
	{ 0 },
};

static const struct op_case rnn_cases[] = {
	{ .name = "plain",
	  .graph = "g, h, d = predictd.RNNGrad(x:float[5,3,4], w:float[1,2,4], r:float[1,2,2], "
		   ", , , , , y:float[5,1,3,2], dy:float[5,1,3,2])" },
	{ .name = "Y of another size",
	  .graph = "g, h, d = predictd.RNNGrad(x:float[5,3,4], w:float[1,2,4], r:float[1,2,2], "
		   ", , , , , y:float[5,1,3,3], dy:float[5,1,3,2])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case gru_cases[] = {
	{ .name = "plain",
	  .graph = "g, h, d, rh = predictd.GRUGrad(x:float[5,3,4], w:float[1,6,4], "
		   "r:float[1,6,2], , , , , , y:float[5,1,3,2], dy:float[5,1,3,2])" },
	{ .name = "many rows, lengths, both directions",
	  .graph = "g, h, d, q = predictd.GRUGrad<linear_before_reset=1, "
		   "direction=\"bidirectional\">(x:float[3,35,4], w:float[2,6,4], r:float[2,6,2], "
		   "b:float[2,12], l:int32[35], , , , "
		   "y:float[3,2,35,2], , dh:float[2,35,2])" },
	{ .name = "dY_h of another size",
	  .graph = "g, h, d, rh = predictd.GRUGrad(x:float[5,3,4], w:float[1,6,4], "
		   "r:float[1,6,2], , , , , , y:float[5,1,3,2], , dh:float[1,3,4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case lstm_cases[] = {
	{ .name = "plain",
	  .graph = "g, h, d, e = predictd.LSTMGrad(x:float[5,3,4], w:float[1,8,4], "
		   "r:float[1,8,2], , , , , , y:float[5,1,3,2], dy:float[5,1,3,2])" },
	{ .name = "everything",
	  .graph = "g, h, d, e, o = predictd.LSTMGrad<direction=\"bidirectional\", clip=0.7>("
		   "x:float[5,3,4], w:float[2,8,4], r:float[2,8,2], b:float[2,16], "
		   "l:int32[3]={5,0,3}, h0:float[2,3,2], c0:float[2,3,2], p:float[2,6], "
		   "y:float[5,2,3,2], dy:float[5,2,3,2], dh:float[2,3,2], dc:float[2,3,2])" },
	{ .name = "large",
	  .graph = "g, h, d, e = predictd.LSTMGrad(x:float[3,40,33], w:float[1,68,33], "
		   "r:float[1,68,17], b:float[1,136], , , , , y:float[3,1,40,17], "
		   "dy:float[3,1,40,17])", .tolerance = 1e-4 },
	{ .name = "no steps",
	  .graph = "g, h, d, e = predictd.LSTMGrad(x:float[0,3,4], w:float[1,8,4], "
		   "r:float[1,8,2], , , , , , y:float[0,1,3,2], , dh:float[1,3,2])" },
	{ .name = "without Y",
	  .graph = "g, h, d, e = predictd.LSTMGrad(x:float[5,3,4], w:float[1,8,4], "
		   "r:float[1,8,2])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_gru_grad;
const struct op op_gru_grad = {
	.domain = "predictd",
	.name = "GRUGrad",
	.help = "The way back through a GRU's steps.",
	.since = 1,
	.in = back_in,
	.out = gru_out,
	.attrs = recurrent_gru_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = gru_grad_infer,
	.kernels = back_kernels,
	.cases = gru_cases,
};

extern const struct op op_lstm_grad;
const struct op op_lstm_grad = {
	.domain = "predictd",
	.name = "LSTMGrad",
	.help = "The way back through an LSTM's steps.",
	.since = 1,
	.in = back_in,
	.out = lstm_out,
	.attrs = recurrent_lstm_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = lstm_grad_infer,
	.kernels = back_kernels,
	.cases = lstm_cases,
};

extern const struct op op_rnn_grad;
const struct op op_rnn_grad = {
	.domain = "predictd",
	.name = "RNNGrad",
	.help = "The way back through an RNN's steps.",
	.since = 1,
	.in = back_in,
	.out = rnn_out,
	.attrs = recurrent_rnn_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = rnn_grad_infer,
	.kernels = back_kernels,
	.cases = rnn_cases,
};
