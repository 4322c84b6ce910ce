/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Auth: bearer tokens and what each may do.
 *
 * A token file has a line for each token: its scopes (infer, train, admin,
 * joined by commas) and the token, or "sha256:" and the digest of it in hex;
 * then, if it has a rate, "rate=N" requests a second and "burst=N" at once.
 * Empty lines and lines that begin with '#' are skipped. admin includes the
 * others. Tokens are compared by their digests, in constant time.
 *
 * Without tokens every request is allowed: the server only starts so on
 * loopback, or when it is told to be insecure.
 *
 * Ownership: create/destroy. Threads: any. What was replaced is kept
 *            until the end, 8 KB each time.
 * Limits:    64 tokens of 16 to 512 characters.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum auth_scope {
	SCOPE_NONE = 0, /**< health: everybody */
	SCOPE_INFER = 1,
	SCOPE_TRAIN = 2,
	SCOPE_ADMIN = 4
};

struct auth;
struct rate;

/** text NULL: no tokens. `name` (the file) begins messages. */
MUST_USE enum err_code auth_create(const char *text, const char *name,
				   struct auth **ret_auth, struct err *err);
/** Takes the place of all tokens, and their rates begin anew; ERR_INVALID (a
 * text without any, too) leaves them. One call at a time. */
MUST_USE enum err_code auth_replace(struct auth *auth, const char *text,
				    const char *name, struct err *err);
/** NULL is fine. */
void auth_destroy(struct auth *auth);
bool auth_has_tokens(const struct auth *auth);
/** `authorization` is the header's value, NULL when absent:
 * ERR_UNAUTHENTICATED without a known token, ERR_FORBIDDEN when the token's
 * scopes lack `scope`. *ret_rate: the token's, NULL without one. */
MUST_USE enum err_code auth_check(struct auth *auth, const char *authorization,
				  enum auth_scope scope, struct rate **ret_rate,
				  struct err *err);

#endif
