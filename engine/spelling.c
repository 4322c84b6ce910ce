/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spelling.h"

#include <stdio.h>
#include <string.h>

enum { WHERE_MAX = 256, MOVES_MAX = 8 };

#define SPELLINGS(table) extern const struct spelling spellings_##table[];
#include "engine/spellings/spellings.def"
#undef SPELLINGS

static const struct spelling *const tables[] = {
#define SPELLINGS(table) spellings_##table,
#include "engine/spellings/spellings.def"
#undef SPELLINGS
	NULL
};

const struct spelling *spelling_at(size_t i)
{
	for (size_t t = 0; tables[t]; t++)
		for (const struct spelling *row = tables[t]; row->name; row++)
			if (i-- == 0)
				return row;
	return NULL;
}

static const char *plain_domain(const char *domain)
{
	return strcmp(domain, "ai.onnx") ? domain : "";
}

const struct spelling *spelling_find(const char *domain, const char *name,
				     unsigned opset)
{
	domain = plain_domain(domain);
	for (size_t t = 0; tables[t]; t++)
		for (const struct spelling *row = tables[t]; row->name; row++)
			if (opset >= row->from && opset <= row->to &&
			    !strcmp(row->name, name) &&
			    !strcmp(row->domain, domain))
				return row;
	return NULL;
}

static const char *where_text(const struct spelling_node *node,
			      char text[WHERE_MAX])
{
	(void)snprintf(text, WHERE_MAX, "node '%s' (%s)", node->node_name,
		       node->name);
	return text;
}

static enum err_code find_row(const struct spelling_node *node,
			      const struct op **ret_op, struct err *err)
{
	const char *domain = plain_domain(node->domain);
	const struct op *op = op_find(domain, node->name);

	if (!op || !strcmp(domain, "predictd"))
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s': operator '%s' of domain '%s' is not "
			       "supported",
			       node->node_name, node->name,
			       *domain ? domain : "ai.onnx");
	*ret_op = op;
	return ERR_NONE;
}

/* The main node keeps the file's name. */
static enum err_code append(struct build *build, const struct op *op,
			    const void *attrs, const struct spelling_node *node,
			    struct err *err)
{
	enum err_code rc = graph_add_node(build->graph, op, node->node_name,
					  attrs, node->in, (int32_t)node->n_in,
					  node->out, (int32_t)node->n_out, err);

	if (!rc && build->facts)
		rc = facts_node(build->facts, build->graph,
				build->graph->n_node - 1, err);
	return rc;
}

static enum err_code append_row(struct build *build, const struct op *op,
				const struct spelling_node *node,
				const struct attr_source *source,
				struct err *err)
{
	char where[WHERE_MAX];
	const void *attrs = NULL;
	enum err_code rc = op_attrs_read(op->attrs, op->attrs_size, source,
					 where_text(node, where),
					 build->graph->arena, &attrs, err);

	return rc ? rc : append(build, op, attrs, node, err);
}

/* ---- attributes that became inputs --------------------------------------- */

/* The attributes of a node, cut in two: moved ones by move, the rest as a
 * list. */
struct cut {
	struct attr_value moved[MOVES_MAX];
	bool is_given[MOVES_MAX];
	struct attr_named *rest;
	size_t n_rest;
};

static enum err_code no_memory(const struct spelling_node *node,
			       struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "node '%s': out of memory",
		       node->node_name);
}

static enum err_code cut_attrs(const struct spelling_node *node,
			       const struct spelling_move *moves,
			       struct arena *arena, struct cut *cut,
			       struct err *err)
{
	const struct attr_source *source = node->attrs;

	*cut = (struct cut){ 0 };
	cut->rest = arena_array(arena, source->n + 1, sizeof(*cut->rest));
	if (!cut->rest)
		return no_memory(node, err);
	for (size_t i = 0; i < source->n; i++) {
		struct attr_named *item = &cut->rest[cut->n_rest];
		enum err_code rc =
		    source->at(source->ctx, i, &item->name, &item->value, err);
		size_t m = 0;

		if (rc)
			return rc;
		while (moves[m].attr && strcmp(moves[m].attr, item->name) != 0)
			m++;
		if (!moves[m].attr) {
			cut->n_rest++;
			continue;
		}
		cut->moved[m] = item->value;
		cut->is_given[m] = true;
	}
	return ERR_NONE;
}

/* A scalar of the type of input 0, which may not be known yet. */
static int32_t scalar_like(struct build *build,
			   const struct spelling_node *node, double value)
{
	int32_t x = node->n_in ? node->in[0] : VALUE_NONE;
	enum dtype elem =
	    x == VALUE_NONE ? DTYPE_F32 : build->graph->value[x].type.elem;

	if (elem != DTYPE_NONE)
		return build_scalar(build, elem, value);
	return build_2(build, "CastLike", build_scalar(build, DTYPE_F32, value),
		       x);
}

/* The constant that stands for a moved attribute. */
static enum err_code make_input(struct build *build,
				const struct spelling_node *node,
				const struct spelling_move *move,
				const struct attr_value *value,
				int32_t *ret_value, struct err *err)
{
	bool is_list = value->kind == ATTR_INTS ||
		       (value->kind == ATTR_FLOATS && value->floats.n == 0);

	if (move->as == AS_INTS && is_list)
		*ret_value =
		    build_ints(build, value->ints.v,
			       value->kind == ATTR_INTS ? value->ints.n : 0);
	else if (move->as == AS_INTS && value->kind == ATTR_INT)
		*ret_value = build_ints(build, &value->i, 1);
	else if (move->as == AS_SCALAR && value->kind == ATTR_FLOAT)
		*ret_value = scalar_like(build, node, value->f);
	else if (move->as == AS_SCALAR && value->kind == ATTR_INT)
		*ret_value = scalar_like(build, node, (double)value->i);
	else
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): attribute '%s' must be %s",
			       node->node_name, node->name, move->attr,
			       move->as == AS_INTS ? "a list of integers"
						   : "a number");
	return build_check(build, err) ? err_prefix(err, "node '%s' (%s)",
						    node->node_name, node->name)
				       : ERR_NONE;
}

/* in: room for MOVES_MAX more than the node has */
static enum err_code place_moves(struct build *build,
				 const struct spelling_node *node,
				 const struct spelling_move *moves,
				 const struct cut *cut, int32_t *in,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t m = 0; moves[m].attr && !rc; m++) {
		const struct spelling_move *move = &moves[m];

		if (!cut->is_given[m] && move->is_required)
			return err_set(err, ERR_INVALID,
				       "node '%s' (%s): attribute '%s' is "
				       "missing",
				       node->node_name, node->name, move->attr);
		if (!cut->is_given[m] || move->as == AS_NOTHING)
			continue;
		if (in[move->input] != VALUE_NONE)
			return err_set(err, ERR_INVALID,
				       "node '%s' (%s) has both attribute '%s' "
				       "and input %u",
				       node->node_name, node->name, move->attr,
				       move->input);
		rc = make_input(build, node, move, &cut->moved[m],
				&in[move->input], err);
	}
	return rc;
}

static enum err_code lower_moves(struct build *build,
				 const struct spelling_node *node,
				 const struct spelling_move *moves,
				 struct err *err)
{
	struct arena *arena = build->graph->arena;
	unsigned n_in = node->n_in + MOVES_MAX;
	int32_t *in = arena_array(arena, n_in, sizeof(*in));
	struct spelling_node moved = *node;
	const struct op *op = NULL;
	struct cut cut;
	struct attr_list list;
	struct attr_source rest = { &list, 0, attr_list_at };
	enum err_code rc = in ? find_row(node, &op, err) : no_memory(node, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < n_in; i++)
		in[i] = i < node->n_in ? node->in[i] : VALUE_NONE;
	rc = cut_attrs(node, moves, arena, &cut, err);
	if (!rc)
		rc = place_moves(build, node, moves, &cut, in, err);
	if (rc)
		return rc;
	while (n_in > node->n_in && in[n_in - 1] == VALUE_NONE)
		n_in--;
	moved.in = in;
	moved.n_in = n_in;
	list = (struct attr_list){ cut.rest, cut.n_rest };
	rest.n = cut.n_rest;
	return append_row(build, op, &moved, &rest, err);
}

/* ---- text and code ------------------------------------------------------- */

/* Names "x0", "x1" ... with their values. */
static struct build_name *number_names(struct arena *arena, char letter,
				       const int32_t *value, unsigned n)
{
	struct build_name *list = arena_array(arena, n + 1, sizeof(*list));

	for (unsigned i = 0; list && i < n; i++) {
		list[i].name = arena_printf(arena, "%c%u", letter, i);
		list[i].value = value ? value[i] : VALUE_NONE;
		if (!list[i].name)
			return NULL;
	}
	return list;
}

enum err_code lower_text(struct lower *lower, const char *text, struct err *err)
{
	const struct spelling_node *node = lower->node;
	struct build *build = lower->build;
	struct arena *arena = build->graph->arena;
	struct op like = { .name = node->name, .attrs = lower->table };
	struct graph_node attrs_of = { .op = &like, .attrs = lower->attrs };
	struct build_name *in = number_names(arena, 'x', node->in, node->n_in);
	struct build_name *out = number_names(arena, 'y', NULL, node->n_out);
	enum err_code rc;

	if (!in || !out)
		return no_memory(node, err);
	build_text(build, text, in, node->n_in, &attrs_of, out, node->n_out);
	rc = build_check(build, err);
	for (unsigned i = 0; i < node->n_out && !rc; i++) {
		node->out[i] = out[i].value;
		if (out[i].value == VALUE_NONE)
			rc = err_set(err, ERR_UNSUPPORTED,
				     "node '%s' (%s): output %u is not "
				     "supported at opset %u",
				     node->node_name, node->name, i,
				     node->opset);
	}
	return rc;
}

static const struct tensor_view *const_of(const struct graph *graph,
					  int32_t value)
{
	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_CONST)
		return NULL;
	return &graph->constant[graph->value[value].source];
}

static enum err_code lower_code(struct build *build,
				const struct spelling *spelling,
				const struct spelling_node *node,
				struct err *err)
{
	struct arena *arena = build->graph->arena;
	struct lower lower = {
		.build = build,
		.node = node,
		.table = spelling->attrs,
	};
	const struct tensor_view **in_const =
	    arena_array(arena, node->n_in + 1, sizeof(void *));
	char where[WHERE_MAX];
	enum err_code rc;

	if (!in_const)
		return no_memory(node, err);
	for (unsigned i = 0; i < node->n_in; i++)
		in_const[i] = const_of(build->graph, node->in[i]);
	lower.in_const = in_const;
	rc = spelling->attrs
		 ? op_attrs_read(spelling->attrs, spelling->attrs_size,
				 node->attrs, where_text(node, where), arena,
				 &lower.attrs, err)
		 : ERR_NONE;
	if (rc)
		return rc;
	return spelling->lower ? spelling->lower(&lower, err)
			       : lower_text(&lower, spelling->text, err);
}

enum err_code spelling_lower(struct build *build,
			     const struct spelling_node *node, struct err *err)
{
	const struct spelling *spelling =
	    spelling_find(node->domain, node->name, node->opset);
	const char *prefix = build->prefix;
	const struct op *op = NULL;
	enum err_code rc = build_check(build, err);

	if (rc)
		return rc;
	if (!spelling) {
		rc = find_row(node, &op, err);
		if (!rc && node->opset < op->since)
			rc = err_set(err, ERR_UNSUPPORTED,
				     "node '%s': operator '%s' of opset %u is "
				     "not supported; it is from opset %u on",
				     node->node_name, node->name, node->opset,
				     op->since);
		return rc ? rc : append_row(build, op, node, node->attrs, err);
	}
	/* what the lowering adds beside is named after the node */
	build->prefix =
	    arena_printf(build->graph->arena, "%s/", node->node_name);
	rc = spelling->moves ? lower_moves(build, node, spelling->moves, err)
			     : lower_code(build, spelling, node, err);
	build->prefix = prefix;
	return rc;
}
