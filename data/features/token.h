/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Token: the piece of a text that counts as one.
 *
 * Where a text is cut does not depend on what a vocabulary knows, so a reader
 * can cut a corpus into windows before anything is fitted.
 *
 * - character: a character of UTF-8; a byte that begins none is a token of its
 *   own, which no vocabulary has.
 * - word: a run of letters, digits, '_' and all that is not ASCII, with
 *   apostrophes inside ("don't"); the end of a line; or one other character.
 *   Blanks part words and are no tokens.
 *
 * Ownership: tokens point into the text.
 * Threads:   pure functions.
 * Limits:    a longer word is cut after TOKEN_MAX bytes, between characters.
 */
#ifndef DATA_FEATURES_TOKEN_H
#define DATA_FEATURES_TOKEN_H

#include <stdbool.h>

#include "base/str.h"

enum { TOKEN_MAX = 256 };

enum token_level { TOKEN_CHARACTER, TOKEN_WORD };

struct token {
	const char *bytes;
	size_t len;
};

/** The next token at or behind *at, which moves to its end; false where there
 * is none. */
bool token_next(enum token_level level, const char *text, size_t len,
		size_t *at, struct token *ret);

/** Does a blank belong between two words of a written text? */
bool token_wants_blank(struct token before, struct token next);

#endif
