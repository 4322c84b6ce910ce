/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include <stdatomic.h>
#include <strings.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/rate.h"

enum {
	TOKENS_MAX = 64,
	TOKEN_LEN_MIN = 16,
	TOKEN_LEN_MAX = 512,
	HEX_LEN = DIGEST_HEX_MAX - 1,
	RATE_MAX = 1000000000
};

struct token {
	struct rate rate;
	unsigned scopes;
	char hex[DIGEST_HEX_MAX];
};

/* Of one reading of the file. */
struct tokens {
	size_t n;
	struct token token[TOKENS_MAX];
	struct tokens *older; /* a request may still hold a rate of it */
};

struct auth {
	_Atomic(struct tokens *) tokens;
};

static const struct {
	const char *name;
	unsigned scopes;
} scope_rows[] = {
	{ "infer", SCOPE_INFER },
	{ "train", SCOPE_TRAIN },
	{ "admin", SCOPE_INFER | SCOPE_TRAIN | SCOPE_ADMIN },
};

/* "infer,train" to bits; 0 when a name is unknown. */
static unsigned parse_scopes(const char *text, size_t len)
{
	unsigned scopes = 0;

	for (;;) {
		const char *comma = memchr(text, ',', len);
		const size_t n = comma ? (size_t)(comma - text) : len;
		unsigned found = 0;

		for (size_t i = 0; i < sizeof(scope_rows) / sizeof(*scope_rows);
		     i++)
			if (strlen(scope_rows[i].name) == n &&
			    memcmp(scope_rows[i].name, text, n) == 0)
				found = scope_rows[i].scopes;
		if (!found)
			return 0;
		scopes |= found;
		if (!comma)
			return scopes;
		text += n + 1;
		len -= n + 1;
	}
}

/* The token's digest, given as such or computed. */
static bool parse_token(const char *text, size_t len, char hex[DIGEST_HEX_MAX])
{
	static const char prefix[] = "sha256:";
	const size_t skip = strlen(prefix);

	if (len > skip && memcmp(text, prefix, skip) == 0) {
		if (len - skip != HEX_LEN ||
		    strspn(text + skip, "0123456789abcdef") < HEX_LEN)
			return false;
		memcpy(hex, text + skip, HEX_LEN);
		hex[HEX_LEN] = '\0';
		return true;
	}
	if (len < TOKEN_LEN_MIN || len > TOKEN_LEN_MAX)
		return false;
	digest_sha256(text, len, hex);
	return true;
}

/* "rate=10 burst=5", or nothing. */
static bool parse_rate(const char *text, size_t len, struct rate *rate)
{
	double number[2] = { 0 };
	static const char *const names[] = { "rate=", "burst=" };

	while (len) {
		const size_t gap = strspn(text, " \t\r");
		const size_t n = strcspn(text + gap, " \t\r\n");
		const char *word = text + gap;
		char value[32];
		int which = -1;

		if (gap >= len || !n)
			break;
		for (int i = 0; i < 2; i++)
			if (str_starts_with(word, names[i]))
				which = i;
		if (which < 0 || n - strlen(names[which]) >= sizeof(value))
			return false;
		(void)snprintf(value, sizeof(value), "%.*s",
			       (int)(n - strlen(names[which])),
			       word + strlen(names[which]));
		if (!str_parse_double(value, &number[which]) ||
		    !(number[which] > 0) || number[which] > RATE_MAX)
			return false;
		text += gap + n;
		len -= gap + n;
	}
	rate_init(rate, number[0], number[1]);
	return true;
}

static enum err_code add_line(struct tokens *tokens, const char *line,
			      size_t len, const char *name, struct err *err)
{
	const size_t scopes_len = strcspn(line, " \t\n");
	const char *text = line + scopes_len + strspn(line + scopes_len, " \t");
	struct token *token = &tokens->token[tokens->n];

	if (len == 0 || *line == '#')
		return ERR_NONE;
	if (tokens->n == TOKENS_MAX)
		return err_set(err, ERR_INVALID, "%s: more than %d tokens",
			       name, TOKENS_MAX);
	token->scopes = parse_scopes(line, scopes_len);
	if (!token->scopes)
		return err_set(err, ERR_INVALID,
			       "%s: token %zu: its scopes are not infer, train "
			       "or admin joined by commas",
			       name, tokens->n + 1);
	if (!parse_token(text, strcspn(text, " \t\r\n"), token->hex))
		return err_set(
		    err, ERR_INVALID,
		    "%s: token %zu: expected %d to %d characters, or "
		    "sha256: and 64 hex digits",
		    name, tokens->n + 1, TOKEN_LEN_MIN, TOKEN_LEN_MAX);
	text += strcspn(text, " \t\r\n");
	if (!parse_rate(text, len - (size_t)(text - line), &token->rate))
		return err_set(err, ERR_INVALID,
			       "%s: token %zu: expected nothing behind it, or "
			       "rate=N and burst=N",
			       name, tokens->n + 1);
	tokens->n++;
	return ERR_NONE;
}

static enum err_code parse_tokens(const char *text, const char *name,
				  struct tokens **ret_tokens, struct err *err)
{
	struct tokens *tokens = mem_zero(sizeof(*tokens));
	enum err_code rc = ERR_NONE;

	if (!tokens)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
	while (text && *text && !rc) {
		const size_t len = strcspn(text, "\n");

		rc = add_line(tokens, text, len, name, err);
		text += len + (text[len] == '\n');
	}
	if (rc)
		mem_free(tokens);
	else
		*ret_tokens = tokens;
	return rc;
}

enum err_code auth_create(const char *text, const char *name,
			  struct auth **ret_auth, struct err *err)
{
	struct auth *auth = mem_zero(sizeof(*auth));
	struct tokens *tokens;
	enum err_code rc;

	if (!auth)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
	rc = parse_tokens(text, name, &tokens, err);
	if (rc) {
		mem_free(auth);
		return rc;
	}
	atomic_init(&auth->tokens, tokens);
	*ret_auth = auth;
	return ERR_NONE;
}

static struct tokens *tokens_of(const struct auth *auth)
{
	return atomic_load_explicit(&auth->tokens, memory_order_acquire);
}

enum err_code auth_replace(struct auth *auth, const char *text,
			   const char *name, struct err *err)
{
	struct tokens *tokens;
	enum err_code rc = parse_tokens(text, name, &tokens, err);

	if (rc)
		return rc;
	/* a file that was emptied would let everybody in */
	if (!tokens->n) {
		mem_free(tokens);
		return err_set(err, ERR_INVALID, "%s: it has no token", name);
	}
	tokens->older = tokens_of(auth);
	atomic_store_explicit(&auth->tokens, tokens, memory_order_release);
	return ERR_NONE;
}

void auth_destroy(struct auth *auth)
{
	struct tokens *older;

	for (struct tokens *t = auth ? tokens_of(auth) : NULL; t; t = older) {
		older = t->older;
		mem_free(t);
	}
	mem_free(auth);
}

bool auth_has_tokens(const struct auth *auth)
{
	return tokens_of(auth)->n > 0;
}

enum err_code auth_check(struct auth *auth, const char *authorization,
			 enum auth_scope scope, struct rate **ret_rate,
			 struct err *err)
{
	static const char scheme[] = "Bearer ";
	struct tokens *tokens = tokens_of(auth);
	char hex[DIGEST_HEX_MAX];
	unsigned scopes = 0;

	*ret_rate = NULL;
	if (!tokens->n || scope == SCOPE_NONE)
		return ERR_NONE;
	if (!authorization ||
	    strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return err_set(err, ERR_UNAUTHENTICATED,
			       "expected a header 'Authorization: Bearer "
			       "TOKEN'");
	authorization += strlen(scheme);
	authorization += strspn(authorization, " ");
	digest_sha256(authorization, strlen(authorization), hex);
	/* all are compared, so that the time does not tell which one fits */
	for (size_t i = 0; i < tokens->n; i++)
		if (digest_equal(hex, tokens->token[i].hex, HEX_LEN)) {
			scopes |= tokens->token[i].scopes;
			if (tokens->token[i].rate.gap_ns)
				*ret_rate = &tokens->token[i].rate;
		}
	if (!scopes)
		return err_set(err, ERR_UNAUTHENTICATED,
			       "the bearer token is not known");
	if (!(scopes & (unsigned)scope))
		return err_set(err, ERR_FORBIDDEN,
			       "the bearer token lacks the scope '%s'",
			       scope == SCOPE_INFER   ? "infer"
			       : scope == SCOPE_TRAIN ? "train"
						      : "admin");
	return ERR_NONE;
}
