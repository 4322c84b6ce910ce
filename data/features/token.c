/* SPDX-License-Identifier: Apache-2.0 */
#include "data/features/token.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* Apostrophes belong to a word where it goes on behind them. */
static size_t word_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len &&
	       (is_word(text[n]) ||
		(n && text[n] == '\'' && n + 1 < len && is_word(text[n + 1]))))
		n++;
	if (n <= TOKEN_MAX)
		return n;
	n = str_utf8_cut(text, n, TOKEN_MAX);
	if (!n)
		return TOKEN_MAX; /* of bytes that are no UTF-8 */
	/* a token is the same one where the text ends with it */
	while (text[n - 1] == '\'')
		n--;
	return n;
}

bool token_next(enum token_level level, const char *text, size_t len,
		size_t *at, struct token *ret)
{
	size_t i = *at, n;

	while (level == TOKEN_WORD && i < len && is_blank(text[i]))
		i++;
	if (i >= len)
		return false;
	n = level == TOKEN_WORD ? word_length(text + i, len - i) : 0;
	if (!n)
		n = str_utf8_char(text + i, len - i);
	if (!n)
		n = 1;
	*ret = (struct token){ text + i, n };
	*at = i + n;
	return true;
}

/* Sentences are written "word, (word) word." */
bool token_wants_blank(struct token before, struct token next)
{
	static const char opens[] = "([{\n", closes[] = ".,;:!?)]}%'\n";

	if (!before.len || !next.len)
		return false;
	if (before.len == 1 && memchr(opens, *before.bytes, sizeof(opens) - 1))
		return false;
	return next.len != 1 ||
	       !memchr(closes, *next.bytes, sizeof(closes) - 1);
}
