/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_pull.h"

#include "server/json_text.h"
#include "server/number_scan.h"

enum { STRING_MAX = 1 << 20 };

static enum err_code expected(const struct json_pull *pull, const char *what,
			      struct err *err)
{
	char text[64];

	return err_set(
	    err, ERR_INVALID, "%s: at byte %zu: expected %s, got %s",
	    pull->name, (size_t)(pull->at - pull->begin), what,
	    json_text_excerpt(pull->at, pull->end, text, sizeof(text)));
}

void json_pull_init(struct json_pull *pull, const char *text, size_t len,
		    const char *name, struct arena *arena)
{
	*pull = (struct json_pull){ .at = text,
				    .begin = text,
				    .end = text + len,
				    .name = name,
				    .arena = arena };
}

bool json_pull_is(struct str key, const char *word)
{
	return key.len == strlen(word) && memcmp(key.bytes, word, key.len) == 0;
}

/* The next byte that is no white space; NUL at the end. */
static char next_byte(struct json_pull *pull)
{
	pull->at = json_text_space(pull->at, pull->end);
	return (char)(pull->at < pull->end ? *pull->at : '\0');
}

enum json_kind json_pull_peek(struct json_pull *pull)
{
	switch (next_byte(pull)) {
	case '{':
		return JSON_KIND_OBJECT;
	case '[':
		return JSON_KIND_ARRAY;
	case '"':
		return JSON_KIND_STRING;
	case 't':
	case 'f':
		return JSON_KIND_BOOL;
	case 'n':
		return JSON_KIND_NULL;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
	case 'N':
	case 'I':
		return JSON_KIND_NUMBER;
	default:
		return JSON_KIND_END;
	}
}

static enum err_code open_level(struct json_pull *pull, char bracket,
				const char *what, struct err *err)
{
	if (next_byte(pull) != bracket)
		return expected(pull, what, err);
	if (pull->depth >= JSON_PULL_DEPTH)
		return err_set(err, ERR_INVALID,
			       "%s: at byte %zu: nested more than %d deep",
			       pull->name, (size_t)(pull->at - pull->begin),
			       JSON_PULL_DEPTH);
	pull->at++;
	pull->depth++;
	pull->has_item &= ~((uint64_t)1 << pull->depth);
	return ERR_NONE;
}

enum err_code json_pull_object(struct json_pull *pull, struct err *err)
{
	return open_level(pull, '{', "an object", err);
}

enum err_code json_pull_array(struct json_pull *pull, struct err *err)
{
	return open_level(pull, '[', "an array", err);
}

/* Steps over the comma between items, or over the closing bracket, which ends
 * the level: *ret_more is false then. */
static enum err_code next_item(struct json_pull *pull, char close,
			       const char *what, bool *ret_more,
			       struct err *err)
{
	const uint64_t bit = (uint64_t)1 << pull->depth;
	const char c = next_byte(pull);

	*ret_more = c != close;
	if (!*ret_more) {
		pull->at++;
		pull->depth--;
		return ERR_NONE;
	}
	if (pull->has_item & bit) {
		if (c != ',')
			return expected(pull, what, err);
		pull->at++;
	}
	pull->has_item |= bit;
	return ERR_NONE;
}

enum err_code json_pull_item(struct json_pull *pull, bool *ret_more,
			     struct err *err)
{
	return next_item(pull, ']', "',' or ']'", ret_more, err);
}

static enum err_code take_text(struct json_pull *pull, const char *what,
			       struct str *ret_string, struct err *err)
{
	const char *end, *why;

	if (next_byte(pull) != '"')
		return expected(pull, what, err);
	end = json_text_string(pull->at, pull->end, pull->arena, ret_string,
			       &why);
	if (!end)
		return err_set(err, ERR_INVALID, "%s: at byte %zu: %s",
			       pull->name, (size_t)(pull->at - pull->begin),
			       why);
	pull->at = end;
	return ERR_NONE;
}

static enum err_code take_string(struct json_pull *pull, const char *what,
				 struct str *ret_string, struct err *err)
{
	enum err_code rc = take_text(pull, what, ret_string, err);

	if (!rc && ret_string->len > STRING_MAX)
		rc = err_set(err, ERR_INVALID,
			     "%s: up to byte %zu: a string of %zu bytes; at "
			     "most %d are read",
			     pull->name, (size_t)(pull->at - pull->begin),
			     ret_string->len, STRING_MAX);
	return rc;
}

enum err_code json_pull_key(struct json_pull *pull, struct str *ret_key,
			    struct err *err)
{
	bool is_more;
	enum err_code rc;

	rc = next_item(pull, '}', "',' or '}'", &is_more, err);
	if (rc)
		return rc;
	*ret_key = (struct str){ NULL, 0 };
	if (!is_more)
		return ERR_NONE;
	if (pull->n_keys++ >= JSON_PULL_KEYS)
		return err_set(err, ERR_INVALID, "%s: more than %d keys",
			       pull->name, JSON_PULL_KEYS);
	rc = take_string(pull, "a key", ret_key, err);
	if (rc)
		return rc;
	if (next_byte(pull) != ':')
		return expected(pull, "':'", err);
	pull->at++;
	return ERR_NONE;
}

enum err_code json_pull_string(struct json_pull *pull, struct str *ret_string,
			       struct err *err)
{
	return take_string(pull, "a string", ret_string, err);
}

enum err_code json_pull_text(struct json_pull *pull, struct str *ret_string,
			     struct err *err)
{
	return take_text(pull, "a string", ret_string, err);
}

enum err_code json_pull_bool(struct json_pull *pull, bool *ret_bool,
			     struct err *err)
{
	(void)next_byte(pull);
	if (json_text_word(pull->at, pull->end, "true")) {
		*ret_bool = true;
		pull->at += 4;
		return ERR_NONE;
	}
	if (json_text_word(pull->at, pull->end, "false")) {
		*ret_bool = false;
		pull->at += 5;
		return ERR_NONE;
	}
	return expected(pull, "true or false", err);
}

static enum err_code take_number(struct json_pull *pull, enum dtype dtype,
				 const char *what, void *ret_number,
				 struct err *err)
{
	struct number_target target = { .name = pull->name,
					.dtype = dtype,
					.count = 1,
					.out = ret_number,
					.arena = pull->arena };
	size_t used;

	if (json_pull_peek(pull) != JSON_KIND_NUMBER ||
	    number_scan(pull->at, (size_t)(pull->end - pull->at), &target,
			&used, NULL))
		return expected(pull, what, err);
	pull->at += used;
	return ERR_NONE;
}

enum err_code json_pull_uint(struct json_pull *pull, uint64_t *ret_uint,
			     struct err *err)
{
	return take_number(pull, DTYPE_U64, "an integer from 0 up", ret_uint,
			   err);
}

enum err_code json_pull_double(struct json_pull *pull, double *ret_double,
			       struct err *err)
{
	return take_number(pull, DTYPE_F64, "a number", ret_double, err);
}

/* A value that is no object, array or string: a word or a number by its
 * letters. */
static enum err_code skip_word(struct json_pull *pull, struct err *err)
{
	static const char *const words[] = { "true", "false", "null", NULL };
	double number;

	if (json_pull_peek(pull) == JSON_KIND_NUMBER)
		return json_pull_double(pull, &number, err);
	for (size_t i = 0; words[i]; i++)
		if (json_text_word(pull->at, pull->end, words[i])) {
			pull->at += strlen(words[i]);
			return ERR_NONE;
		}
	return expected(pull, "a value", err);
}

static enum err_code skip_string(struct json_pull *pull, struct err *err)
{
	const char *end = json_text_skip_string(pull->at, pull->end);

	if (!end)
		return expected(pull, "a whole string", err);
	pull->at = end;
	return ERR_NONE;
}

/* Takes one step into or over the next value. */
static enum err_code skip_step(struct json_pull *pull, uint64_t *is_object,
			       struct err *err)
{
	const enum json_kind kind = json_pull_peek(pull);
	enum err_code rc;

	if (kind == JSON_KIND_STRING)
		return skip_string(pull, err);
	if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
		return skip_word(pull, err);
	rc = kind == JSON_KIND_OBJECT ? json_pull_object(pull, err)
				      : json_pull_array(pull, err);
	if (rc)
		return rc;
	*is_object &= ~((uint64_t)1 << pull->depth);
	*is_object |= (uint64_t)(kind == JSON_KIND_OBJECT) << pull->depth;
	return ERR_NONE;
}

/* The next place for a value inside [base, depth]; false when all levels above
 * base have ended. */
static enum err_code skip_between(struct json_pull *pull, unsigned base,
				  uint64_t is_object, bool *ret_more,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;
	struct str key;

	*ret_more = false;
	while (!rc && pull->depth > base && !*ret_more) {
		if (is_object >> pull->depth & 1) {
			rc = json_pull_key(pull, &key, err);
			*ret_more = !rc && key.bytes;
		} else {
			rc = json_pull_item(pull, ret_more, err);
		}
	}
	return rc;
}

enum err_code json_pull_value(struct json_pull *pull, struct str *ret_text,
			      struct err *err)
{
	const unsigned base = pull->depth;
	uint64_t is_object = 0;
	bool is_more = true;
	enum err_code rc = ERR_NONE;
	const char *begin;

	(void)next_byte(pull);
	begin = pull->at;
	while (!rc && is_more) {
		rc = skip_step(pull, &is_object, err);
		if (!rc)
			rc = skip_between(pull, base, is_object, &is_more, err);
	}
	if (rc)
		return rc;
	if (ret_text)
		*ret_text = (struct str){ begin, (size_t)(pull->at - begin) };
	return ERR_NONE;
}

enum err_code json_pull_null(struct json_pull *pull, bool *ret_is_null,
			     struct err *err)
{
	*ret_is_null = json_pull_peek(pull) == JSON_KIND_NULL;
	return *ret_is_null ? json_pull_value(pull, NULL, err) : ERR_NONE;
}

enum err_code json_pull_finish(struct json_pull *pull, struct err *err)
{
	(void)next_byte(pull);
	if (pull->at < pull->end)
		return expected(pull, "the end", err);
	return ERR_NONE;
}
