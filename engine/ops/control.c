/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/control.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/facts.h"

enum { PILE_FIRST = 8 };

enum err_code turn_init(struct turn *turn, const struct evaluate *call,
			const struct graph *body, struct err *err)
{
	const int32_t n_captured = call->node->n_captured;
	enum err_code rc;

	*turn = (struct turn){ .call = call,
			       .body = body,
			       .n_own = body->n_input - n_captured };
	turn->in = mem_array((size_t)body->n_input + 1, sizeof(*turn->in));
	turn->out = mem_array((size_t)body->n_output + 1, sizeof(*turn->out));
	if (!turn->in || !turn->out)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = frame_create(call, body, &turn->frame, err);
	for (int32_t i = 0; i < n_captured; i++)
		turn->in[turn->n_own + i] =
		    call->in[(int32_t)call->n_in - n_captured + i];
	return rc;
}

static void drop_own(struct turn *turn)
{
	for (int32_t i = 0; turn->in && i < turn->n_own; i++)
		item_drop(turn->call->heap, &turn->in[i]);
}

void turn_finish(struct turn *turn)
{
	drop_own(turn);
	for (int32_t i = 0; turn->out && i < turn->body->n_output; i++)
		item_drop(turn->call->heap, &turn->out[i]);
	frame_destroy(turn->frame);
	mem_free(turn->in);
	mem_free(turn->out);
}

enum err_code turn_run(struct turn *turn, struct err *err)
{
	enum err_code rc = frame_run(turn->frame, turn->in, turn->out, err);

	drop_own(turn);
	return rc;
}

enum err_code pile_push(struct run_heap *heap, struct pile *pile,
			struct item *item, struct err *err)
{
	const size_t cap = pile->sequence ? pile->sequence->n : 0;

	if (!pile->sequence || pile->n == cap) {
		struct sequence *larger = NULL;
		struct item block = { 0 };
		enum err_code rc = item_sequence(
		    heap, cap ? 2 * cap : PILE_FIRST, &block, &larger, err);

		if (rc || !larger)
			return rc;
		if (pile->sequence) { /* the items move */
			memcpy(larger->item, pile->sequence->item,
			       cap * sizeof(*larger->item));
			pile->sequence->n = 0;
		}
		item_drop(heap, &pile->block);
		pile->block = block;
		pile->sequence = larger;
	}
	assert(pile->sequence); /* there is room for one more */
	pile->sequence->item[pile->n++] = *item;
	*item = (struct item){ 0 };
	return ERR_NONE;
}

void pile_drop(struct run_heap *heap, struct pile *pile)
{
	item_drop(heap, &pile->block);
	*pile = (struct pile){ 0 };
}

void pile_reverse(struct pile *pile)
{
	for (size_t i = 0; i < pile->n / 2; i++) {
		struct item *a = &pile->sequence->item[i];
		struct item *b = &pile->sequence->item[pile->n - 1 - i];
		const struct item keep = *a;

		*a = *b;
		*b = keep;
	}
}

enum err_code control_check_body(const struct graph_node *node, unsigned i,
				 int64_t n_in, int64_t least_out,
				 struct err *err)
{
	const struct graph *body = i < node->n_body ? node->body[i] : NULL;
	const char *name = node->op->bodies[i];

	if (!body)
		return err_set(err, ERR_INVALID, "the body '%s' is missing",
			       name);
	if (body->n_input - node->n_captured != n_in)
		return err_set(err, ERR_INVALID,
			       "the body '%s' takes %d inputs; expected %lld",
			       name, (int)(body->n_input - node->n_captured),
			       (long long)n_in);
	if (body->n_output < least_out)
		return err_set(err, ERR_INVALID,
			       "the body '%s' gives %d outputs; expected %lld",
			       name, (int)body->n_output, (long long)least_out);
	return ERR_NONE;
}

static enum err_code shape_without_turns(const struct turn *turn,
					 int32_t output, struct fact *ret,
					 struct err *err)
{
	const struct graph *body = turn->body;
	struct fact *in = mem_array((size_t)body->n_input + 1, sizeof(*in));
	struct facts *facts = NULL;
	enum err_code rc;

	if (!in)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (int32_t i = 0; i < body->n_input; i++) {
		in[i] = turn->in[i].fact;
		/* nothing is computed: shapes are asked for */
		if (in[i].type.is_sequence || in[i].type.is_optional)
			in[i].has_shape = false;
	}
	rc = facts_create(body, in, &facts, err);
	if (!rc)
		*ret = facts->fact[body->output[output]];
	facts_destroy(facts);
	mem_free(in);
	return rc;
}

enum err_code control_no_turns(const struct turn *turn, int32_t output,
			       int64_t axis, struct item *ret, struct err *err)
{
	const int32_t value = turn->body->output[output];
	struct item item = {
		.fact.type.elem = turn->body->value[value].type.elem,
	};
	struct shape *to = &item.fact.shape;
	struct fact fact = { 0 };
	unsigned place = 0;
	struct err why;
	enum err_code rc;

	rc = shape_without_turns(turn, output, &fact, &why);
	if (rc == ERR_NO_MEMORY)
		return err_set(err, rc, "out of memory");
	to->rank = 1;
	if (!rc && fact.has_shape && fact.shape.rank < SHAPE_MAX_RANK) {
		to->rank = fact.shape.rank + 1;
		rc = shape_axis(axis, to->rank, "the axis", &place, err);
		if (rc)
			return rc;
		for (unsigned d = 0, from = 0; d < to->rank; d++)
			to->dim[d] = d == place ? 0 : fact.shape.dim[from++];
	}
	rc = item_alloc(turn->call->heap, &item, err);
	if (!rc)
		*ret = item;
	return rc;
}
