/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/graph_text_priv.h"

enum { WHERE_MAX = OP_NAME_MAX + 32, ATTRS_MAX = 64 };

struct value_list {
	struct attr_named item[ATTRS_MAX];
	size_t n;
};

enum err_code text_no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "graph text: out of memory");
}

enum err_code text_expect(struct text_parser *parser, char mark,
			  struct err *err)
{
	const char expected[] = { '\'', mark, '\'', '\0' };

	if (!lex_is_mark(&parser->lex, mark))
		return lex_fail(&parser->lex, expected, err);
	return lex_next(&parser->lex, err);
}

/* ---- tensors ------------------------------------------------------------- */

static bool token_is(const struct token *token, const char *word)
{
	return token->kind == LEX_NAME && token->text.len == strlen(word) &&
	       !memcmp(token->text.bytes, word, token->text.len);
}

/* A number, also inf, nan, true and false as words; false: something else. */
static bool token_number(const struct token *token, struct literal *ret)
{
	if (token->kind == LEX_NUMBER) {
		*ret = token->number;
		return true;
	}
	if (token_is(token, "inf") || token_is(token, "nan")) {
		*ret = (struct literal){ .dtype = DTYPE_F64 };
		ret->f = (double)(token_is(token, "inf") ? INFINITY : NAN);
		return true;
	}
	if (token_is(token, "true") || token_is(token, "false")) {
		*ret = (struct literal){ .dtype = DTYPE_I64 };
		ret->i = token_is(token, "true");
		ret->f = (double)ret->i;
		return true;
	}
	return false;
}

static enum dtype token_dtype(const struct token *token)
{
	char name[OP_NAME_MAX];

	if (token->kind != LEX_NAME || token->text.len >= sizeof(name))
		return DTYPE_NONE;
	(void)snprintf(name, sizeof(name), "%.*s", (int)token->text.len,
		       token->text.bytes);
	return dtype_find(name);
}

static enum err_code read_extent(struct text_parser *parser, struct fact *fact,
				 struct err *err)
{
	const struct token *token = &parser->lex.token;

	if (fact->shape.rank == SHAPE_MAX_RANK)
		return lex_fail(&parser->lex, "at most 8 extents", err);
	if (token->kind == LEX_NAME || lex_is_mark(&parser->lex, '?'))
		fact->has_shape = false;
	else if (token->kind == LEX_NUMBER && token->number.dtype == DTYPE_I64)
		fact->shape.dim[fact->shape.rank] = token->number.i;
	else
		return lex_fail(&parser->lex, "an extent", err);
	fact->shape.rank++;
	return lex_next(&parser->lex, err);
}

enum err_code text_type(struct text_parser *parser, struct fact *ret,
			struct err *err)
{
	struct lex *lex = &parser->lex;
	enum err_code rc;

	*ret = (struct fact){ .type = { .elem = token_dtype(&lex->token) } };
	if (ret->type.elem == DTYPE_NONE)
		return lex_fail(lex, "a type such as float", err);
	rc = lex_next(lex, err);
	if (rc || !lex_is_mark(lex, '['))
		return rc;
	ret->has_shape = true;
	do {
		rc = lex_next(lex, err);
		if (!rc && !(ret->shape.rank == 0 && lex_is_mark(lex, ']')))
			rc = read_extent(parser, ret, err);
	} while (!rc && lex_is_mark(lex, ','));
	if (!rc)
		rc = text_expect(parser, ']', err);
	return rc ? rc : shape_check(&ret->shape, "a declared tensor", err);
}

/* Writes one element; the token is a number or, for strings, a text. */
static enum err_code read_element(struct text_parser *parser,
				  struct arena *arena,
				  const struct tensor_view *view, size_t i,
				  struct err *err)
{
	const struct token *token = &parser->lex.token;
	size_t size = dtype_info(view->dtype)->size;
	struct literal number;

	if (view->dtype == DTYPE_STRING) {
		struct str *text = (struct str *)view->data + i;

		if (token->kind != LEX_STRING)
			return lex_fail(&parser->lex, "a quoted text", err);
		text->len = token->text.len;
		text->bytes =
		    arena_strndup(arena, token->text.bytes, text->len);
		return text->bytes ? lex_next(&parser->lex, err)
				   : text_no_memory(err);
	}
	if (!token_number(token, &number))
		return lex_fail(&parser->lex, "a number", err);
	dtype_convert(number.dtype,
		      number.dtype == DTYPE_F64	  ? (const void *)&number.f
		      : number.dtype == DTYPE_U64 ? (const void *)&number.u
						  : (const void *)&number.i,
		      view->dtype, (char *)view->data + i * size, 1, true);
	return lex_next(&parser->lex, err);
}

static enum err_code bad_count(const struct text_parser *parser,
			       const struct fact *type, struct err *err)
{
	char text[160];

	return err_set(err, ERR_INVALID,
		       "graph text, line %d: a tensor of shape %s needs %lld "
		       "values",
		       parser->lex.token.line,
		       shape_text(&type->shape, text, sizeof(text)),
		       (long long)shape_count(&type->shape));
}

enum err_code text_values(struct text_parser *parser, struct arena *arena,
			  const struct fact *type, struct tensor_view *ret,
			  struct err *err)
{
	struct lex *lex = &parser->lex;
	size_t n = (size_t)shape_count(&type->shape), i = 0;
	size_t size = dtype_info(type->type.elem)->size;
	enum err_code rc = text_expect(parser, '{', err);

	if (rc)
		return rc;
	/* each value takes a character at least */
	if (!type->has_shape || n > lex->len)
		return bad_count(parser, type, err);
	*ret = (struct tensor_view){ .dtype = type->type.elem,
				     .shape = type->shape };
	ret->data = arena_aligned(arena, n * size + 1);
	if (!ret->data)
		return text_no_memory(err);
	while (!rc && !lex_is_mark(lex, '}')) {
		if (i == n)
			return bad_count(parser, type, err);
		rc = read_element(parser, arena, ret, i++, err);
		if (!rc && !lex_is_mark(lex, '}'))
			rc = text_expect(parser, ',', err);
	}
	if (!rc && i < n)
		return bad_count(parser, type, err);
	return rc ? rc : text_expect(parser, '}', err);
}

/* ---- attributes ---------------------------------------------------------- */

/* Members of "[...]" are gathered as texts and as numbers; what they all are
 * decides the kind. */
struct list_reader {
	int64_t *ints;
	float *floats;
	struct str *strings;
	size_t n, n_whole, n_text;
};

static enum err_code list_init(struct list_reader *list, size_t cap,
			       struct arena *arena, struct err *err)
{
	*list = (struct list_reader){ 0 };
	list->ints = arena_array(arena, cap, sizeof(*list->ints));
	list->floats = arena_array(arena, cap, sizeof(*list->floats));
	list->strings = arena_array(arena, cap, sizeof(*list->strings));
	if (!list->ints || !list->floats || !list->strings)
		return text_no_memory(err);
	return ERR_NONE;
}

static enum err_code list_add(struct text_parser *parser,
			      struct list_reader *list, struct err *err)
{
	const struct token *token = &parser->lex.token;
	struct literal number;

	if (token->kind == LEX_STRING) {
		list->strings[list->n++] = token->text;
		list->n_text++;
	} else if (token_number(token, &number)) {
		list->n_whole += number.dtype == DTYPE_I64;
		list->ints[list->n] = number.i;
		list->floats[list->n++] = (float)number.f;
	} else {
		return lex_fail(&parser->lex, "a number or a text", err);
	}
	return lex_next(&parser->lex, err);
}

/* members up to the bracket, from commas: lists hold no brackets */
static size_t count_members(const struct lex *lex)
{
	size_t n = 1;

	for (size_t i = lex->at; i < lex->len && lex->text[i] != ']'; i++)
		n += lex->text[i] == ',';
	return n + 1;
}

static enum err_code read_list(struct text_parser *parser,
			       struct attr_value *ret, struct err *err)
{
	struct lex *lex = &parser->lex;
	size_t cap = count_members(lex);
	struct list_reader list;
	enum err_code rc = list_init(&list, cap, parser->scratch, err);

	if (!rc)
		rc = text_expect(parser, '[', err);
	while (!rc && !lex_is_mark(lex, ']')) {
		if (list.n == cap)
			return lex_fail(lex, "']'", err);
		rc = list_add(parser, &list, err);
		if (!rc && !lex_is_mark(lex, ']'))
			rc = text_expect(parser, ',', err);
	}
	if (rc)
		return rc;
	if (list.n_text && list.n_text < list.n)
		return lex_fail(lex, "texts only, or numbers only", err);
	*ret = (struct attr_value){
		.kind = list.n_text		 ? ATTR_STRINGS
			: list.n_whole == list.n ? ATTR_INTS
						 : ATTR_FLOATS,
		.ints = { list.n, list.ints },
		.floats = { list.n, list.floats },
		.strings = { list.n, list.strings },
	};
	return lex_next(lex, err);
}

enum err_code text_borrowed(struct text_parser *parser, struct attr_value *ret,
			    bool *ret_present, struct err *err)
{
	const struct graph_node *node = parser->attrs_of;
	const struct op_attr *row = NULL;
	char name[OP_NAME_MAX];
	enum err_code rc = text_expect(parser, '@', err);

	if (rc)
		return rc;
	if (node && parser->lex.token.kind == LEX_NAME) {
		(void)snprintf(name, sizeof(name), "%.*s",
			       (int)parser->lex.token.text.len,
			       parser->lex.token.text.bytes);
		row = op_attr_find(node->op->attrs, name);
	}
	if (!row)
		return lex_fail(&parser->lex,
				"the name of an attribute of the node", err);
	*ret_present = op_attr_get(row, node->attrs, ret);
	return lex_next(&parser->lex, err);
}

/* "int64[2]{1, 2}" or, alone, the number of the type */
static enum err_code read_typed(struct text_parser *parser,
				struct attr_value *ret, struct err *err)
{
	struct tensor_view *view = arena_alloc(parser->scratch, sizeof(*view));
	struct fact fact;
	enum err_code rc;

	if (!view)
		return text_no_memory(err);
	rc = text_type(parser, &fact, err);
	*ret = (struct attr_value){ .kind = ATTR_INT,
				    .i = (int64_t)fact.type.elem };
	if (rc || !fact.has_shape)
		return rc;
	if (lex_is_mark(&parser->lex, '='))
		rc = lex_next(&parser->lex, err);
	if (!rc)
		rc = text_values(parser, parser->scratch, &fact, view, err);
	*ret = (struct attr_value){ .kind = ATTR_TENSOR, .t = view };
	return rc;
}

static enum err_code read_value(struct text_parser *parser,
				struct attr_value *ret, bool *ret_present,
				struct err *err)
{
	struct lex *lex = &parser->lex;
	struct literal number;

	*ret_present = true;
	if (lex_is_mark(lex, '@'))
		return text_borrowed(parser, ret, ret_present, err);
	if (lex_is_mark(lex, '['))
		return read_list(parser, ret, err);
	if (lex->token.kind == LEX_STRING) {
		*ret = (struct attr_value){ .kind = ATTR_STRING,
					    .s = lex->token.text };
		return lex_next(lex, err);
	}
	if (token_number(&lex->token, &number)) {
		bool is_whole = number.dtype == DTYPE_I64;

		*ret = (struct attr_value){
			.kind = is_whole ? ATTR_INT : ATTR_FLOAT,
			.i = number.i,
			.f = number.f,
		};
		return lex_next(lex, err);
	}
	if (token_dtype(&lex->token) != DTYPE_NONE)
		return read_typed(parser, ret, err);
	return lex_fail(lex, "the value of an attribute", err);
}

static enum err_code read_attr(struct text_parser *parser,
			       struct value_list *list, struct err *err)
{
	struct lex *lex = &parser->lex;
	struct attr_named *item = &list->item[list->n];
	bool is_present = false;
	enum err_code rc;

	if (lex->token.kind != LEX_NAME || list->n == ATTRS_MAX)
		return lex_fail(lex, "an attribute's name", err);
	item->name = arena_strndup(parser->scratch, lex->token.text.bytes,
				   lex->token.text.len);
	if (!item->name)
		return text_no_memory(err);
	rc = lex_next(lex, err);
	if (!rc)
		rc = text_expect(parser, '=', err);
	if (!rc)
		rc = read_value(parser, &item->value, &is_present, err);
	list->n += is_present;
	return rc;
}

static enum err_code read_attrs(struct text_parser *parser,
				struct value_list *list, struct err *err)
{
	struct lex *lex = &parser->lex;
	enum err_code rc;

	do {
		rc = lex_next(lex, err);
		if (!rc && !(list->n == 0 && lex_is_mark(lex, '>')))
			rc = read_attr(parser, list, err);
	} while (!rc && lex_is_mark(lex, ','));
	return rc ? rc : text_expect(parser, '>', err);
}

enum err_code text_attrs(struct text_parser *parser, const struct op *op,
			 const void **ret_attrs, struct err *err)
{
	struct attr_list named = { 0 };
	struct attr_source source = { &named, 0, attr_list_at };
	struct value_list *list = NULL;
	char where[WHERE_MAX];
	enum err_code rc = ERR_NONE;

	(void)snprintf(where, sizeof(where), "graph text, line %d: %s",
		       parser->lex.token.line, op->name);
	if (lex_is_mark(&parser->lex, '<')) {
		list = arena_alloc(parser->scratch, sizeof(*list));
		if (!list)
			return text_no_memory(err);
		rc = read_attrs(parser, list, err);
		named = (struct attr_list){ list->item, list->n };
		source.n = list->n;
	}
	if (rc)
		return rc;
	return op_attrs_read(op->attrs, op->attrs_size, &source, where,
			     parser->scratch, ret_attrs, err);
}
