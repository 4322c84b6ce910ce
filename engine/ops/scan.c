/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Scan and SequenceMap: a body for each slice, or for each tensor of a
 * sequence.
 *
 *   Scan: for each place t along the scan axes,
 *           (state..., y...) = body(state..., x[t]...)
 *         gives the last states and, for each y, its values, stacked
 *   SequenceMap: (y...) = body(x, more...) for each x of a sequence, where
 *         `more` are tensors or sequences of the same length
 *
 * predictd.ScanBatch is Scan as opset 8 had it: the first axis of everything
 * is a batch, whose rows may have lengths of their own.
 * Source: ONNX, Scan 8 and 9, SequenceMap 17.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/node_call.h"
#include "engine/ops/control.h"

struct scan_attrs {
	int64_t num_scan_inputs;
	struct attr_ints in_axes, in_directions, out_axes, out_directions;
};

static const struct op_attr scan_attrs[] = {
	{ .name = "num_scan_inputs",
	  .help = "how many inputs are cut into slices",
	  .offset = offsetof(struct scan_attrs, num_scan_inputs),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX },
	{ .name = "scan_input_axes",
	  .help = "axis of each scan input; by itself 0",
	  .offset = offsetof(struct scan_attrs, in_axes),
	  .kind = ATTR_INTS },
	{ .name = "scan_input_directions",
	  .help = "1: that input from its end",
	  .offset = offsetof(struct scan_attrs, in_directions),
	  .kind = ATTR_INTS,
	  .max = 1 },
	{ .name = "scan_output_axes",
	  .help = "axis of each scan output; by itself 0",
	  .offset = offsetof(struct scan_attrs, out_axes),
	  .kind = ATTR_INTS },
	{ .name = "scan_output_directions",
	  .help = "1: that output from its end",
	  .offset = offsetof(struct scan_attrs, out_directions),
	  .kind = ATTR_INTS,
	  .max = 1 },
	{ 0 },
};

static const char *const scan_bodies[] = { "body", NULL };
static const struct op_case no_cases[] = { { 0 } };

static int64_t entry(const struct attr_ints *list, int64_t i)
{
	return (size_t)i < list->n ? list->v[i] : 0;
}

/* n_before: operands in front of the states */
static enum err_code check_scan(const struct graph_node *node, int64_t n_before,
				unsigned n_out, struct err *err)
{
	const struct scan_attrs *a = node->attrs;
	const int64_t own = (int64_t)node->n_in - node->n_captured - n_before;

	if (own < a->num_scan_inputs)
		return err_set(err, ERR_INVALID,
			       "expected %lld scan inputs among %lld inputs",
			       (long long)a->num_scan_inputs, (long long)own);
	return control_check_body(node, 0, own, n_out, err);
}

static enum err_code body_types(const struct graph_node *node, int64_t n_before,
				struct type *out, unsigned n_out,
				struct err *err)
{
	enum err_code rc = check_scan(node, n_before, n_out, err);

	for (unsigned i = 0; i < n_out && !rc; i++) {
		const struct graph *body = node->body[0];

		out[i] = body->value[body->output[i]].type;
		if (out[i].is_sequence || out[i].is_optional)
			return err_set(err, ERR_INVALID,
				       "output %u is no tensor", i);
	}
	return rc;
}

static enum err_code scan_type(const struct graph_node *node,
			       const struct type *in, struct type *out,
			       unsigned n_out, struct err *err)
{
	(void)in;
	return body_types(node, 0, out, n_out, err);
}

/* One scan: n_state states, then n_input tensors to cut. */
struct scan {
	struct turn turn;
	const struct scan_attrs *attrs;
	int32_t n_state, n_input, n_output;
	struct item *state;	  /* [n_state], owned */
	const struct item *input; /* [n_input] */
	struct pile *pile;	  /* [n_output] */
	int64_t n_turns;
};

static enum err_code scan_init(struct scan *scan, struct evaluate *call,
			       int32_t n_before, struct err *err)
{
	const struct graph *body = call->node->body[0];
	enum err_code rc = turn_init(&scan->turn, call, body, err);

	if (rc)
		return rc;
	scan->attrs = call->node->attrs;
	scan->n_input = (int32_t)scan->attrs->num_scan_inputs;
	scan->n_state = (int32_t)call->n_in - call->node->n_captured -
			n_before - scan->n_input;
	scan->n_output = body->n_output - scan->n_state;
	scan->state =
	    mem_array((size_t)scan->n_state + 1, sizeof(*scan->state));
	if (scan->n_output < 0)
		return err_set(err, ERR_INVALID,
			       "the body gives fewer values than states");
	scan->pile = mem_array((size_t)scan->n_output + 1, sizeof(*scan->pile));
	return scan->state && scan->pile
		   ? ERR_NONE
		   : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static void drop_piles(struct scan *scan)
{
	for (int32_t i = 0; scan->pile && i < scan->n_output; i++)
		pile_drop(scan->turn.call->heap, &scan->pile[i]);
}

static void scan_finish(struct scan *scan)
{
	for (int32_t i = 0; scan->state && i < scan->n_state; i++)
		item_drop(scan->turn.call->heap, &scan->state[i]);
	drop_piles(scan);
	turn_finish(&scan->turn);
	mem_free(scan->state);
	mem_free(scan->pile);
}

static enum err_code count_turns(struct scan *scan, struct err *err)
{
	scan->n_turns = -1;
	for (int32_t i = 0; i < scan->n_input; i++) {
		const struct shape *shape = &scan->input[i].fact.shape;
		unsigned axis;
		enum err_code rc =
		    shape_axis(entry(&scan->attrs->in_axes, i), shape->rank,
			       "a scan axis", &axis, err);

		if (rc)
			return rc;
		if (scan->n_turns >= 0 && scan->n_turns != shape->dim[axis])
			return err_set(err, ERR_SHAPE,
				       "scan input %d: expected %lld slices, "
				       "got %lld",
				       (int)i, (long long)scan->n_turns,
				       (long long)shape->dim[axis]);
		scan->n_turns = shape->dim[axis];
	}
	return ERR_NONE;
}

static enum err_code cut_input(struct scan *scan, int32_t i, int64_t number,
			       struct item *ret, struct err *err)
{
	const struct item *from = &scan->input[i];
	const bool reverse = entry(&scan->attrs->in_directions, i) != 0;
	struct evaluate_cut cut = { .n = 1, .squeeze = true };
	enum err_code rc =
	    shape_axis(entry(&scan->attrs->in_axes, i), from->fact.shape.rank,
		       "a scan axis", &cut.axis, err);

	if (rc)
		return rc;
	cut.first =
	    reverse ? from->fact.shape.dim[cut.axis] - 1 - number : number;
	return evaluate_cut(scan->turn.call->heap, from, &cut, ret, err);
}

static enum err_code scan_turn(struct scan *scan, int64_t number,
			       struct err *err)
{
	struct turn *turn = &scan->turn;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < scan->n_state; i++) {
		turn->in[i] = scan->state[i];
		scan->state[i] = (struct item){ 0 };
	}
	for (int32_t i = 0; i < scan->n_input && !rc; i++)
		rc = cut_input(scan, i, number, &turn->in[scan->n_state + i],
			       err);
	if (!rc)
		rc = turn_run(turn, err);
	for (int32_t i = 0; i < scan->n_state && !rc; i++) {
		scan->state[i] = turn->out[i];
		turn->out[i] = (struct item){ 0 };
	}
	for (int32_t i = 0; i < scan->n_output && !rc; i++)
		rc = pile_push(turn->call->heap, &scan->pile[i],
			       &turn->out[scan->n_state + i], err);
	return rc;
}

static enum err_code scan_turns(struct scan *scan, int64_t n, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int64_t i = 0; i < n && !rc; i++)
		rc = scan_turn(scan, i, err);
	return rc;
}

/* The pile of scan output i as a tensor. */
static enum err_code join_pile(struct scan *scan, int32_t i, struct item *ret,
			       struct err *err)
{
	struct pile *pile = &scan->pile[i];
	const int64_t axis = entry(&scan->attrs->out_axes, i);

	if (!pile->n)
		return control_no_turns(&scan->turn, scan->n_state + i, axis,
					ret, err);
	if (entry(&scan->attrs->out_directions, i))
		pile_reverse(pile);
	return evaluate_join(scan->turn.call->heap, pile->sequence->item,
			     pile->n, axis, true, ret, err);
}

static bool is_wanted(const struct evaluate *call, int32_t i)
{
	return i < (int32_t)call->n_out &&
	       call->out[i].fact.type.elem != DTYPE_NONE;
}

static enum err_code scan_evaluate(struct evaluate *call, struct err *err)
{
	struct scan scan = { .turn = { .call = call,
				       .body = call->node->body[0] } };
	enum err_code rc = scan_init(&scan, call, 0, err);

	if (!rc) {
		scan.input = call->in + scan.n_state;
		for (int32_t i = 0; i < scan.n_state; i++)
			scan.state[i] = item_share(&call->in[i]);
		rc = count_turns(&scan, err);
	}
	if (!rc)
		rc = scan_turns(&scan, scan.n_turns, err);
	for (int32_t i = 0; i < scan.n_output && !rc; i++)
		if (is_wanted(call, scan.n_state + i))
			rc = join_pile(&scan, i, &call->out[scan.n_state + i],
				       err);
	for (int32_t i = 0; i < scan.n_state && !rc; i++) {
		if (!is_wanted(call, i))
			continue;
		call->out[i] = scan.state[i];
		scan.state[i] = (struct item){ 0 };
	}
	scan_finish(&scan);
	return rc;
}

static const struct port scan_in[] = {
	{ "initial_state_and_scan_inputs", "any", PORT_VARIADIC },
	{ 0 },
};
static const struct port scan_out[] = {
	{ "final_state_and_scan_outputs", "any", PORT_VARIADIC },
	{ 0 },
};

extern const struct op op_scan;
const struct op op_scan = {
	.domain = "",
	.name = "Scan",
	.help = "A body for each slice, with states carried along.",
	.since = 9,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = scan_in,
	.out = scan_out,
	.attrs = scan_attrs,
	.attrs_size = sizeof(struct scan_attrs),
	.evaluate = scan_evaluate,
	.type = scan_type,
	.bodies = scan_bodies,
	.cases = no_cases,
};

/* ---- ScanBatch ----------------------------------------------------------- */

enum { BATCH_BEFORE = 1 }; /* sequence_lens */

static const struct op_attr batch_attrs[] = {
	{ .name = "num_scan_inputs",
	  .help = "how many inputs are cut into slices",
	  .offset = offsetof(struct scan_attrs, num_scan_inputs),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX },
	{ .name = "directions",
	  .help = "1: that input from its end",
	  .offset = offsetof(struct scan_attrs, in_directions),
	  .kind = ATTR_INTS,
	  .max = 1 },
	{ .name = "scan_input_axes",
	  .help = "axis of each scan input in a row; by itself 0",
	  .offset = offsetof(struct scan_attrs, in_axes),
	  .kind = ATTR_INTS },
	{ .name = "scan_output_axes",
	  .help = "axis of each scan output in a row; by itself 0",
	  .offset = offsetof(struct scan_attrs, out_axes),
	  .kind = ATTR_INTS },
	{ .name = "scan_output_directions",
	  .help = "1: that output from its end",
	  .offset = offsetof(struct scan_attrs, out_directions),
	  .kind = ATTR_INTS,
	  .max = 1 },
	{ 0 },
};

static enum err_code batch_type(const struct graph_node *node,
				const struct type *in, struct type *out,
				unsigned n_out, struct err *err)
{
	(void)in;
	return body_types(node, BATCH_BEFORE, out, n_out, err);
}

/* Rows of a batch and what they gave. */
struct batch {
	struct scan scan;
	int64_t n_rows;
	struct item *input;  /* [n_input]: of one row, owned */
	struct pile *result; /* [n_state + n_output] */
};

static enum err_code check_rows(struct batch *batch, struct err *err)
{
	const struct evaluate *call = batch->scan.turn.call;
	const int32_t n = batch->scan.n_state + batch->scan.n_input;

	batch->n_rows = -1;
	for (int32_t i = 0; i < n; i++) {
		const struct shape *shape =
		    &call->in[BATCH_BEFORE + i].fact.shape;

		if (!shape->rank || (i && shape->dim[0] != batch->n_rows))
			return err_set(err, ERR_SHAPE,
				       "input %d: expected the same batch on "
				       "the first axis of all inputs",
				       (int)(BATCH_BEFORE + i));
		batch->n_rows = shape->dim[0];
	}
	if (batch->n_rows < 1)
		return err_set(err, ERR_SHAPE, "a batch without rows");
	return ERR_NONE;
}

static enum err_code row_of(const struct evaluate *call, int32_t i, int64_t row,
			    struct item *ret, struct err *err)
{
	const struct evaluate_cut cut = { .first = row,
					  .n = 1,
					  .squeeze = true };

	return evaluate_cut(call->heap, &call->in[BATCH_BEFORE + i], &cut, ret,
			    err);
}

static enum err_code row_turns(const struct batch *batch, int64_t row,
			       int64_t *ret, struct err *err)
{
	const struct fact *lens = &batch->scan.turn.call->in[0].fact;

	*ret = batch->scan.n_turns;
	if (lens->type.elem == DTYPE_NONE)
		return ERR_NONE;
	if (shape_count(&lens->shape) != batch->n_rows)
		return err_set(err, ERR_SHAPE,
			       "input 'sequence_lens': expected %lld, got %lld",
			       (long long)batch->n_rows,
			       (long long)shape_count(&lens->shape));
	*ret = ((const int64_t *)lens->value)[row];
	if (*ret < 0 || *ret > batch->scan.n_turns)
		return err_set(err, ERR_INVALID,
			       "input 'sequence_lens': expected 0 to %lld, got "
			       "%lld",
			       (long long)batch->scan.n_turns, (long long)*ret);
	return ERR_NONE;
}

/* Short rows end in zeros, so that all are of one length. */
static enum err_code pad_pile(struct scan *scan, struct pile *pile,
			      struct err *err)
{
	struct run_heap *heap = scan->turn.call->heap;
	enum err_code rc = ERR_NONE;

	while (pile->n && (int64_t)pile->n < scan->n_turns && !rc) {
		struct item zero = { .fact = pile->sequence->item[0].fact };
		size_t bytes;

		rc = item_alloc(heap, &zero, err);
		bytes = rc ? 0 : fact_data_bytes(&zero.fact);
		if (bytes)
			memset(item_data(&zero), 0, bytes);
		if (!rc)
			rc = pile_push(heap, pile, &zero, err);
		item_drop(heap, &zero);
	}
	return rc;
}

static enum err_code keep_row(struct batch *batch, struct err *err)
{
	struct scan *scan = &batch->scan;
	struct run_heap *heap = scan->turn.call->heap;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < scan->n_state && !rc; i++)
		rc = pile_push(heap, &batch->result[i], &scan->state[i], err);
	for (int32_t i = 0; i < scan->n_output && !rc; i++) {
		struct item whole = { 0 };

		rc = pad_pile(scan, &scan->pile[i], err);
		if (!rc)
			rc = join_pile(scan, i, &whole, err);
		if (!rc)
			rc = pile_push(heap, &batch->result[scan->n_state + i],
				       &whole, err);
		item_drop(heap, &whole);
	}
	drop_piles(scan);
	return rc;
}

static enum err_code scan_row(struct batch *batch, int64_t row, struct err *err)
{
	struct scan *scan = &batch->scan;
	const struct evaluate *call = scan->turn.call;
	enum err_code rc = ERR_NONE;
	int64_t n = 0;

	for (int32_t i = 0; i < scan->n_state && !rc; i++)
		rc = row_of(call, i, row, &scan->state[i], err);
	for (int32_t i = 0; i < scan->n_input && !rc; i++)
		rc =
		    row_of(call, scan->n_state + i, row, &batch->input[i], err);
	if (!rc)
		rc = count_turns(scan, err);
	if (!rc)
		rc = row_turns(batch, row, &n, err);
	if (!rc)
		rc = scan_turns(scan, n, err);
	if (!rc)
		rc = keep_row(batch, err);
	for (int32_t i = 0; i < scan->n_input; i++)
		item_drop(call->heap, &batch->input[i]);
	return rc;
}

static enum err_code scan_rows(struct batch *batch, struct evaluate *call,
			       struct err *err)
{
	struct scan *scan = &batch->scan;
	enum err_code rc = check_rows(batch, err);

	for (int64_t row = 0; row < batch->n_rows && !rc; row++)
		rc = scan_row(batch, row, err);
	for (int32_t i = 0; i < scan->n_state + scan->n_output && !rc; i++)
		if (is_wanted(call, i))
			rc = evaluate_join(
			    call->heap, batch->result[i].sequence->item,
			    batch->result[i].n, 0, true, &call->out[i], err);
	return rc;
}

static enum err_code batch_evaluate(struct evaluate *call, struct err *err)
{
	struct batch batch = { .scan.turn = { .call = call,
					      .body = call->node->body[0] } };
	struct scan *scan = &batch.scan;
	enum err_code rc = scan_init(scan, call, BATCH_BEFORE, err);

	if (!rc) {
		batch.input =
		    mem_array((size_t)scan->n_input + 1, sizeof(*batch.input));
		batch.result = mem_array((size_t)scan->turn.body->n_output + 1,
					 sizeof(*batch.result));
		scan->input = batch.input;
		rc = batch.input && batch.result
			 ? scan_rows(&batch, call, err)
			 : err_set(err, ERR_NO_MEMORY, "out of memory");
	}
	for (int32_t i = 0; batch.result && i < scan->turn.body->n_output; i++)
		pile_drop(call->heap, &batch.result[i]);
	mem_free(batch.input);
	mem_free(batch.result);
	scan_finish(scan);
	return rc;
}

static const struct port batch_in[] = {
	{ "sequence_lens", "int64", PORT_OPTIONAL },
	{ "initial_state_and_scan_inputs", "any", PORT_VARIADIC },
	{ 0 },
};

extern const struct op op_scan_batch;
const struct op op_scan_batch = {
	.domain = "predictd",
	.name = "ScanBatch",
	.help = "Scan with a batch on the first axis, as in opset 8.",
	.since = 1,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = batch_in,
	.out = scan_out,
	.attrs = batch_attrs,
	.attrs_size = sizeof(struct scan_attrs),
	.evaluate = batch_evaluate,
	.type = batch_type,
	.bodies = scan_bodies,
	.cases = no_cases,
};

/* ---- SequenceMap --------------------------------------------------------- */

static enum err_code map_type(const struct graph_node *node,
			      const struct type *in, struct type *out,
			      unsigned n_out, struct err *err)
{
	enum err_code rc = control_check_body(
	    node, 0, (int64_t)node->n_in - node->n_captured, n_out, err);

	(void)in;
	for (unsigned i = 0; i < n_out && !rc; i++) {
		const struct graph *body = node->body[0];

		out[i] = body->value[body->output[i]].type;
		if (out[i].is_sequence || out[i].is_optional)
			return err_set(err, ERR_INVALID,
				       "output %u of the body is no tensor", i);
		out[i].is_sequence = true;
	}
	return rc;
}

static enum err_code map_turn(struct turn *turn, size_t number, struct err *err)
{
	const struct evaluate *call = turn->call;

	for (int32_t i = 0; i < turn->n_own; i++) {
		const struct item *in = &call->in[i];

		if (in->fact.type.is_sequence &&
		    item_items(in)->n != item_items(&call->in[0])->n)
			return err_set(err, ERR_INVALID,
				       "input %d: expected a sequence of %zu, "
				       "got %zu",
				       (int)i, item_items(&call->in[0])->n,
				       item_items(in)->n);
		turn->in[i] = item_share(in->fact.type.is_sequence
					     ? &item_items(in)->item[number]
					     : in);
	}
	return turn_run(turn, err);
}

static enum err_code map_evaluate(struct evaluate *call, struct err *err)
{
	const size_t n = item_items(&call->in[0])->n;
	struct turn turn = { .call = call, .body = call->node->body[0] };
	struct sequence *to = NULL;
	enum err_code rc = turn_init(&turn, call, turn.body, err);

	for (unsigned i = 0; i < call->n_out && !rc; i++)
		if (call->out[i].fact.type.elem != DTYPE_NONE)
			rc = item_sequence(call->heap, n, &call->out[i], &to,
					   err);
	for (size_t t = 0; t < n && !rc; t++) {
		rc = map_turn(&turn, t, err);
		for (int32_t i = 0; i < turn.body->n_output && !rc; i++) {
			if (is_wanted(call, i)) {
				to = item_data(&call->out[i]);
				to->item[t] = turn.out[i];
				turn.out[i] = (struct item){ 0 };
			}
			item_drop(call->heap, &turn.out[i]);
		}
	}
	turn_finish(&turn);
	return rc;
}

static const struct port map_in[] = {
	{ "input_sequence", "seq(any)", 0 },
	{ "additional_inputs", "all", PORT_OPTIONAL | PORT_VARIADIC },
	{ 0 },
};
static const struct port map_out[] = {
	{ "out_sequence", "all", PORT_VARIADIC },
	{ 0 },
};

extern const struct op op_sequence_map;
const struct op op_sequence_map = {
	.domain = "",
	.name = "SequenceMap",
	.help = "A body for each tensor of a sequence.",
	.since = 17,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = map_in,
	.out = map_out,
	.evaluate = map_evaluate,
	.type = map_type,
	.bodies = scan_bodies,
	.cases = no_cases,
};
