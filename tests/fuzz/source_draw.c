/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/maker.h"

enum { VALUE_MAX = 64 };

/* Changes of types and shapes: */

static void vary_dims(struct draw *draw, struct shape *shape)
{
	const unsigned at = draw_below(draw, SHAPE_MAX_RANK);

	if (shape->rank && draw_chance(draw, 2)) {
		shape->dim[at % shape->rank] = draw_extent(draw);
	} else if (shape->rank && draw_chance(draw, 2)) {
		shape->rank--;
	} else if (shape->rank < SHAPE_MAX_RANK) {
		shape->dim[shape->rank++] = 1;
		shape->dim[at % shape->rank] = draw_extent(draw);
	}
}

static struct fact vary_fact(struct maker *maker, const struct cast *cast,
			     const struct fact *old)
{
	struct fact fact = *old;
	struct err err;

	for (unsigned d = 0; d < fact.shape.rank; d++)
		if (fact.shape.dim[d] == cast->from)
			fact.shape.dim[d] = cast->to;
	if (draw_chance(maker->draw, 12))
		vary_dims(maker->draw, &fact.shape);
	if (draw_chance(maker->draw, 24))
		fact.type.elem = draw_dtype(maker->draw);
	if (shape_check(&fact.shape, "source", &err) != ERR_NONE)
		fact.shape = old->shape;
	fact.has_shape = true;
	fact.value = NULL;
	return fact;
}

/* The old elements, over and over, or new ones; NULL: out of memory. */
static void *make_elements(struct maker *maker, const struct fact *fact,
			   const struct fact *old)
{
	const int64_t n = shape_count(&fact->shape);
	const int64_t n_old = shape_count(&old->shape);
	const enum dtype elem = fact->type.elem;
	const size_t size = dtype_info(elem)->size;
	char *data = arena_aligned(maker->build.graph->arena,
				   tensor_bytes(elem, &fact->shape) + 1);

	if (!data)
		return NULL;
	if (!old->value || !n_old || elem != old->type.elem) {
		draw_elements(maker->draw, elem, data, n);
		return data;
	}
	for (int64_t i = 0; i < n; i++)
		memcpy(data + (size_t)i * size,
		       (const char *)old->value + (size_t)(i % n_old) * size,
		       size);
	if (draw_chance(maker->draw, 4))
		draw_over(maker->draw, elem, data, n);
	return data;
}

/* New sources: */

static int32_t add_input(struct maker *maker, const struct fact *fact,
			 void *data)
{
	struct build *b = &maker->build;
	struct drawn *drawn = maker->drawn;
	struct fact known = *fact;
	int32_t value = VALUE_NONE;

	if (b->graph->n_input == POOL_MAX)
		return VALUE_NONE;
	if (data && dtype_is_integer(fact->type.elem) &&
	    shape_count(&fact->shape) <= VALUE_MAX &&
	    draw_chance(maker->draw, 8))
		known.value = data;
	b->code = graph_add_input(b->graph, NULL, fact->type, &value, &b->err);
	if (!b->code && b->facts)
		b->code = facts_set(b->facts, value, &known, &b->err);
	if (b->code)
		return VALUE_NONE;
	drawn->input[b->graph->n_input - 1] = known;
	drawn->data[b->graph->n_input - 1] = (struct tensor_view){
		.data = data, .dtype = fact->type.elem, .shape = fact->shape
	};
	drawn->is_huge = drawn->is_huge || !data;
	return value;
}

static int32_t add_held(struct maker *maker, const struct fact *fact,
			void *data, bool is_variable)
{
	struct build *b = &maker->build;
	const struct tensor_view view = { .data = data,
					  .dtype = fact->type.elem,
					  .shape = fact->shape };
	int32_t value = VALUE_NONE;

	if (!is_variable)
		return build_const(b, &view);
	b->code = graph_add_variable(b->graph, NULL, ROLE_PARAM, &view, &value,
				     &b->err);
	if (!b->code && b->facts)
		b->code = facts_set(b->facts, value, fact, &b->err);
	return b->code ? VALUE_NONE : value;
}

static int32_t add_source(struct maker *maker, const struct fact *fact,
			  const struct fact *old)
{
	const int64_t n = shape_count(&fact->shape);
	const bool other = draw_chance(maker->draw, 8);
	void *data;

	if (n > *maker->room)
		return maker->is_body ? VALUE_NONE
				      : add_input(maker, fact, NULL);
	data = make_elements(maker, fact, old);
	if (!data)
		return VALUE_NONE;
	*maker->room -= n;
	if (maker->is_body || (old->value && !other))
		return add_held(maker, fact, data, false);
	if (!other || old->value)
		return add_input(maker, fact, data);
	return add_held(maker, fact, data,
			fact->type.elem != DTYPE_STRING &&
			    draw_chance(maker->draw, 3));
}

/* Earlier values: */

static bool is_like(const struct maker *maker, int32_t value,
		    const struct fact *like, bool same_shape)
{
	const struct graph_value *has = &maker->build.graph->value[value];
	const struct fact *fact;

	if (has->type.elem != like->type.elem || has->type.is_sequence ||
	    has->type.is_optional)
		return false;
	fact = build_fact(&maker->build, value);
	return !same_shape ||
	       (fact->has_shape && shape_equal(&fact->shape, &like->shape));
}

static int32_t pick(struct maker *maker, const struct fact *like)
{
	const unsigned n = maker->n_pool;
	const unsigned first = n ? draw_below(maker->draw, n) : 0;

	if (n && draw_chance(maker->draw, 16))
		return maker->pool[first];
	for (int same = maker->build.facts ? 1 : 0; same >= 0; same--)
		for (unsigned i = 0; i < n; i++) {
			const int32_t value = maker->pool[(first + i) % n];

			if (is_like(maker, value, like, same))
				return value;
		}
	return VALUE_NONE;
}

/* The whole: */

static struct fact old_fact(const struct seed *seed, int32_t value)
{
	const struct graph_value *has = &seed->graph->value[value];
	const struct tensor_view *view;
	struct fact fact = { .type = has->type };

	switch (has->origin) {
	case ORIGIN_INPUT:
		return seed->input[has->source];
	case ORIGIN_CONST:
		view = &seed->graph->constant[has->source];
		fact.value = view->data;
		break;
	case ORIGIN_VARIABLE:
		view = &seed->graph->variable[has->source].view;
		break;
	default:
		return fact;
	}
	fact.type.elem = view->dtype;
	fact.shape = view->shape;
	fact.has_shape = true;
	return fact;
}

/* However often a loop turns, it must end. */
static int32_t add_trips(struct maker *maker)
{
	const int64_t trips[] = { 3 -
				  (int64_t)draw_below(maker->draw, TRIPS_MAX) };
	const struct fact fact = { .type.elem = DTYPE_I64, .has_shape = true };
	int64_t *data =
	    arena_copy(maker->build.graph->arena, trips, sizeof(trips));

	return data ? add_held(maker, &fact, data, false) : VALUE_NONE;
}

int32_t maker_source(struct maker *maker, const struct cast *cast,
		     int32_t value)
{
	const struct fact old = old_fact(cast->seed, value);
	struct fact fact;
	int32_t found;

	if (cast->is_loop && value == 0)
		return add_trips(maker);
	fact = vary_fact(maker, cast, &old);
	if (draw_chance(maker->draw, old.value ? 12 : 2)) {
		found = pick(maker, &fact);
		if (found != VALUE_NONE)
			return found;
	}
	return add_source(maker, &fact, &old);
}
