/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/graph_draw.h"

#include "tests/fuzz/maker.h"

enum {
	ATTRS_DRAWN = 64,
	NAME_MAX = 64,
	OPSETS = 30,
	ROOM = 1 << 14,
	GRAPH_BYTES_MAX = 64 << 20
};

/* A node as a file would tell it. */
struct telling {
	const char *domain, *name;
	unsigned opset;
	const struct op *row;	     /**< by domain and name; may be NULL */
	const struct op_attr *table; /**< of what reads the attributes */
	struct attr_named attr[ATTRS_DRAWN];
	size_t n_attr;
	int32_t in[OPERANDS_MAX], out[OPERANDS_MAX];
	unsigned n_in, n_out;
};

/* ---- changes ------------------------------------------------------------- */

static void drop_attr(struct telling *node, size_t i)
{
	node->n_attr--;
	node->attr[i] = node->attr[node->n_attr];
}

/* An attribute that became an input; NULL: there is none. */
static const struct spelling_move *draw_move(struct maker *maker,
					     const struct telling *node)
{
	const struct spelling *spelling =
	    spelling_find(node->domain, node->name, node->opset);
	unsigned n = 0;

	while (spelling && spelling->moves && spelling->moves[n].attr)
		n++;
	return n ? &spelling->moves[draw_below(maker->draw, n)] : NULL;
}

/* Another attribute of the table, or one that became an input. */
static void add_attr(struct maker *maker, struct telling *node)
{
	const struct spelling_move *move = draw_move(maker, node);
	const struct op_attr *row = node->table;
	struct attr_named *attr = &node->attr[node->n_attr];
	enum attr_kind kind = ATTR_INTS;
	unsigned n = 0;

	while (row && row[n].name)
		n++;
	if (node->n_attr == ATTRS_DRAWN || (!n && !move))
		return;
	if (move && (!n || draw_chance(maker->draw, 2))) {
		attr->name = move->attr;
		kind = move->as == AS_SCALAR ? ATTR_FLOAT : ATTR_INTS;
	} else {
		row += draw_below(maker->draw, n);
		attr->name = row->name;
		kind = row->kind;
	}
	if (draw_attr(maker->draw, kind, &maker->seeds->words,
		      maker->build.graph->arena, &attr->value))
		node->n_attr++;
}

static void vary_attrs(struct maker *maker, struct telling *node)
{
	struct arena *arena = maker->build.graph->arena;

	for (size_t i = 0; i < node->n_attr; i++) {
		struct attr_value value = node->attr[i].value;

		if (draw_chance(maker->draw, 6) &&
		    draw_attr_over(maker->draw, &maker->seeds->words, arena,
				   &value))
			node->attr[i].value = value;
	}
	if (node->n_attr && draw_chance(maker->draw, 16))
		drop_attr(node,
			  draw_below(maker->draw, (unsigned)node->n_attr));
	while (draw_chance(maker->draw, 6))
		add_attr(maker, node);
}

static bool is_loop(const struct telling *node)
{
	return !strcmp(node->name, "Loop");
}

static void vary_operands(struct maker *maker, struct telling *node)
{
	const unsigned fixed = is_loop(node); /* the number of turns stays */

	if (node->n_in > fixed && draw_chance(maker->draw, 24))
		node->in[fixed + draw_below(maker->draw, node->n_in - fixed)] =
		    VALUE_NONE;
	if (node->n_in > fixed && draw_chance(maker->draw, 24))
		node->n_in--;
	if (maker->n_pool && node->n_in < OPERANDS_MAX &&
	    draw_chance(maker->draw, 24))
		node->in[node->n_in++] =
		    maker->pool[draw_below(maker->draw, maker->n_pool)];
	if (draw_chance(maker->draw, 24))
		node->n_out = draw_below(maker->draw, 6);
	if (draw_chance(maker->draw, 16))
		node->opset = 1 + draw_below(maker->draw, OPSETS);
}

/* ---- appending ----------------------------------------------------------- */

static enum err_code append_own(struct maker *maker, struct telling *node,
				const struct attr_source *source,
				struct err *err)
{
	struct build *b = &maker->build;
	const void *attrs = NULL;
	enum err_code rc =
	    op_attrs_read(node->row->attrs, node->row->attrs_size, source,
			  "node", b->graph->arena, &attrs, err);

	if (!rc)
		rc = graph_add_node(b->graph, node->row, NULL, attrs, node->in,
				    (int32_t)node->n_in, node->out,
				    (int32_t)node->n_out, err);
	if (!rc && b->facts)
		rc = facts_node(b->facts, b->graph, b->graph->n_node - 1, err);
	return rc;
}

static enum err_code append_spelled(struct maker *maker, struct telling *node,
				    const struct attr_source *source,
				    struct err *err)
{
	const struct spelling_node spelled = {
		.domain = node->domain,
		.name = node->name,
		.opset = node->opset,
		.node_name = "n",
		.attrs = source,
		.in = node->in,
		.n_in = node->n_in,
		.out = node->out,
		.n_out = node->n_out,
	};

	return spelling_lower(&maker->build, &spelled, err);
}

/* Bodies come after their node, and its facts after them. */
/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
static enum err_code append(struct maker *maker, struct telling *node,
			    struct err *err)
{
	const struct attr_list list = { node->attr, node->n_attr };
	const struct attr_source source = { &list, list.n, attr_list_at };
	struct build *b = &maker->build;
	struct facts *facts = b->facts;
	const bool has_body = node->row && node->row->bodies;
	const bool is_ours = node->row && !strcmp(node->domain, "predictd");
	enum err_code rc;

	if (has_body && maker->is_body)
		return err_set(err, ERR_UNSUPPORTED, "a body in a body");
	b->facts = has_body ? NULL : facts;
	rc = (is_ours ? append_own : append_spelled)(maker, node, &source, err);
	b->facts = facts;
	if (rc || !has_body)
		return rc;
	rc = maker_bodies(maker, err);
	if (!rc && facts)
		rc = facts_node(facts, b->graph, b->graph->n_node - 1, err);
	return rc;
}

/* What was refused leaves no node. */
/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
static bool try_append(struct maker *maker, struct telling *node)
{
	struct graph *graph = maker->build.graph;
	const int32_t first = graph->n_node;
	struct err err;
	enum err_code rc;

	node->row = op_find(node->domain, node->name);
	for (unsigned i = 0; i < node->n_out; i++)
		node->out[i] = VALUE_NONE;
	rc = append(maker, node, &err);
	maker->build.code = ERR_NONE;
	for (int32_t i = first; rc && i < graph->n_node; i++)
		graph->node[i].op = NULL;
	for (unsigned i = 0; !rc && i < node->n_out; i++)
		if (node->out[i] != VALUE_NONE && maker->n_pool < POOL_MAX)
			maker->pool[maker->n_pool++] = node->out[i];
	return !rc;
}

/* ---- seeds --------------------------------------------------------------- */

static void tell_attrs(struct telling *node, const struct graph_node *from)
{
	const struct op_attr *row = from->op->attrs;

	for (; row && row->name && node->n_attr < ATTRS_DRAWN; row++) {
		struct attr_named *attr = &node->attr[node->n_attr];

		attr->name = row->name;
		if (from->attrs && op_attr_get(row, from->attrs, &attr->value))
			node->n_attr++;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
static bool add_node(struct maker *maker, const struct seed *seed,
		     const struct graph_node *from, int32_t *map)
{
	const int32_t *in = graph_in(seed->graph, from);
	const int32_t *out = graph_out(seed->graph, from);
	struct telling node = { .domain = from->op->domain,
				.name = from->op->name,
				.opset = from->op->since,
				.table = from->op->attrs,
				.n_in = (unsigned)from->n_in,
				.n_out = (unsigned)from->n_out };

	if (from->n_in > OPERANDS_MAX || from->n_out > OPERANDS_MAX)
		return false;
	for (unsigned i = 0; i < node.n_in; i++)
		node.in[i] = in[i] == VALUE_NONE ? VALUE_NONE : map[in[i]];
	tell_attrs(&node, from);
	vary_attrs(maker, &node);
	vary_operands(maker, &node);
	if (!try_append(maker, &node))
		return false;
	for (int32_t i = 0; i < from->n_out; i++)
		if (out[i] != VALUE_NONE && (unsigned)i < node.n_out)
			map[out[i]] = node.out[i];
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
static void add_spelled(struct maker *maker, const struct seed *seed,
			const int32_t *map)
{
	const struct row *row = seed->row;
	const struct graph *graph = seed->graph;
	const char *dot = strrchr(row->name, '.');
	const struct spelling *spelling;
	char domain[NAME_MAX];
	struct telling node = { .domain = domain,
				.name = dot ? dot + 1 : row->name,
				.opset = row->opset,
				.n_out = seed->n_out };

	(void)snprintf(domain, sizeof(domain), "%.*s",
		       dot ? (int)(dot - row->name) : 0, row->name);
	for (int32_t i = 0; i < graph->n_value && i < OPERANDS_MAX; i++)
		if (!graph->n_output || i < graph->n_output) {
			const int32_t from =
			    graph->n_output ? graph->output[i] : i;

			node.in[node.n_in++] =
			    strncmp(graph->value[from].name, "hole", 4)
				? map[from]
				: VALUE_NONE;
		}
	while (node.n_attr < ATTRS_MAX && row->attr[node.n_attr].name) {
		node.attr[node.n_attr] = row->attr[node.n_attr];
		node.n_attr++;
	}
	spelling = spelling_find(domain, node.name, node.opset);
	if (spelling && spelling->attrs)
		node.table = spelling->attrs;
	else if (op_find(domain, node.name))
		node.table = op_find(domain, node.name)->attrs;
	vary_attrs(maker, &node);
	vary_operands(maker, &node);
	(void)try_append(maker, &node);
}

static struct cast draw_cast(struct maker *maker, const struct seed *seed)
{
	struct cast cast = { .seed = seed, .from = -1, .to = -1 };

	cast.is_loop = seed->row && !strcmp(seed->row->name, "Loop");
	if (draw_chance(maker->draw, 3)) {
		cast.from = 1 + draw_below(maker->draw, 9);
		cast.to = draw_extent(maker->draw);
	}
	return cast;
}

/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
void maker_seed(struct maker *maker)
{
	const struct seeds *seeds = maker->seeds;
	const struct seed *seed =
	    &seeds->seed[draw_below(maker->draw, seeds->n)];
	const struct graph *graph = seed->graph;
	const struct cast cast = draw_cast(maker, seed);
	int32_t *map = arena_array(maker->build.graph->arena,
				   (size_t)graph->n_value + 1, sizeof(*map));

	for (int32_t i = 0; map && i < graph->n_value; i++) {
		map[i] = VALUE_NONE;
		if (graph->value[i].origin != ORIGIN_NODE)
			map[i] = maker_source(maker, &cast, i);
	}
	for (int32_t i = 0; map && i < graph->n_node; i++)
		if (!add_node(maker, seed, &graph->node[i], map))
			return;
	if (map && seed->row)
		add_spelled(maker, seed, map);
}

/* ---- the whole ----------------------------------------------------------- */

/* Every value that nobody reads, and one in eight of the others. */
static enum err_code add_outputs(struct maker *maker, struct err *err)
{
	struct graph *graph = maker->build.graph;
	int32_t *readers = arena_array(graph->arena, (size_t)graph->n_value + 1,
				       sizeof(*readers));
	enum err_code rc = readers ? ERR_NONE : ERR_NO_MEMORY;

	if (!rc)
		graph_count_readers(graph, readers);
	for (unsigned i = 0; i < maker->n_pool && !rc; i++)
		if (!readers[maker->pool[i]] || draw_chance(maker->draw, 8)) {
			rc = graph_add_output(graph, maker->pool[i], err);
			readers[maker->pool[i]]++;
		}
	return rc;
}

bool graph_draw(struct draw *draw, const struct seeds *seeds, struct drawn *ret)
{
	struct maker maker = { .draw = draw, .seeds = seeds, .drawn = ret };
	int64_t room = ROOM;
	struct facts *facts = NULL;
	struct err err;
	unsigned n_nodes;
	enum err_code rc;

	*ret = (struct drawn){ 0 };
	maker.room = &room;
	if (graph_create(GRAPH_BYTES_MAX, &ret->graph, &err) != ERR_NONE)
		return false;
	ret->input =
	    arena_array(ret->graph->arena, POOL_MAX + 1, sizeof(*ret->input));
	ret->data =
	    arena_array(ret->graph->arena, POOL_MAX + 1, sizeof(*ret->data));
	rc = ret->input && ret->data ? ERR_NONE : ERR_NO_MEMORY;
	n_nodes = 1 + draw_below(draw, DRAWN_MAX_NODES);
	/* as files are read, or node by node with what is known */
	if (!rc && draw_chance(draw, 2))
		rc = facts_create_empty(&facts, &err);
	build_init(&maker.build, ret->graph, facts);
	for (unsigned i = 0; i < n_nodes && !rc; i++)
		maker_seed(&maker);
	if (!rc)
		rc = add_outputs(&maker, &err);
	facts_destroy(facts);
	if (rc)
		drawn_finish(ret);
	return !rc;
}

void drawn_finish(struct drawn *drawn)
{
	graph_destroy(drawn->graph);
	*drawn = (struct drawn){ 0 };
}
