/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * JSON's smallest parts, shared by the pull reader and the number scan.
 *
 * Ownership: nothing is allocated but in json_text_string()'s arena.
 * Threads:   pure functions.
 */
#ifndef SERVER_JSON_TEXT_H
#define SERVER_JSON_TEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "engine/tensor.h"

/** After the white space (RFC 8259, section 2). */
static inline const char *json_text_space(const char *at, const char *end)
{
	while (at < end &&
	       (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/** Whether the text begins with that word; what follows is not looked at. */
bool json_text_word(const char *at, const char *end, const char *word);

/** The string whose opening quote is at `at`; returns the place after the
 * closing one, or NULL with *ret_why saying what is wrong with it. The bytes
 * are UTF-8 and may hold NUL. They point into the text unless there are
 * escapes; then into the arena, with a NUL behind them. */
const char *json_text_string(const char *at, const char *end,
			     struct arena *arena, struct str *ret_string,
			     const char **ret_why);
/** The same without its content; for skipping. */
const char *json_text_skip_string(const char *at, const char *end);

/** Bytes that need not be UTF-8: the object {"b64": "..."} at `at`, decoded
 * into the arena. Returns and fails as json_text_string() does. */
const char *json_text_bytes(const char *at, const char *end,
			    struct arena *arena, struct str *ret_string,
			    const char **ret_why);
/** The same without its content: the place after it, or NULL when there is no
 * such object. */
const char *json_text_skip_bytes(const char *at, const char *end);

/** The first bytes of a text for a message: quoted, printable, cut. */
const char *json_text_excerpt(const char *at, const char *end, char *to,
			      size_t cap);

#endif
