/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph_lex_priv.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/str.h"

enum { NUMBER_MAX = 64, SHOWN_MAX = 24 };

static char at(const struct lex *lex, size_t ahead)
{
	if (lex->at + ahead >= lex->len)
		return '\0';
	return lex->text[lex->at + ahead];
}

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || c == '/' || c == '~';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || isdigit((unsigned char)c) || c == '.';
}

bool lex_is_name(const char *text, size_t len)
{
	if (len == 0 || !is_name_start(*text))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_name_char(text[i]))
			return false;
	return true;
}

static bool is_number_start(const struct lex *lex)
{
	char c = at(lex, 0), next = at(lex, 1);

	if (c == '-' || c == '+')
		return isdigit((unsigned char)next) || next == '.' ||
		       next == 'i';
	return isdigit((unsigned char)c) ||
	       (c == '.' && isdigit((unsigned char)next));
}

/* i > 0: the first one was looked at */
static bool is_number_char(const struct lex *lex, size_t i)
{
	const char c = at(lex, i);

	if (c == '-' || c == '+')
		return at(lex, i - 1) == 'e' || at(lex, i - 1) == 'E';
	return isalnum((unsigned char)c) || c == '.';
}

static void skip_blanks(struct lex *lex)
{
	for (; lex->at < lex->len; lex->at++) {
		char c = at(lex, 0);

		if (c == '#') {
			while (lex->at + 1 < lex->len && at(lex, 1) != '\n')
				lex->at++;
			continue;
		}
		if (c == '\n' && lex->nesting == 0)
			return;
		if (c == '\n')
			lex->line++;
		else if (c != ' ' && c != '\t' && c != '\r')
			return;
	}
}

bool literal_parse(const char *text, struct literal *ret)
{
	const char *digits = text + (*text == '-' || *text == '+');

	*ret = (struct literal){ .dtype = DTYPE_F64 };
	if (!strcmp(digits, "inf") || !strcmp(digits, "nan")) {
		ret->f = *digits == 'i' ? (double)INFINITY : (double)NAN;
		if (*text == '-')
			ret->f = -ret->f;
		return true;
	}
	if (str_parse_int64(*text == '+' ? digits : text, &ret->i))
		ret->dtype = DTYPE_I64;
	else if (str_parse_uint64(digits, &ret->u) && *text != '-')
		ret->dtype = DTYPE_U64;
	else
		return str_parse_double(text, &ret->f);
	ret->f = ret->dtype == DTYPE_I64 ? (double)ret->i : (double)ret->u;
	return true;
}

static enum err_code read_number(struct lex *lex, struct err *err)
{
	struct literal *number = &lex->token.number;
	char text[NUMBER_MAX];
	size_t n = 1;

	while (is_number_char(lex, n))
		n++;
	lex->token.kind = LEX_NUMBER;
	lex->token.text = (struct str){ lex->text + lex->at, n };
	lex->at += n;
	if (n >= NUMBER_MAX)
		return err_set(
		    err, ERR_INVALID,
		    "graph text, line %d: a number of %zu characters",
		    lex->line, n);
	memcpy(text, lex->token.text.bytes, n);
	text[n] = '\0';
	if (literal_parse(text, number))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "graph text, line %d: '%.*s' is no number", lex->line,
		       (int)(n < SHOWN_MAX ? n : SHOWN_MAX), text);
}

static char escaped(char c)
{
	if (c == 'n')
		return '\n';
	if (c == 't')
		return '\t';
	return c;
}

/* bytes between the quotes, as written; SIZE_MAX when no quote closes */
static size_t quoted_len(const struct lex *lex)
{
	for (size_t n = 0; lex->at + 1 + n < lex->len; n++) {
		if (at(lex, 1 + n) == '"')
			return n;
		n += at(lex, 1 + n) == '\\';
	}
	return SIZE_MAX;
}

static enum err_code read_string(struct lex *lex, struct err *err)
{
	const char *from = lex->text + lex->at + 1;
	size_t len = quoted_len(lex), n = 0;
	char *text;

	if (len == SIZE_MAX)
		return err_set(err, ERR_INVALID,
			       "graph text, line %d: a quote is not closed",
			       lex->line);
	text = arena_alloc(lex->arena, len + 1);
	if (!text)
		return err_set(err, ERR_NO_MEMORY, "graph text: out of memory");
	for (size_t i = 0; i < len; i++) {
		lex->line += from[i] == '\n';
		if (from[i] == '\\')
			text[n++] = escaped(from[++i]);
		else
			text[n++] = from[i];
	}
	lex->at += len + 2;
	lex->token.kind = LEX_STRING;
	lex->token.text = (struct str){ text, n };
	return ERR_NONE;
}

static void read_name(struct lex *lex)
{
	size_t n = 1;

	while (is_name_char(at(lex, n)))
		n++;
	lex->token.kind = LEX_NAME;
	lex->token.text = (struct str){ lex->text + lex->at, n };
	lex->at += n;
}

static void read_mark(struct lex *lex, char c)
{
	lex->token.text = (struct str){ lex->text + lex->at, 1 };
	lex->at++;
	if (c == '\n' || c == ';') {
		lex->token.kind = LEX_BREAK;
		lex->line += c == '\n';
		return;
	}
	lex->token.kind = LEX_MARK;
	lex->token.mark = c;
	if (strchr("(<[{", c))
		lex->nesting++;
	else if (strchr(")>]}", c) && lex->nesting)
		lex->nesting--;
}

enum err_code lex_next(struct lex *lex, struct err *err)
{
	char c;

	skip_blanks(lex);
	lex->token = (struct token){ .line = lex->line };
	if (lex->at >= lex->len)
		return ERR_NONE;
	c = at(lex, 0);
	if (is_number_start(lex))
		return read_number(lex, err);
	if (c == '"')
		return read_string(lex, err);
	if (is_name_start(c))
		read_name(lex);
	else if (c && strchr("=,()<>[]{}:!@?;\n", c))
		read_mark(lex, c);
	else
		return err_set(
		    err, ERR_INVALID,
		    "graph text, line %d: the byte %d has no meaning "
		    "here",
		    lex->line, (unsigned char)c);
	return ERR_NONE;
}

enum err_code lex_init(struct lex *lex, const char *text, struct arena *arena,
		       struct err *err)
{
	*lex = (struct lex){
		.text = text,
		.len = strlen(text),
		.line = 1,
		.arena = arena,
	};
	return lex_next(lex, err);
}

bool lex_is_mark(const struct lex *lex, char mark)
{
	return lex->token.kind == LEX_MARK && lex->token.mark == mark;
}

enum err_code lex_fail(const struct lex *lex, const char *expected,
		       struct err *err)
{
	const struct str *text = &lex->token.text;
	int n = (int)(text->len < SHOWN_MAX ? text->len : SHOWN_MAX);

	if (lex->token.kind == LEX_END || lex->token.kind == LEX_BREAK)
		return err_set(err, ERR_INVALID,
			       "graph text, line %d: expected %s, but the "
			       "statement ends",
			       lex->token.line, expected);
	return err_set(err, ERR_INVALID,
		       "graph text, line %d: expected %s, but found '%.*s'",
		       lex->token.line, expected, n, text->bytes);
}
