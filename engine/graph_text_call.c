/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "engine/graph_text_priv.h"

/* the slot of a name: taken by it, or free */
static int32_t *name_slot(const struct text_parser *parser, struct str text)
{
	uint32_t i = (uint32_t)hash_mix(HASH_BEGIN, text.bytes, text.len) &
		     (parser->n_slot - 1);

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

struct text_name *text_find_name(const struct text_parser *parser,
				 struct str text)
{
	int32_t index = *name_slot(parser, text);

	return index ? &parser->name[index - 1] : NULL;
}

enum err_code text_add_name(struct text_parser *parser, struct str text,
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

bool text_is_word(const struct text_parser *parser, const char *word)
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
		if (text_is_word(parser, roles[i])) {
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

enum err_code text_rename(struct text_parser *parser, int32_t value,
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
enum err_code text_declare(struct text_parser *parser, struct str text,
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
		rc = text_add_name(parser, text, value, false, err);
	if (!rc)
		rc = text_rename(parser, value, text, err);
	push(parser, value);
	return rc;
}

static enum err_code refer(struct text_parser *parser, struct str text,
			   struct err *err)
{
	struct text_name *name = text_find_name(parser, text);

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
	(void)snprintf(name, sizeof(name), "%.*s", (int)text.len, text.bytes);
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

static void push_number(struct text_parser *parser,
			const struct literal *number)
{
	parser->operand[parser->n_operand++] = (struct operand){
		.value = VALUE_NONE,
		.is_number = true,
		.number = *number,
	};
}

/* "@alpha": the number that the rule's node has for an attribute */
static enum err_code borrow_number(struct text_parser *parser, struct err *err)
{
	struct attr_value value = { 0 };
	struct literal number = { .dtype = DTYPE_F64 };
	bool is_present = false;
	enum err_code rc = text_borrowed(parser, &value, &is_present, err);

	if (rc)
		return rc;
	if (value.kind == ATTR_INT)
		number = (struct literal){ .dtype = DTYPE_I64,
					   .i = value.i,
					   .f = (double)value.i };
	else if (value.kind == ATTR_FLOAT)
		number.f = value.f;
	else
		return lex_fail(&parser->lex, "a number before it", err);
	push_number(parser, &number);
	return ERR_NONE;
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
		push_number(parser, &token.number);
		return lex_next(lex, err);
	}
	if (lex_is_mark(lex, '@'))
		return borrow_number(parser, err);
	if (token.kind != LEX_NAME && token.kind != LEX_STRING)
		return lex_fail(lex, "an operand", err);
	rc = lex_next(lex, err);
	if (rc)
		return rc;
	if (lex_is_mark(lex, ':'))
		return text_declare(parser, token.text, err);
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
enum err_code text_expression(struct text_parser *parser, unsigned n_out,
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
