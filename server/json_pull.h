/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * JSON pull: walks a request's JSON in place, without building a tree.
 *
 * The reader asks for what it expects next and gets it or an error that says
 * where the text differs. `data` arrays are handed to the number scan at
 * json_pull_value(), so numbers never become objects. Typical use:
 *
 *	rc = json_pull_object(pull, err);
 *	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes)
 *		rc = ... one value by key, or json_pull_skip(pull, err);
 *
 * Ownership: borrows the text; strings point into it or into the arena.
 * Threads:   one at a time.
 * Limits:    32 levels, 10,000 keys, keys and strings of 1 MiB.
 */
#ifndef SERVER_JSON_PULL_H
#define SERVER_JSON_PULL_H

#include <stdbool.h>

#include "base/arena.h"
#include "engine/tensor.h"

enum { JSON_PULL_DEPTH = 32, JSON_PULL_KEYS = 10000 };

struct json_pull {
	const char *at, *begin, *end;
	const char *name; /**< of the text, begins messages */
	struct arena *arena;
	unsigned depth, n_keys;
	uint64_t has_item; /**< bit d: level d has an item already */
};

enum json_kind {
	JSON_KIND_END, /**< nothing but the end, or what is no value */
	JSON_KIND_OBJECT,
	JSON_KIND_ARRAY,
	JSON_KIND_STRING,
	JSON_KIND_NUMBER, /**< NaN and Infinity too */
	JSON_KIND_BOOL,
	JSON_KIND_NULL
};

void json_pull_init(struct json_pull *pull, const char *text, size_t len,
		    const char *name, struct arena *arena);
/** What comes next; nothing is taken. */
enum json_kind json_pull_peek(struct json_pull *pull);

MUST_USE enum err_code json_pull_object(struct json_pull *pull,
					struct err *err);
/** The next key and its colon; bytes NULL when the object has ended. */
MUST_USE enum err_code json_pull_key(struct json_pull *pull,
				     struct str *ret_key, struct err *err);
MUST_USE enum err_code json_pull_array(struct json_pull *pull, struct err *err);
/** Whether one more item of the array follows; at its end, takes it. */
MUST_USE enum err_code json_pull_item(struct json_pull *pull, bool *ret_more,
				      struct err *err);

MUST_USE enum err_code json_pull_string(struct json_pull *pull,
					struct str *ret_string,
					struct err *err);
/** The same without the limit of a string's length: the body bounds it. */
MUST_USE enum err_code json_pull_text(struct json_pull *pull,
				      struct str *ret_string, struct err *err);
MUST_USE enum err_code json_pull_bool(struct json_pull *pull, bool *ret_bool,
				      struct err *err);
MUST_USE enum err_code json_pull_uint(struct json_pull *pull,
				      uint64_t *ret_uint, struct err *err);
MUST_USE enum err_code json_pull_double(struct json_pull *pull,
					double *ret_double, struct err *err);
/** Any value, unread; its text goes to *ret_text unless that is NULL. */
MUST_USE enum err_code json_pull_value(struct json_pull *pull,
				       struct str *ret_text, struct err *err);
/** Takes a null where one comes: an optional member that is null is none, as
 * clients write it that fill in a fixed form. */
MUST_USE enum err_code json_pull_null(struct json_pull *pull, bool *ret_is_null,
				      struct err *err);
/** Nothing but white space may be left. */
MUST_USE enum err_code json_pull_finish(struct json_pull *pull,
					struct err *err);

/** Whether a key is that word. */
bool json_pull_is(struct str key, const char *word);

#endif
