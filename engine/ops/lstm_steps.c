/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LSTMSteps and LSTMStepsGrad: lstm_steps.h has what they compute.
 *
 * dR is one product over all steps, of the gradient of pre and of h before each
 * step, which the way back hands out beside it.
 */
#include "engine/ops/lstm_steps.h"

#include "engine/autodiff.h"
#include "engine/ops/reshape.h"

extern const struct op op_lstm_steps, op_lstm_steps_grad;

struct lstm_extents lstm_steps_extents(const struct kernel_query *query)
{
	/* pre and kept are both [steps, rows, ...], R is [1, 4 n, n] */
	const bool is_back = query->op == &op_lstm_steps_grad;
	const struct shape *long_one = &query->in[is_back ? 1 : 0].shape;
	const struct shape *r = &query->in[is_back ? 0 : 1].shape;

	return (struct lstm_extents){ long_one->dim[0], long_one->dim[1],
				      r->dim[2] };
}

static bool is_given(const struct infer *infer, unsigned i)
{
	return i < infer->n_in && infer->in[i].type.elem != DTYPE_NONE;
}

static enum err_code expect(const struct infer *infer, unsigned i,
			    const char *name, const struct shape *want,
			    struct err *err)
{
	char text[2][64];

	if (!is_given(infer, i) || shape_equal(&infer->in[i].shape, want))
		return ERR_NONE;
	return infer_fail(
	    err, "input '%s': expected %s, got %s", name,
	    shape_text(want, text[0], sizeof(text[0])),
	    shape_text(&infer->in[i].shape, text[1], sizeof(text[1])));
}

/* Extents from R and from the input of all steps, which has `kept` times n. */
static enum err_code find_extents(const struct infer *infer, unsigned r,
				  unsigned all, int64_t kept,
				  struct lstm_extents *ret, struct err *err)
{
	const struct shape *w = &infer->in[r].shape;
	const struct shape *x = &infer->in[all].shape;
	char text[2][64];

	if (w->rank == 3 && w->dim[0] == 1 && w->dim[1] == 4 * w->dim[2] &&
	    x->rank == 3 && x->dim[2] == kept * w->dim[2]) {
		*ret = (struct lstm_extents){ x->dim[0], x->dim[1], w->dim[2] };
		return ERR_NONE;
	}
	return infer_fail(err,
			  "R must be [1, 4 n, n] beside [steps, rows, %d n], "
			  "got %s and %s",
			  (int)kept, shape_text(w, text[0], sizeof(text[0])),
			  shape_text(x, text[1], sizeof(text[1])));
}

static enum err_code give(struct infer *infer, const struct shape *shapes,
			  struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < infer->n_out && !rc; i++) {
		infer->out[i].shape = shapes[i];
		infer->out[i].has_shape = true;
		rc = shape_check(&shapes[i], "the result", err);
	}
	return rc;
}

static enum err_code steps_infer(struct infer *infer, struct err *err)
{
	struct lstm_extents e;
	struct shape out[4], bias;
	enum err_code rc =
	    find_extents(infer, STEPS_R, STEPS_PRE, LSTM_GATES, &e, err);

	if (rc)
		return rc;
	out[STEPS_Y] = (struct shape){ 4, { e.steps, 1, e.rows, e.n } };
	out[STEPS_Y_H] = (struct shape){ 3, { 1, e.rows, e.n } };
	out[STEPS_Y_C] = out[STEPS_Y_H];
	out[STEPS_KEPT] =
	    (struct shape){ 3, { e.steps, e.rows, LSTM_KEPT * e.n } };
	bias = (struct shape){ 2, { 1, (int64_t)2 * LSTM_GATES * e.n } };
	rc = expect(infer, STEPS_B, "B", &bias, err);
	if (!rc)
		rc = expect(infer, STEPS_H0, "initial_h", &out[STEPS_Y_H], err);
	if (!rc)
		rc = expect(infer, STEPS_C0, "initial_c", &out[STEPS_Y_H], err);
	return rc ? rc : give(infer, out, err);
}

static enum err_code back_infer(struct infer *infer, struct err *err)
{
	static const char *const name[] = { "initial_h", "initial_c" };
	struct lstm_extents e;
	struct shape out[4], y;
	enum err_code rc = find_extents(infer, STEPS_BACK_R, STEPS_BACK_KEPT,
					LSTM_KEPT, &e, err);

	if (rc)
		return rc;
	y = (struct shape){ 4, { e.steps, 1, e.rows, e.n } };
	out[STEPS_BACK_DPRE] =
	    (struct shape){ 3, { e.steps, e.rows, LSTM_GATES * e.n } };
	out[STEPS_BACK_BEFORE] = (struct shape){ 3, { e.steps, e.rows, e.n } };
	out[STEPS_BACK_DH0] = (struct shape){ 3, { 1, e.rows, e.n } };
	out[STEPS_BACK_DC0] = out[STEPS_BACK_DH0];
	rc = expect(infer, STEPS_BACK_Y, "Y", &y, err);
	if (!rc)
		rc = expect(infer, STEPS_BACK_DY, "dY", &y, err);
	for (unsigned i = 0; i < 2 && !rc; i++) {
		rc = expect(infer, STEPS_BACK_H0 + i, name[i],
			    &out[STEPS_BACK_DH0], err);
		if (!rc)
			rc = expect(infer, STEPS_BACK_DH + i, "dY_h or dY_c",
				    &out[STEPS_BACK_DH0], err);
	}
	return rc ? rc : give(infer, out, err);
}

/* --- the rule --- */

static int32_t by_text(const struct vjp *vjp, const char *text, int32_t a,
		       int32_t b)
{
	const struct build_name in[2] = { { "a", a }, { "b", b } };
	struct build_name out = { "y", VALUE_NONE };

	build_text(vjp->build, text, in, 2, NULL, &out, 1);
	return out.value;
}

static int32_t in_rows(const struct vjp *vjp, int32_t value, int64_t width)
{
	const struct shape shape = { 2, { -1, width } };

	return build_reshape(vjp->build, value, &shape);
}

static bool wants(const struct vjp *vjp, unsigned i)
{
	return (int32_t)i < vjp->node->n_in && vjp->wanted[i];
}

static int32_t operand(const struct vjp *vjp, unsigned i)
{
	return (int32_t)i < vjp->node->n_in ? vjp->in[i] : VALUE_NONE;
}

static void rest_of(struct vjp *vjp, const int32_t out[4], int64_t n)
{
	int32_t *grad = vjp->grad_in;
	int32_t dpre = VALUE_NONE, sum;

	if (wants(vjp, STEPS_R) || wants(vjp, STEPS_B))
		dpre = in_rows(vjp, out[STEPS_BACK_DPRE], LSTM_GATES * n);
	if (wants(vjp, STEPS_R))
		grad[STEPS_R] = build_reshape_like(
		    vjp->build,
		    by_text(vjp, "y = predictd.MatMulT<trans_a=1>(a, b)", dpre,
			    in_rows(vjp, out[STEPS_BACK_BEFORE], n)),
		    vjp->in[STEPS_R]);
	if (!wants(vjp, STEPS_B))
		return;
	sum = by_text(vjp, "y = ReduceSum<keepdims=0>(a, axes:int64[1]={0})",
		      dpre, VALUE_NONE);
	grad[STEPS_B] = build_reshape_like(
	    vjp->build,
	    by_text(vjp, "y = Concat<axis=0>(a, a)", sum, VALUE_NONE),
	    vjp->in[STEPS_B]);
}

static enum err_code steps_vjp(struct vjp *vjp, struct err *err)
{
	const struct fact *r = build_fact(vjp->build, vjp->in[STEPS_R]);
	const int32_t in[] = {
		vjp->in[STEPS_R],	  vjp->out[STEPS_KEPT],
		vjp->out[STEPS_Y],	  operand(vjp, STEPS_H0),
		operand(vjp, STEPS_C0),	  vjp->grad_out[STEPS_Y],
		vjp->grad_out[STEPS_Y_H], vjp->grad_out[STEPS_Y_C],
	};
	int32_t out[4];

	if (vjp->grad_out[STEPS_KEPT] != VALUE_NONE)
		return err_set(err, ERR_UNSUPPORTED,
			       "LSTMSteps: what it keeps has no gradient");
	build_nodes(vjp->build, "LSTMStepsGrad", NULL, in, 8, out, 4);
	if (wants(vjp, STEPS_PRE))
		vjp->grad_in[STEPS_PRE] = out[STEPS_BACK_DPRE];
	if (wants(vjp, STEPS_H0))
		vjp->grad_in[STEPS_H0] = out[STEPS_BACK_DH0];
	if (wants(vjp, STEPS_C0))
		vjp->grad_in[STEPS_C0] = out[STEPS_BACK_DC0];
	rest_of(vjp, out, r->shape.dim[2]);
	return build_check(vjp->build, err);
}

/* --- rows --- */

static const struct kernel *const steps_kernels[] = { &lstm_steps_panels,
						      &lstm_steps_plain, NULL };
static const struct kernel *const back_kernels[] = { &lstm_steps_grad_panels,
						     &lstm_steps_grad_plain,
						     NULL };

/* clang-format off */
static const struct port steps_in[] = {
	{ "pre", "T:float,double", 0 },
	{ "R", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ "initial_c", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port steps_out[] = {
	{ "Y", "T", 0 },
	{ "Y_h", "T", 0 },
	{ "Y_c", "T", 0 },
	{ "kept", "T", 0 },
	{ 0 },
};
static const struct port back_in[] = {
	{ "R", "T:float,double", 0 },
	{ "kept", "T", 0 },
	{ "Y", "T", 0 },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ "initial_c", "T", PORT_OPTIONAL },
	{ "dY", "T", PORT_OPTIONAL },
	{ "dY_h", "T", PORT_OPTIONAL },
	{ "dY_c", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port back_out[] = {
	{ "dpre", "T", 0 },
	{ "before", "T", 0 },
	{ "dinitial_h", "T", 0 },
	{ "dinitial_c", "T", 0 },
	{ 0 },
};

static const struct op_case steps_cases[] = {
	{ .name = "plain",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[5,3,8], r:float[1,8,2])" },
	{ .name = "everything",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[4,3,20], r:float[1,20,5], "
		   "b:float[1,40], h0:float[1,3,5], c0:float[1,3,5])" },
	{ .name = "more rows than a tile, more columns than a panel",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[3,23,148], r:float[1,148,37], "
		   "b:float[1,296])", .tolerance = 1e-4 },
	{ .name = "whole panels",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[2,16,128], r:float[1,128,32], "
		   ", , c0:float[1,16,32])", .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:double[5,3,8], r:double[1,8,2], "
		   "b:double[1,16])" },
	{ .name = "no steps",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[0,3,8], r:float[1,8,2], , "
		   "h0:float[1,3,2])" },
	{ .name = "no rows",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[5,0,8], r:float[1,8,2])" },
	{ .name = "R of another size",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[5,3,8], r:float[1,8,3])",
	  .want = ERR_SHAPE },
	{ .name = "B of another size",
	  .graph = "y, h, c, _ = predictd.LSTMSteps(p:float[5,3,8], r:float[1,8,2], b:float[1,8])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case back_cases[] = {
	{ .name = "plain",
	  .graph = "g, b, h, c = predictd.LSTMStepsGrad(r:float[1,8,2], k:float[5,3,12], "
		   "y:float[5,1,3,2], , , dy:float[5,1,3,2])" },
	{ .name = "everything",
	  .graph = "g, b, h, c = predictd.LSTMStepsGrad(r:float[1,148,37], k:float[3,19,222], "
		   "y:float[3,1,19,37], h0:float[1,19,37], c0:float[1,19,37], "
		   "dy:float[3,1,19,37], dh:float[1,19,37], dc:float[1,19,37])",
	  .tolerance = 1e-4 },
	{ .name = "only the last state",
	  .graph = "g, b, h, c = predictd.LSTMStepsGrad(r:double[1,8,2], k:double[5,3,12], "
		   "y:double[5,1,3,2], , , , dh:double[1,3,2])" },
	{ .name = "no steps",
	  .graph = "g, b, h, c = predictd.LSTMStepsGrad(r:float[1,8,2], k:float[0,3,12], "
		   "y:float[0,1,3,2], , , , dh:float[1,3,2])" },
	{ .name = "kept of another size",
	  .graph = "g, b, h, c = predictd.LSTMStepsGrad(r:float[1,8,2], k:float[5,3,8], "
		   "y:float[5,1,3,2])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

const struct op op_lstm_steps = {
	.domain = "predictd",
	.name = "LSTMSteps",
	.help = "An LSTM's steps over products of its inputs, for training.",
	.since = 1,
	.in = steps_in,
	.out = steps_out,
	.infer = steps_infer,
	.kernels = steps_kernels,
	.vjp = steps_vjp,
	.cases = steps_cases,
};

const struct op op_lstm_steps_grad = {
	.domain = "predictd",
	.name = "LSTMStepsGrad",
	.help = "The way back through an LSTM's steps, from what they kept.",
	.since = 1,
	.in = back_in,
	.out = back_out,
	.infer = back_infer,
	.kernels = back_kernels,
	.cases = back_cases,
};
