/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/graph_text.h"
#include "engine/graph_text_priv.h"

/* ceilings of a parsed graph, and of what parsing one text may take */
static const size_t graph_max_bytes = (size_t)256 << 20;
static const size_t scratch_max_bytes = (size_t)64 << 20;

/* ---- names --------------------------------------------------------------- */

static uint32_t hash_name(struct str text)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.bytes[i]) * 16777619U;
	return hash;
}

/* the slot of a name: taken by it, or free */
static int32_t *name_slot(const struct text_parser *parser, struct str text)
{
	uint32_t i = hash_name(text) & (parser->n_slot - 1);

	while (parser->slot[i]) {
		const struct str *other =
		    &parser->name[parser->slot[i] - 1].text;

		if (other->len == text.len &&
		    !memcmp(other->bytes, text.bytes, text.len))
			break;
		i = (i + 1) & (parser->n_slot - 1);
	}
	return &parser->slot[i];
}

static struct text_name *find_name(const struct text_parser *parser,
				   struct str text)
{
	int32_t index = *name_slot(parser, text);

	return index ? &parser->name[index - 1] : NULL;
}

static enum err_code add_name(struct text_parser *parser, struct str text,
			      int32_t value, bool was_assigned, struct err *err)
{
	int32_t *slot = name_slot(parser, text);

	if (*slot)
		return err_set(err, ERR_INVALID,
			       "graph text, line %d: '%.*s' is defined twice",
			       parser->lex.token.line, (int)text.len,
			       text.bytes);
	parser->name[parser->n_name] = (struct text_name){
		.text = text,
		.value = value,
		.was_assigned = was_assigned,
	};
	*slot = (int32_t)++parser->n_name;
	return ERR_NONE;
}

/* ---- operands ------------------------------------------------------------ */

static void push(struct text_parser *parser, int32_t value)
{
	parser->operand[parser->n_operand++] =
	    (struct operand){ .value = value };
}

static enum err_code build_failed(const struct text_parser *parser,
				  struct err *err)
{
	return build_check(parser->build, err);
}

static enum err_code add_constant(struct text_parser *parser,
				  const struct fact *fact, int32_t *ret_value,
				  struct err *err)
{
	struct tensor_view view;
	enum err_code rc =
	    text_values(parser, parser->scratch, fact, &view, err);

	if (rc)
		return rc;
	*ret_value = build_const(parser->build, &view);
	return build_failed(parser, err);
}

static bool token_word(const struct text_parser *parser, const char *word)
{
	const struct token *token = &parser->lex.token;

	return token->kind == LEX_NAME && token->text.len == strlen(word) &&
	       !memcmp(token->text.bytes, word, token->text.len);
}

/* "!" or "!state": zeros, until somebody gives the variable memory */
static enum err_code add_variable(struct text_parser *parser,
				  const struct fact *fact, int32_t *ret_value,
				  struct err *err)
{
	static const char *const roles[] = { "param", "state", "grad", "moment",
					     "average" };
	struct graph *graph = parser->build->graph;
	struct tensor_view view = { .dtype = fact->type.elem,
				    .shape = fact->shape };
	enum role role = ROLE_PARAM;
	enum err_code rc = text_expect(parser, '!', err);

	if (rc)
		return rc;
	if (!fact->has_shape || view.dtype == DTYPE_STRING)
		return lex_fail(&parser->lex, "a variable's shape of numbers",
				err);
	for (int i = 0; i < 5; i++)
		if (token_word(parser, roles[i])) {
			role = (enum role)i;
			rc = lex_next(&parser->lex, err);
			break;
		}
	view.data = arena_aligned(graph->arena,
				  tensor_bytes(view.dtype, &view.shape) + 1);
	if (!view.data)
		return text_no_memory(err);
	return rc ? rc
		  : graph_add_variable(graph, NULL, role, &view, ret_value,
				       err);
}

static enum err_code add_input(struct text_parser *parser,
			       const struct fact *fact, int32_t *ret_value,
			       struct err *err)
{
	parser->input[parser->n_input++] = *fact;
	return graph_add_input(parser->build->graph, NULL, fact->type,
			       ret_value, err);
}

static enum err_code rename_value(struct text_parser *parser, int32_t value,
				  struct str text, struct err *err)
{
	struct graph *graph = parser->build->graph;
	const char *name;

	if (!parser->may_declare || value == VALUE_NONE)
		return ERR_NONE;
	name = arena_strndup(graph->arena, text.bytes, text.len);
	if (!name)
		return text_no_memory(err);
	graph->value[value].name = name;
	if (graph->value[value].origin == ORIGIN_VARIABLE)
		graph->variable[graph->value[value].source].name = name;
	return ERR_NONE;
}

/* ":float[2,3]", at the colon, after the name */
static enum err_code declare(struct text_parser *parser, struct str text,
			     struct err *err)
{
	struct fact fact;
	int32_t value = VALUE_NONE;
	enum err_code rc = text_expect(parser, ':', err);

	if (!rc)
		rc = text_type(parser, &fact, err);
	if (rc)
		return rc;
	if (lex_is_mark(&parser->lex, '=')) {
		rc = lex_next(&parser->lex, err);
		if (!rc)
			rc = add_constant(parser, &fact, &value, err);
	} else if (!parser->may_declare) {
		rc = lex_fail(&parser->lex, "the values of a constant", err);
	} else if (lex_is_mark(&parser->lex, '!')) {
		rc = add_variable(parser, &fact, &value, err);
	} else {
		rc = add_input(parser, &fact, &value, err);
	}
	if (!rc)
		rc = add_name(parser, text, value, false, err);
	if (!rc)
		rc = rename_value(parser, value, text, err);
	push(parser, value);
	return rc;
}

static enum err_code refer(struct text_parser *parser, struct str text,
			   struct err *err)
{
	struct text_name *name = find_name(parser, text);

	if (!name)
		return err_set(err, ERR_INVALID,
			       "graph text, line %d: '%.*s' is not defined",
			       parser->lex.token.line, (int)text.len,
			       text.bytes);
	name->was_read = true;
	push(parser, name->value);
	return ERR_NONE;
}

/* ---- calls --------------------------------------------------------------- */

/* An operator's name was read; goes behind the opening parenthesis. */
static enum err_code open_call(struct text_parser *parser, struct str text,
			       struct err *err)
{
	struct text_frame *frame = &parser->frame[parser->n_frame];
	char name[OP_NAME_MAX];
	enum err_code rc;

	if (parser->n_frame == TEXT_MAX_LEVELS)
		return err_set(err, ERR_INVALID,
			       "graph text, line %d: more than %d levels of "
			       "calls",
			       parser->lex.token.line, TEXT_MAX_LEVELS);
	snprintf(name, sizeof(name), "%.*s", (int)text.len, text.bytes);
	*frame = (struct text_frame){ .op = build_find(name),
				      .first = parser->n_operand };
	if (!frame->op || text.len >= sizeof(name))
		return err_set(err, ERR_UNSUPPORTED,
			       "graph text, line %d: there is no operator '%s'",
			       parser->lex.token.line, name);
	rc = text_attrs(parser, frame->op, &frame->attrs, err);
	if (!rc)
		rc = text_expect(parser, '(', err);
	parser->n_frame++;
	return rc;
}

/* The type that bare numbers of a call take. */
static enum dtype number_type(const struct text_parser *parser, int32_t first)
{
	const struct graph *graph = parser->build->graph;

	for (int32_t i = first; i < parser->n_operand; i++) {
		int32_t value = parser->operand[i].value;
		enum dtype elem = value == VALUE_NONE
				      ? DTYPE_NONE
				      : graph->value[value].type.elem;

		if (elem != DTYPE_NONE && elem != DTYPE_STRING)
			return elem;
	}
	return DTYPE_F32;
}

static int32_t number_constant(struct build *build,
			       const struct literal *number, enum dtype dtype)
{
	uint64_t bytes[2] = { 0 };
	struct tensor_view view = { .data = bytes, .dtype = dtype };

	if (number->dtype == DTYPE_F64)
		dtype_convert(DTYPE_F64, &number->f, dtype, bytes, 1, false);
	else if (number->dtype == DTYPE_U64)
		dtype_convert(DTYPE_U64, &number->u, dtype, bytes, 1, false);
	else
		dtype_convert(DTYPE_I64, &number->i, dtype, bytes, 1, false);
	return build_const(build, &view);
}

/* Makes numbers constants and lists the operands from `first` on in ids. */
static void settle_operands(struct text_parser *parser, int32_t first)
{
	enum dtype dtype = number_type(parser, first);

	for (int32_t i = first; i < parser->n_operand; i++) {
		struct operand *operand = &parser->operand[i];

		if (operand->is_number)
			operand->value = number_constant(
			    parser->build, &operand->number, dtype);
		operand->is_number = false;
		parser->ids[i - first] = operand->value;
	}
}

/* A closing parenthesis was read; the results become operands. */
static enum err_code close_call(struct text_parser *parser, unsigned n_out,
				struct err *err)
{
	struct text_frame *frame = &parser->frame[--parser->n_frame];
	unsigned n_in = (unsigned)(parser->n_operand - frame->first);

	settle_operands(parser, frame->first);
	build_row(parser->build, frame->op, frame->attrs, parser->ids, n_in,
		  parser->ids + n_in, n_out);
	parser->n_operand = frame->first;
	for (unsigned i = 0; i < n_out; i++)
		push(parser, parser->ids[n_in + i]);
	return build_failed(parser, err);
}

/* What stands at one operand's place. *ret_open: it was the beginning of a
 * call. */
static enum err_code read_operand(struct text_parser *parser, bool *ret_open,
				  struct err *err)
{
	struct lex *lex = &parser->lex;
	struct token token = lex->token;
	enum err_code rc;

	*ret_open = false;
	if (parser->n_frame &&
	    (lex_is_mark(lex, ',') || lex_is_mark(lex, ')'))) {
		push(parser, VALUE_NONE);
		return ERR_NONE;
	}
	if (token.kind == LEX_NUMBER) {
		push(parser, VALUE_NONE);
		parser->operand[parser->n_operand - 1].is_number = true;
		parser->operand[parser->n_operand - 1].number = token.number;
		return lex_next(lex, err);
	}
	if (token.kind != LEX_NAME && token.kind != LEX_STRING)
		return lex_fail(lex, "an operand", err);
	rc = lex_next(lex, err);
	if (rc)
		return rc;
	if (lex_is_mark(lex, ':'))
		return declare(parser, token.text, err);
	*ret_open = lex_is_mark(lex, '(') || lex_is_mark(lex, '<');
	if (*ret_open)
		return open_call(parser, token.text, err);
	return refer(parser, token.text, err);
}

/* Closes calls as long as parentheses follow; n_out: of the outermost. */
static enum err_code close_calls(struct text_parser *parser, unsigned n_out,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;

	while (!rc && parser->n_frame && lex_is_mark(&parser->lex, ')')) {
		rc = lex_next(&parser->lex, err);
		if (!rc)
			rc = close_call(parser,
					parser->n_frame == 1 ? n_out : 1, err);
	}
	return rc;
}

/* The right side of a statement: its values are left as operands. */
static enum err_code read_expression(struct text_parser *parser, unsigned n_out,
				     struct err *err)
{
	struct lex *lex = &parser->lex;
	enum err_code rc;
	bool is_open;

	do {
		rc = read_operand(parser, &is_open, err);
		if (!rc && is_open && !lex_is_mark(lex, ')'))
			continue;
		if (!rc)
			rc = close_calls(parser, n_out, err);
		if (!rc && parser->n_frame)
			rc = text_expect(parser, ',', err);
	} while (!rc && parser->n_frame);
	if (!rc)
		settle_operands(parser, 0);
	return rc ? rc : build_failed(parser, err);
}

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
		rc = read_expression(parser, n, err);
	if (rc)
		return rc;
	if (parser->n_operand != (int32_t)n)
		return lex_fail(&parser->lex, "a call with as many results",
				err);
	for (unsigned i = 0; i < n && !rc; i++) {
		int32_t value = parser->operand[i].value;

		rc = add_name(parser, list[i], value, true, err);
		if (!rc && value >= n_before)
			rc = rename_value(parser, value, list[i], err);
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
		    find_name(parser, lex->token.text);

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
	const struct text_name *name = find_name(parser, lex->token.text);
	enum err_code rc;

	if (!name || name->value == VALUE_NONE ||
	    graph->value[name->value].origin != ORIGIN_VARIABLE)
		return lex_fail(lex, "a variable's name", err);
	rc = lex_next(lex, err);
	if (!rc)
		rc = text_expect(parser, '=', err);
	if (!rc)
		rc = read_expression(parser, 1, err);
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
	bool is_return = token_word(parser, "return");
	bool is_assign = token_word(parser, "assign");
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
		rc = declare(parser, first.text, err);
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

		rc = add_name(parser, text, bound[i].value, false, err);
	}
	return rc;
}

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
		const struct text_name *found = find_name(parser, name);

		if (found)
			want[i].value = found->value;
	}
	parser_finish(parser);
	mem_free(parser);
}
