/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/str.h"

Test(err, sets_code_place_and_sentence)
{
	struct err err = { 0 };
	const int line = __LINE__ + 2;

	cr_assert_eq(
	    err_set(&err, ERR_SHAPE, "tensor '%s' has %d axes", "x", 3),
	    ERR_SHAPE);
	cr_assert_eq(err.code, ERR_SHAPE);
	cr_assert_str_eq(err.msg, "tensor 'x' has 3 axes");
	cr_assert(str_ends_with(err.file, "unit/base/err.c"));
	cr_assert(err.line >= line && err.line <= line + 1);
}

Test(err, gives_the_code_back_when_nobody_wants_the_sentence)
{
	cr_assert_eq(err_set(NULL, ERR_IO, "disk"), ERR_IO);
	cr_assert_neq(err_prefix(NULL, "job"), ERR_NONE);
}

Test(err, has_a_status_and_a_wire_name_for_every_code)
{
	cr_assert_eq(err_http(ERR_NONE), 200);
	cr_assert_eq(err_http(ERR_NO_SPACE), 507);
	cr_assert_eq(err_http(ERR_BUSY), 503);
	cr_assert_str_eq(err_wire(ERR_INVALID), "invalid_argument");
	cr_assert_str_eq(err_wire(ERR_DEADLINE), "deadline_exceeded");
	for (int code = 0; code < ERR_COUNT; code++) {
		cr_assert(err_http((enum err_code)code) >= 200);
		cr_assert(*err_wire((enum err_code)code));
	}
	cr_assert_eq(err_http(ERR_COUNT), 500);
	cr_assert_str_eq(err_wire(ERR_COUNT), "internal");
}

Test(err, puts_a_context_before_the_sentence)
{
	struct err err = { 0 };

	(void)err_set(&err, ERR_NOT_FOUND, "no file");
	cr_assert_eq(err_prefix(&err, "model '%s'", "m"), ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "model 'm': no file");
}

Test(err, may_take_its_own_sentence_as_an_argument)
{
	struct err err = { 0 };

	(void)err_set(&err, ERR_IO, "inner");
	(void)err_set(&err, ERR_IO, "outer (%s)", err.msg);
	cr_assert_str_eq(err.msg, "outer (inner)");
}

Test(err, cuts_a_long_sentence_at_a_character)
{
	char text[3 * ERR_MSG_MAX + 1];
	struct err err = { 0 };
	size_t len;

	for (size_t i = 0; i < sizeof(text) - 1; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3); /* the euro sign */
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, ERR_INVALID, "x%s", text);
	len = strlen(err.msg);
	cr_assert(len < ERR_MSG_MAX && len > ERR_MSG_MAX - 8);
	cr_assert(str_ends_with(err.msg, "\xe2\x82\xac..."));
	cr_assert(str_is_utf8(err.msg, len));
	(void)err_prefix(&err, "%s", text);
	cr_assert(str_ends_with(err.msg, "..."));
	cr_assert(str_is_utf8(err.msg, strlen(err.msg)));
}
