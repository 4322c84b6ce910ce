/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "engine/graph_text.h"
#include "engine/graph_text_priv.h"

/* ceilings of a parsed graph, and of what parsing one text may take */
static const size_t graph_max_bytes = (size_t)256 << 20;
static const size_t scratch_max_bytes = (size_t)64 << 20;

/* ---- statements ---------------------------------------------------------- */

/* Names left of '=': their tokens' texts, in scratch memory. */
static enum err_code read_targets(struct text_parser *parser, struct str first,
				  struct str **ret_list, unsigned *ret_n,
				  struct err *err)
{
	struct lex *lex = &parser->lex;
	size_t cap = 1;
	struct str *list;
	unsigned n = 0;
	enum err_code rc = ERR_NONE;

	for (size_t i = lex->at; i < lex->len && lex->text[i] != '='; i++)
		cap += lex->text[i] == ',';
	list = arena_array(parser->scratch, cap + 1, sizeof(*list));
	if (!list)
		return text_no_memory(err);
	list[n++] = first;
	while (!rc && lex_is_mark(lex, ',') && n <= cap) {
		rc = lex_next(lex, err);
		if (!rc && lex->token.kind != LEX_NAME &&
		    lex->token.kind != LEX_STRING)
			return lex_fail(lex, "a name", err);
		if (rc)
			return rc;
		list[n++] = lex->token.text;
		rc = lex_next(lex, err);
	}
	*ret_list = list;
	*ret_n = n;
	return rc ? rc : text_expect(parser, '=', err);
}

static enum err_code read_assignment(struct text_parser *parser,
				     struct str first, struct err *err)
{
	int32_t n_before = parser->build->graph->n_value;
	struct str *list = NULL;
	unsigned n = 0;
	enum err_code rc = read_targets(parser, first, &list, &n, err);

	if (!rc)
		rc = text_expression(parser, n, err);
	if (rc)
		return rc;
	if (parser->n_operand != (int32_t)n)
		return lex_fail(&parser->lex, "a call with as many results",
				err);
	for (unsigned i = 0; i < n && !rc; i++) {
		int32_t value = parser->operand[i].value;

		rc = text_add_name(parser, list[i], value, true, err);
		if (!rc && value >= n_before)
			rc = text_rename(parser, value, list[i], err);
	}
	return rc;
}

/* "return a, b", at the first name */
static enum err_code read_return(struct text_parser *parser, struct err *err)
{
	struct lex *lex = &parser->lex;
	enum err_code rc;

	parser->has_return = true;
	for (;;) {
		const struct text_name *name =
		    text_find_name(parser, lex->token.text);

		if (!name)
			return lex_fail(lex, "a defined name", err);
		rc = graph_add_output(parser->build->graph, name->value, err);
		if (!rc)
			rc = lex_next(lex, err);
		if (rc || !lex_is_mark(lex, ','))
			return rc;
		rc = lex_next(lex, err);
		if (rc)
			return rc;
	}
}

/* "assign w = value", at w */
static enum err_code read_assign(struct text_parser *parser, struct err *err)
{
	struct lex *lex = &parser->lex;
	struct graph *graph = parser->build->graph;
	const struct text_name *name = text_find_name(parser, lex->token.text);
	enum err_code rc;

	if (!name || name->value == VALUE_NONE ||
	    graph->value[name->value].origin != ORIGIN_VARIABLE)
		return lex_fail(lex, "a variable's name", err);
	rc = lex_next(lex, err);
	if (!rc)
		rc = text_expect(parser, '=', err);
	if (!rc)
		rc = text_expression(parser, 1, err);
	if (!rc && parser->operand[0].value == VALUE_NONE)
		return lex_fail(lex, "a value", err);
	return rc ? rc
		  : graph_add_assign(graph, graph->value[name->value].source,
				     parser->operand[0].value, err);
}

static enum err_code read_statement(struct text_parser *parser, struct err *err)
{
	struct lex *lex = &parser->lex;
	struct token first = lex->token;
	bool is_return = text_is_word(parser, "return");
	bool is_assign = text_is_word(parser, "assign");
	bool follows;
	enum err_code rc;

	parser->n_operand = 0;
	if (first.kind != LEX_NAME && first.kind != LEX_STRING)
		return lex_fail(lex, "a name", err);
	rc = lex_next(lex, err);
	if (rc)
		return rc;
	follows = lex->token.kind == LEX_NAME || lex->token.kind == LEX_STRING;
	if (lex_is_mark(lex, ':'))
		rc = text_declare(parser, first.text, err);
	else if (follows && is_return && parser->may_declare)
		rc = read_return(parser, err);
	else if (follows && is_assign && parser->may_declare)
		rc = read_assign(parser, err);
	else
		rc = read_assignment(parser, first.text, err);
	if (!rc && lex->token.kind != LEX_BREAK && lex->token.kind != LEX_END)
		return lex_fail(lex, "the end of the statement", err);
	return rc;
}

static enum err_code read_statements(struct text_parser *parser,
				     struct err *err)
{
	struct lex *lex = &parser->lex;
	enum err_code rc = ERR_NONE;

	while (!rc && lex->token.kind != LEX_END) {
		if (lex->token.kind == LEX_BREAK)
			rc = lex_next(lex, err);
		else
			rc = read_statement(parser, err);
	}
	return rc;
}

/* ---- the two doors ------------------------------------------------------- */

static void parser_finish(struct text_parser *parser)
{
	arena_destroy(parser->scratch);
}

static enum err_code parser_init(struct text_parser *parser, const char *text,
				 size_t n_bound, struct build *build,
				 struct err *err)
{
	size_t len = strlen(text), cap = len / 2 + n_bound + 2;
	uint32_t n_slot = 16;

	*parser = (struct text_parser){ .build = build };
	if (len > TEXT_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE,
			       "graph text of %zu bytes; at most %d", len,
			       TEXT_MAX_BYTES);
	while (n_slot < 2 * cap)
		n_slot *= 2;
	parser->n_slot = n_slot;
	parser->scratch = arena_create(scratch_max_bytes);
	if (!parser->scratch)
		return text_no_memory(err);
	parser->name = arena_array(parser->scratch, cap, sizeof(*parser->name));
	parser->slot =
	    arena_array(parser->scratch, n_slot, sizeof(*parser->slot));
	parser->operand =
	    arena_array(parser->scratch, 2 * cap, sizeof(*parser->operand));
	parser->ids =
	    arena_array(parser->scratch, 4 * cap, sizeof(*parser->ids));
	parser->input =
	    arena_array(parser->scratch, cap, sizeof(*parser->input));
	if (!parser->name || !parser->slot || !parser->operand ||
	    !parser->ids || !parser->input)
		return text_no_memory(err);
	return lex_init(&parser->lex, text, parser->scratch, err);
}

static enum err_code find_outputs(struct text_parser *parser, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (uint32_t i = 0; i < parser->n_name && !rc; i++) {
		const struct text_name *name = &parser->name[i];

		if (name->was_assigned && !name->was_read &&
		    name->value != VALUE_NONE)
			rc = graph_add_output(parser->build->graph, name->value,
					      err);
	}
	return rc;
}

static enum err_code take_inputs(struct text_parser *parser,
				 struct fact **ret_input, struct err *err)
{
	size_t n = (size_t)parser->n_input;

	if (!ret_input)
		return ERR_NONE;
	*ret_input = arena_array(parser->build->graph->arena, n + 1,
				 sizeof(**ret_input));
	if (!*ret_input)
		return text_no_memory(err);
	memcpy(*ret_input, parser->input, n * sizeof(**ret_input));
	return ERR_NONE;
}

enum err_code graph_text_parse(const char *text, struct graph **ret_graph,
			       struct fact **ret_input, struct err *err)
{
	struct text_parser *parser = mem_zero(sizeof(*parser));
	struct graph *graph = NULL;
	struct build build;
	enum err_code rc;

	if (!parser)
		return text_no_memory(err);
	rc = graph_create(graph_max_bytes, &graph, err);
	if (rc)
		goto out;
	build_init(&build, graph, NULL);
	rc = parser_init(parser, text, 0, &build, err);
	parser->may_declare = true;
	if (!rc)
		rc = read_statements(parser, err);
	if (!rc && !parser->has_return)
		rc = find_outputs(parser, err);
	if (!rc)
		rc = take_inputs(parser, ret_input, err);
	if (rc)
		goto out;
	*ret_graph = graph;
	graph = NULL;
out:
	parser_finish(parser);
	mem_free(parser);
	graph_destroy(graph);
	return rc;
}

static enum err_code bind_names(struct text_parser *parser,
				const struct build_name *bound, size_t n_bound,
				struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < n_bound && !rc; i++) {
		struct str text = { bound[i].name, strlen(bound[i].name) };

		rc = text_add_name(parser, text, bound[i].value, false, err);
	}
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): two lists of names */
void build_text(struct build *build, const char *text,
		const struct build_name *bound, size_t n_bound,
		const struct graph_node *attrs_of, struct build_name *want,
		size_t n_want)
{
	struct text_parser *parser = NULL;

	for (size_t i = 0; i < n_want; i++)
		want[i].value = VALUE_NONE;
	if (build->code)
		return;
	parser = mem_zero(sizeof(*parser));
	if (!parser) {
		build->code = text_no_memory(&build->err);
		return;
	}
	build->code = parser_init(parser, text, n_bound, build, &build->err);
	parser->attrs_of = attrs_of;
	if (!build->code)
		build->code = bind_names(parser, bound, n_bound, &build->err);
	if (!build->code)
		build->code = read_statements(parser, &build->err);
	for (size_t i = 0; i < n_want && !build->code; i++) {
		struct str name = { want[i].name, strlen(want[i].name) };
		const struct text_name *found = text_find_name(parser, name);

		if (found)
			want[i].value = found->value;
	}
	parser_finish(parser);
	mem_free(parser);
}
