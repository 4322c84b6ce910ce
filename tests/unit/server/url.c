/* SPDX-License-Identifier: Apache-2.0 */
#include "server/url.h"

#include <criterion/criterion.h>

static struct arena *arena;

static void make_arena(void)
{
	arena = arena_create(1 << 20);
}

static void free_arena(void)
{
	arena_destroy(arena);
}

TestSuite(url, .init = make_arena, .fini = free_arena);

Test(url, splits_before_it_decodes)
{
	struct url url;
	struct err err;

	cr_assert_eq(url_parse("/v2/a%2Fb/%C3%BC%20x/", arena, &url, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(url.n, 3);
	cr_assert_str_eq(url.segment[0], "v2");
	cr_assert_str_eq(url.segment[1], "a/b");
	cr_assert_str_eq(url.segment[2], "\xc3\xbc x");
	cr_assert_eq(url_parse("/", arena, &url, &err), ERR_NONE);
	cr_assert_eq(url.n, 0);
	cr_assert_eq(url_parse("//x", arena, &url, &err), ERR_NONE);
	cr_assert_eq(url.n, 2);
	cr_assert_str_eq(url.segment[0], "");
	/* as a proxy is asked */
	cr_assert_eq(url_parse("http://host:80/v2/x", arena, &url, &err),
		     ERR_NONE);
	cr_assert_eq(url.n, 2);
	cr_assert_str_eq(url.segment[1], "x");
	cr_assert_eq(url_parse("HTTP://host", arena, &url, &err), ERR_NONE);
	cr_assert_eq(url.n, 0);
	/* once, not twice */
	cr_assert_eq(url_parse("/%252e", arena, &url, &err), ERR_NONE);
	cr_assert_str_eq(url.segment[0], "%2e");
}

Test(url, refuses_broken_paths)
{
	static const struct {
		const char *path;
		enum err_code want;
	} rows[] = {
		{ "", ERR_INVALID },
		{ "x", ERR_INVALID },
		{ "*", ERR_INVALID },
		{ "http://", ERR_INVALID },
		{ "http:///x", ERR_INVALID },
		{ "ftp://host/x", ERR_INVALID },
		{ "/%", ERR_INVALID },
		{ "/%2", ERR_INVALID },
		{ "/%g0", ERR_INVALID },
		{ "/%00", ERR_INVALID },
		{ "/a%00b", ERR_INVALID },
		{ "/%ff", ERR_INVALID },
		{ "/%c0%80", ERR_INVALID },
		{ "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", ERR_NOT_FOUND },
	};
	struct url url;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_assert_eq(url_parse(rows[i].path, arena, &url, &err),
			     rows[i].want, "%s", rows[i].path);
}
