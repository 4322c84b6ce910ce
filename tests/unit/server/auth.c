/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include <criterion/criterion.h>

#include "base/digest.h"
#include "server/rate.h"

static enum err_code check(const char *tokens, const char *header,
			   enum auth_scope scope)
{
	struct auth *auth;
	struct rate *rate;
	struct err err;
	enum err_code rc;

	cr_assert_eq(auth_create(tokens, "tokens", &auth, &err), ERR_NONE, "%s",
		     err.msg);
	rc = auth_check(auth, header, scope, &rate, &err);
	auth_destroy(auth);
	return rc;
}

Test(auth, lets_everybody_in_without_tokens)
{
	cr_assert_eq(check(NULL, NULL, SCOPE_ADMIN), ERR_NONE);
	cr_assert_eq(check("# nothing\n\n", NULL, SCOPE_ADMIN), ERR_NONE);
}

Test(auth, knows_what_each_token_may_do)
{
	static const char tokens[] = "# comment\n"
				     "infer 0123456789abcdef-infer\r\n"
				     "infer,train \t0123456789abcdef-both\n"
				     "admin 0123456789abcdef-admin";

	cr_assert_eq(
	    check(tokens, "Bearer 0123456789abcdef-infer", SCOPE_INFER),
	    ERR_NONE);
	cr_assert_eq(
	    check(tokens, "bearer 0123456789abcdef-infer", SCOPE_TRAIN),
	    ERR_FORBIDDEN);
	cr_assert_eq(check(tokens, "Bearer 0123456789abcdef-both", SCOPE_TRAIN),
		     ERR_NONE);
	cr_assert_eq(check(tokens, "Bearer 0123456789abcdef-both", SCOPE_ADMIN),
		     ERR_FORBIDDEN);
	cr_assert_eq(
	    check(tokens, "Bearer 0123456789abcdef-admin", SCOPE_INFER),
	    ERR_NONE);
	cr_assert_eq(check(tokens, "Bearer 0123456789abcdef", SCOPE_INFER),
		     ERR_UNAUTHENTICATED);
	cr_assert_eq(check(tokens, "Basic abc", SCOPE_INFER),
		     ERR_UNAUTHENTICATED);
	cr_assert_eq(check(tokens, NULL, SCOPE_INFER), ERR_UNAUTHENTICATED);
	cr_assert_eq(check(tokens, NULL, SCOPE_NONE), ERR_NONE);
}

Test(auth, takes_digests_in_place_of_tokens)
{
	char hex[DIGEST_HEX_MAX], line[128];

	digest_sha256("the secret itself", 17, hex);
	(void)snprintf(line, sizeof(line), "infer sha256:%s", hex);
	cr_assert_eq(check(line, "Bearer the secret itself", SCOPE_INFER),
		     ERR_NONE);
	cr_assert_eq(check(line, hex, SCOPE_INFER), ERR_UNAUTHENTICATED);
}

Test(auth, refuses_files_that_it_does_not_understand)
{
	static const char *const texts[] = {
		"0123456789abcdef0123",	   "root 0123456789abcdef0123",
		"infer, 0123456789abcdef", "infer short",
		"infer sha256:12",	   "infer",
	};
	struct auth *auth;
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_assert_eq(auth_create(texts[i], "tokens", &auth, &err),
			     ERR_INVALID, "%s", texts[i]);
}

Test(auth, tokens_may_have_a_rate)
{
	static const char tokens[] =
	    "infer 0123456789abcdef-slow rate=2 burst=1\n"
	    "infer 0123456789abcdef-free\n";
	struct auth *auth;
	struct rate *rate;
	struct err err;

	cr_assert_eq(auth_create(tokens, "tokens", &auth, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(auth_check(auth, "Bearer 0123456789abcdef-slow",
				SCOPE_INFER, &rate, &err),
		     ERR_NONE);
	cr_assert_not_null(rate);
	cr_assert_eq(rate->gap_ns, 500000000);
	cr_assert_eq(auth_check(auth, "Bearer 0123456789abcdef-free",
				SCOPE_INFER, &rate, &err),
		     ERR_NONE);
	cr_assert_null(rate);
	auth_destroy(auth);
}

Test(auth, takes_other_tokens_later)
{
	static const char old[] = "Bearer 0123456789abcdef-old";
	static const char new[] = "Bearer 0123456789abcdef-new";
	struct auth *auth;
	struct rate *rate;
	struct err err;

	cr_assert_eq(
	    auth_create("infer 0123456789abcdef-old\n", "tokens", &auth, &err),
	    ERR_NONE);
	/* neither mistakes nor an empty file change anything */
	cr_assert_eq(auth_replace(auth, "infer short", "tokens", &err),
		     ERR_INVALID);
	cr_assert_eq(auth_replace(auth, "# none\n", "tokens", &err),
		     ERR_INVALID);
	cr_assert_eq(auth_check(auth, old, SCOPE_INFER, &rate, &err), ERR_NONE);
	cr_assert_eq(
	    auth_replace(auth, "infer 0123456789abcdef-new\n", "tokens", &err),
	    ERR_NONE);
	cr_assert_eq(auth_check(auth, new, SCOPE_INFER, &rate, &err), ERR_NONE);
	cr_assert_eq(auth_check(auth, old, SCOPE_INFER, &rate, &err),
		     ERR_UNAUTHENTICATED);
	auth_destroy(auth);
}

Test(auth, refuses_what_is_no_rate)
{
	static const char *const ends[] = { "rate=0",  "rate=x",  "rate",
					    "rate=-1", "limit=3", "rate=1e30" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		char text[128];
		struct auth *auth;
		struct err err;

		(void)snprintf(text, sizeof(text),
			       "infer 0123456789abcdef-slow %s\n", ends[i]);
		cr_assert_eq(auth_create(text, "tokens", &auth, &err),
			     ERR_INVALID, "%s", ends[i]);
		cr_assert(strstr(err.msg, "rate=N"), "%s", err.msg);
	}
}
