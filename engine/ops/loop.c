/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * If and Loop: bodies that a value chooses or repeats.
 *
 *   If:   the results of then_branch or of else_branch
 *   Loop: while the condition holds, and at most M turns,
 *           (cond, v..., s...) = body(turn, cond, v...)
 *         gives the last v and, for each s, its values of all turns, stacked
 *
 * An absent M or cond does not end the loop. An If whose condition is known
 * before a run is replaced by its branch (engine/plan_branch.c).
 * Source: ONNX, If 21 and Loop 21.
 */
#include "base/mem.h"
#include <assert.h>

#include "engine/ops/control.h"

/* ---- If ------------------------------------------------------------------ */

static const char *const if_bodies[] = { "then_branch", "else_branch", NULL };
static const struct port if_in[] = {
	{ "cond", "bool", 0 },
	{ "captured", "all", PORT_OPTIONAL | PORT_VARIADIC },
	{ 0 },
};
static const struct port if_out[] = { { "outputs", "all", PORT_VARIADIC },
				      { 0 } };

static enum err_code if_type(const struct graph_node *node,
			     const struct type *in, struct type *out,
			     unsigned n_out, struct err *err)
{
	enum err_code rc = control_check_body(node, 0, 0, n_out, err);

	(void)in;
	if (!rc)
		rc = control_check_body(node, 1, 0, n_out, err);
	for (unsigned i = 0; i < n_out && !rc; i++) {
		const struct graph *a = node->body[0], *b = node->body[1];
		const struct type *x = &a->value[a->output[i]].type;
		const struct type *y = &b->value[b->output[i]].type;

		if (x->elem != y->elem || x->is_sequence != y->is_sequence)
			return err_set(err, ERR_INVALID,
				       "output %u is %s in one branch and %s "
				       "in the other",
				       i, dtype_info(x->elem)->name,
				       dtype_info(y->elem)->name);
		out[i] = *x;
		out[i].is_optional = x->is_optional || y->is_optional;
	}
	return rc;
}

static enum err_code if_evaluate(struct evaluate *call, struct err *err)
{
	struct turn turn = { 0 };
	int64_t condition = 0;
	enum err_code rc = evaluate_int(call, 0, &condition, err);

	if (rc)
		return rc;
	rc = turn_init(&turn, call, call->node->body[condition ? 0 : 1], err);
	if (!rc)
		rc = turn_run(&turn, err);
	for (unsigned i = 0; i < call->n_out && !rc; i++) {
		if (call->out[i].fact.type.elem == DTYPE_NONE)
			continue;
		call->out[i] = turn.out[i];
		turn.out[i] = (struct item){ 0 };
	}
	turn_finish(&turn);
	return rc;
}

/* bodies have no notation in graph text: tests/unit/engine/control.c */
static const struct op_case no_cases[] = { { 0 } };

extern const struct op op_if;
const struct op op_if = {
	.domain = "",
	.name = "If",
	.help = "The results of one of two bodies.",
	.since = 1,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = if_in,
	.out = if_out,
	.evaluate = if_evaluate,
	.type = if_type,
	.bodies = if_bodies,
	.cases = no_cases,
};

/* ---- Loop ---------------------------------------------------------------- */

static const char *const loop_bodies[] = { "body", NULL };
static const struct port loop_in[] = {
	{ "M", "int64", PORT_OPTIONAL },
	{ "cond", "bool", PORT_OPTIONAL },
	{ "v_initial", "all", PORT_OPTIONAL | PORT_VARIADIC },
	{ 0 },
};
static const struct port loop_out[] = {
	{ "v_final_and_scan_outputs", "all", PORT_VARIADIC },
	{ 0 },
};

static int64_t n_carried(const struct graph_node *node)
{
	return (int64_t)node->n_in - 2 - node->n_captured;
}

static enum err_code loop_type(const struct graph_node *node,
			       const struct type *in, struct type *out,
			       unsigned n_out, struct err *err)
{
	const int64_t carried = n_carried(node);
	enum err_code rc;

	(void)in;
	if (carried < 0)
		return err_set(err, ERR_INVALID,
			       "it takes M, cond and carried values; got %d "
			       "inputs",
			       (int)(node->n_in - node->n_captured));
	rc = control_check_body(node, 0, carried + 2, 1 + (int64_t)n_out, err);
	for (unsigned i = 0; i < n_out && !rc; i++) {
		const struct graph *body = node->body[0];

		assert(body); /* control_check_body() has seen it */
		out[i] = body->value[body->output[1 + i]].type;
		if (i >= carried && (out[i].is_sequence || out[i].is_optional))
			return err_set(err, ERR_INVALID,
				       "scan output %u is no tensor", i);
	}
	return rc;
}

struct loop {
	struct turn turn;
	int32_t n_carried, n_scan;
	struct item condition; /* of the next turn */
	struct item *carried;  /* [n_carried] */
	struct pile *pile;     /* [n_scan] */
};

static enum err_code loop_init(struct loop *loop, struct evaluate *call,
			       struct err *err)
{
	const struct graph *body = call->node->body[0];
	enum err_code rc = turn_init(&loop->turn, call, body, err);

	if (rc)
		return rc;
	loop->n_carried = (int32_t)n_carried(call->node);
	loop->n_scan = body->n_output - 1 - loop->n_carried;
	loop->carried =
	    mem_array((size_t)loop->n_carried + 1, sizeof(*loop->carried));
	loop->pile = mem_array((size_t)loop->n_scan + 1, sizeof(*loop->pile));
	if (!loop->carried || !loop->pile)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (int32_t i = 0; i < loop->n_carried; i++)
		loop->carried[i] = item_share(&call->in[2 + i]);
	if (call->in[1].fact.type.elem == DTYPE_NONE)
		return evaluate_scalar(call->heap, DTYPE_BOOL, 1,
				       &loop->condition, err);
	loop->condition = item_share(&call->in[1]);
	return ERR_NONE;
}

static void loop_finish(struct loop *loop, struct run_heap *heap)
{
	for (int32_t i = 0; loop->carried && i < loop->n_carried; i++)
		item_drop(heap, &loop->carried[i]);
	for (int32_t i = 0; loop->pile && i < loop->n_scan; i++)
		pile_drop(heap, &loop->pile[i]);
	item_drop(heap, &loop->condition);
	turn_finish(&loop->turn);
	mem_free(loop->carried);
	mem_free(loop->pile);
}

static struct item take(struct item *item)
{
	const struct item taken = *item;

	*item = (struct item){ 0 };
	return taken;
}

/* Hands the state to the body's inputs. */
static enum err_code load(struct loop *loop, int64_t number, struct err *err)
{
	struct turn *turn = &loop->turn;

	turn->in[1] = take(&loop->condition);
	for (int32_t i = 0; i < loop->n_carried; i++)
		turn->in[2 + i] = take(&loop->carried[i]);
	return evaluate_scalar(turn->call->heap, DTYPE_I64, number,
			       &turn->in[0], err);
}

static enum err_code one_turn(struct loop *loop, int64_t number,
			      struct err *err)
{
	struct turn *turn = &loop->turn;
	enum err_code rc = load(loop, number, err);

	if (!rc)
		rc = turn_run(turn, err);
	if (rc)
		return rc;
	loop->condition = take(&turn->out[0]);
	for (int32_t i = 0; i < loop->n_carried; i++)
		loop->carried[i] = take(&turn->out[1 + i]);
	for (int32_t i = 0; i < loop->n_scan && !rc; i++)
		rc = pile_push(turn->call->heap, &loop->pile[i],
			       &turn->out[1 + loop->n_carried + i], err);
	return rc;
}

static enum err_code goes_on(const struct loop *loop, bool *ret,
			     struct err *err)
{
	const struct fact *fact = &loop->condition.fact;

	if (shape_count(&fact->shape) != 1)
		return err_set(err, ERR_SHAPE,
			       "the condition: expected one bool, got %lld",
			       (long long)shape_count(&fact->shape));
	*ret = *(const bool *)fact->value;
	return ERR_NONE;
}

static enum err_code scan_output(struct loop *loop, int32_t i, struct item *out,
				 struct err *err)
{
	const struct pile *pile = &loop->pile[i];
	struct run_heap *heap = loop->turn.call->heap;
	enum err_code rc;

	if (pile->n)
		return evaluate_join(heap, pile->sequence->item, pile->n, 0,
				     true, out, err);
	/* no turn: shapes as the first one would have had them */
	rc = load(loop, 0, err);
	if (!rc)
		rc = control_no_turns(&loop->turn, 1 + loop->n_carried + i, 0,
				      out, err);
	loop->condition = take(&loop->turn.in[1]);
	for (int32_t j = 0; j < loop->n_carried; j++)
		loop->carried[j] = take(&loop->turn.in[2 + j]);
	item_drop(heap, &loop->turn.in[0]);
	return rc;
}

static enum err_code loop_results(struct loop *loop, struct evaluate *call,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = loop->n_carried; i < (int32_t)call->n_out && !rc; i++)
		if (call->out[i].fact.type.elem != DTYPE_NONE)
			rc = scan_output(loop, i - loop->n_carried,
					 &call->out[i], err);
	for (int32_t i = 0; i < loop->n_carried && !rc; i++)
		if (i < (int32_t)call->n_out &&
		    call->out[i].fact.type.elem != DTYPE_NONE)
			call->out[i] = take(&loop->carried[i]);
	return rc;
}

static enum err_code loop_evaluate(struct evaluate *call, struct err *err)
{
	struct loop loop = { .turn.body = call->node->body[0] };
	int64_t most = INT64_MAX;
	bool more = true;
	enum err_code rc = ERR_NONE;

	loop.turn.call = call;
	if (call->in[0].fact.type.elem != DTYPE_NONE)
		rc = evaluate_int(call, 0, &most, err);
	if (!rc)
		rc = loop_init(&loop, call, err);
	for (int64_t i = 0; i < most && !rc; i++) {
		rc = goes_on(&loop, &more, err);
		if (rc || !more)
			break;
		rc = one_turn(&loop, i, err);
	}
	if (!rc)
		rc = loop_results(&loop, call, err);
	loop_finish(&loop, call->heap);
	return rc;
}

extern const struct op op_loop;
const struct op op_loop = {
	.domain = "",
	.name = "Loop",
	.help = "Repeats a body while a condition holds.",
	.since = 1,
	.flags = OP_DYNAMIC | OP_ANY_TYPE,
	.in = loop_in,
	.out = loop_out,
	.evaluate = loop_evaluate,
	.type = loop_type,
	.bodies = loop_bodies,
	.cases = no_cases,
};
