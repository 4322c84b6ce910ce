/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * An LSTM whose weights a model stores as bytes becomes LSTMWeights, where this
 * CPU multiplies bytes faster than floats. Both its W and its R are the
 * transpose of a DequantizeLinear of constants.
 */
#include "engine/attr.h"
#include "engine/ops/byte_weights.h"
#include "engine/ops/recurrent.h"
#include "engine/passes/edit.h"

enum { N_IN = RECURRENT_R_ZERO + 1 };

static bool swaps_last_axes(const struct graph_node *node)
{
	const struct op_attr *row;
	struct attr_value value;

	if (!edit_is(node, "Transpose"))
		return false;
	row = op_attr_find(node->op->attrs, "perm");
	return row && op_attr_get(row, node->attrs, &value) &&
	       value.ints.n == 3 && value.ints.v[0] == 0 &&
	       value.ints.v[1] == 2;
}

/* A constant, also behind an Unsqueeze; VALUE_NONE: it is none. */
static int32_t constant_behind(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);

	if (edit_is(node, "Unsqueeze"))
		value = edit_in(edit, node, 0);
	return edit_constant(edit, value) ? value : VALUE_NONE;
}

/* One for each of d directions, or for each of n columns as well. */
static bool is_factor(const struct edit *edit, int32_t value, int64_t d,
		      int64_t n)
{
	const struct shape *s = &edit_constant(edit, value)->shape;

	return (s->rank == 1 && s->dim[0] == d) ||
	       (s->rank == 2 && s->dim[0] == d && s->dim[1] == n);
}

/* The axis of what scales are for fits their shape. */
static bool goes_along(const struct graph_node *node, unsigned rank)
{
	const struct op_attr *rows = node->op->attrs;
	struct attr_value axis, block;

	if (!op_attr_get(op_attr_find(rows, "axis"), node->attrs, &axis) ||
	    !op_attr_get(op_attr_find(rows, "block_size"), node->attrs, &block))
		return false;
	return rank == 1 ? axis.i == 0 && block.i == 0
			 : axis.i == 1 && block.i == INT32_MAX;
}

/* Transpose(DequantizeLinear(bytes, scale, zero)) as input `weights`, and the
 * two behind it. */
static bool find_bytes(const struct edit *edit, const struct graph_node *lstm,
		       int32_t weights, int32_t scale, int32_t in[N_IN])
{
	const struct graph_node *node =
	    edit_producer(edit, edit_in(edit, lstm, weights));
	const struct tensor_view *w;

	if (!swaps_last_axes(node))
		return false;
	node = edit_producer(edit, edit_in(edit, node, 0));
	if (!edit_is(node, "DequantizeLinear"))
		return false;
	w = edit_constant(edit, edit_in(edit, node, 0));
	in[weights] = edit_in(edit, node, 0);
	in[scale] = constant_behind(edit, edit_in(edit, node, 1));
	in[scale + 1] = edit_in(edit, node, 2);
	if (!w || w->shape.rank != 3 || w->shape.dim[1] > BYTE_WEIGHTS_MAX_K ||
	    in[scale] == VALUE_NONE ||
	    edit_elem(edit, in[scale]) != DTYPE_F32 ||
	    (w->dtype != DTYPE_I8 && w->dtype != DTYPE_U8) ||
	    !is_factor(edit, in[scale], w->shape.dim[0], w->shape.dim[2]) ||
	    !goes_along(node, edit_constant(edit, in[scale])->shape.rank))
		return false;
	if (in[scale + 1] == VALUE_NONE)
		return true;
	in[scale + 1] = constant_behind(edit, in[scale + 1]);
	return in[scale + 1] != VALUE_NONE &&
	       is_factor(edit, in[scale + 1], w->shape.dim[0], w->shape.dim[2]);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const struct op *op = build_find("predictd.LSTMWeights");
	int32_t in[N_IN], out[3];

	if (!edit_is(node, "LSTM") ||
	    edit_elem(edit, edit_in(edit, node, RECURRENT_X)) != DTYPE_F32)
		return;
	for (int32_t i = 0; i < RECURRENT_W_SCALE; i++)
		in[i] = edit_in(edit, node, i);
	if (!find_bytes(edit, node, RECURRENT_W, RECURRENT_W_SCALE, in) ||
	    !find_bytes(edit, node, RECURRENT_R, RECURRENT_R_SCALE, in))
		return;
	build_row(&edit->build, op, node->attrs, in,
		  in[N_IN - 1] == VALUE_NONE ? N_IN - 1 : N_IN, out,
		  (unsigned)node->n_out);
	for (int32_t i = 0; i < node->n_out; i++)
		if (graph_out(edit->graph, node)[i] != VALUE_NONE)
			edit_forward(edit, graph_out(edit->graph, node)[i],
				     out[i]);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	if (!byte_is_fast(byte_loops()))
		return ERR_NONE;
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_byte_lstm;
const struct pass pass_byte_lstm = {
	.name = "byte_lstm",
	.help = "runs LSTM by weights that are stored as bytes as bytes",
	.flags = PASS_LOAD,
	.run = run,
};
