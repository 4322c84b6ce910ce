/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tokens of graph text.
 *
 * A name is letters, digits and "_ / . ~", not beginning with a digit or a
 * dot; anything else is written in double quotes, with the escapes of C for
 * quote, backslash, newline and tab. A newline ends a statement only outside
 * of all brackets. '#' begins a comment.
 *
 * Ownership: quoted texts are unescaped into the arena; names point into the
 *            text.
 * Threads:   one reader.
 */
#ifndef ENGINE_GRAPH_LEX_PRIV_H
#define ENGINE_GRAPH_LEX_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/tensor.h"

enum lex_kind {
	LEX_END,
	LEX_BREAK, /* newline or ';' */
	LEX_NAME,
	LEX_STRING,
	LEX_NUMBER,
	LEX_MARK, /* one character */
};

/** A number as written: whole ones keep all their bits. */
struct literal {
	enum dtype dtype; /**< DTYPE_I64, DTYPE_U64 (too big for it), F64 */
	int64_t i;
	uint64_t u;
	double f;
};

struct token {
	enum lex_kind kind;
	char mark;
	int line;
	struct str text; /**< as written; of a string what it says */
	struct literal number;
};

struct lex {
	const char *text;
	size_t len, at;
	int line, nesting;
	struct arena *arena;
	struct token token; /**< the one to look at */
};

/** The first token is there afterwards. */
MUST_USE enum err_code lex_init(struct lex *lex, const char *text,
				struct arena *arena, struct err *err);
/** Goes to the next token. */
MUST_USE enum err_code lex_next(struct lex *lex, struct err *err);
/** True when the token is that mark. */
bool lex_is_mark(const struct lex *lex, char mark);
/** Refuses with what stands there instead of `expected`. */
enum err_code lex_fail(const struct lex *lex, const char *expected,
		       struct err *err);
/** "-3", "0.5", "inf", "nan": the whole text, or false. */
bool literal_parse(const char *text, struct literal *ret);
/** True for what needs no quotes. */
bool lex_is_name(const char *text, size_t len);

#endif
