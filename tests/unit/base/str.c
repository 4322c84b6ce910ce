/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(str, compares)
{
	cr_assert(str_equal("a", "a") && str_equal(NULL, NULL));
	cr_assert(!str_equal("a", "b") && !str_equal(NULL, "a") &&
		  !str_equal("a", NULL));
	cr_assert(str_starts_with("abc", "ab") && str_starts_with("abc", ""));
	cr_assert(!str_starts_with("ab", "abc"));
	cr_assert(str_ends_with("abc", "bc") && str_ends_with("abc", ""));
	cr_assert(!str_ends_with("c", "bc"));
}

Test(str, reads_whole_numbers_or_refuses)
{
	static const char *const bad[] = {
		"",
		"-",
		"+1",
		" 1",
		"1 ",
		"1x",
		"0x1",
		"1.0",
		"9223372036854775808",
		"-9223372036854775809",
		"--1",
		"99999999999999999999",
		"18446744073709551616",
	};
	uint64_t u = 5;
	int64_t i = 5;

	cr_assert(str_parse_int64("9223372036854775807", &i));
	cr_assert_eq(i, INT64_MAX);
	cr_assert(str_parse_int64("-9223372036854775808", &i));
	cr_assert_eq(i, INT64_MIN);
	cr_assert(str_parse_int64("-0", &i) && i == 0);
	cr_assert(str_parse_int64("007", &i) && i == 7);
	cr_assert(str_parse_uint64("18446744073709551615", &u));
	cr_assert_eq(u, UINT64_MAX);
	cr_assert(!str_parse_uint64("-1", &u));
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		cr_assert(!str_parse_int64(bad[k], &i), "'%s'", bad[k]);
	cr_assert(!str_parse_uint64("18446744073709551616", &u));
	cr_assert_eq(i, 7, "a refusal leaves the result alone");
}

Test(str, reads_decimals_or_refuses)
{
	static const char *const bad[] = {
		"",	 ".",	"e5",	 "1e",	 "1e+", "0x1p3",
		"nan",	 "inf", "1e999", "1,5",	 " 1",	"1 ",
		"1.2.3", "-",	"1f",	 "-inf", "+-1", "1e5.0",
	};
	double d = 5;

	cr_assert(str_parse_double("-1.5e3", &d) && d == -1500);
	cr_assert(str_parse_double("+.5", &d) && d == 0.5);
	cr_assert(str_parse_double("5.", &d) && d == 5);
	cr_assert(str_parse_double("0.1", &d) && d == 0.1);
	cr_assert(str_parse_double("-0", &d) && signbit(d));
	cr_assert(str_parse_double("1e-400", &d) && d == 0);
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		cr_assert(!str_parse_double(bad[k], &d), "'%s'", bad[k]);
}

Test(str, copies_what_fits)
{
	char to[4];

	cr_assert_eq(str_copy(to, sizeof(to), "abc"), 3);
	cr_assert_str_eq(to, "abc");
	cr_assert_eq(str_copy(to, sizeof(to), "abcdef"), 6);
	cr_assert_str_eq(to, "abc");
	cr_assert_eq(str_copy(to, 1, "x"), 1);
	cr_assert_str_eq(to, "");
}

static const struct {
	const char *bytes;
	bool is_good;
} utf8_cases[] = {
	{ "", true },
	{ "plain text, longer than a word", true },
	{ "12345678\xc3\xa4", true },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", true },
	{ "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", true },
	{ "\xc0\x80", false },	       /* overlong */
	{ "\xc1\xbf", false },	       /* overlong */
	{ "\xe0\x9f\xbf", false },     /* overlong */
	{ "\xf0\x8f\xbf\xbf", false }, /* overlong */
	{ "\xed\xa0\x80", false },     /* surrogate */
	{ "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
	{ "\xf5\x80\x80\x80", false },
	{ "12345678\x80", false },
	{ "\xc3", false },
	{ "\xe2\x82", false },
	{ "\xf0\x9f\x98", false },
	{ "\xc3\x28", false },
	{ "\xff", false },
};

Test(str, knows_utf8)
{
	for (size_t i = 0; i < sizeof(utf8_cases) / sizeof(utf8_cases[0]); i++)
		cr_assert_eq(str_is_utf8(utf8_cases[i].bytes,
					 strlen(utf8_cases[i].bytes)),
			     utf8_cases[i].is_good, "case %zu", i);
	cr_assert(str_is_utf8("a\0b", 3), "NUL is a character");
}

Test(str, cuts_between_characters)
{
	const char *text = "a\xf0\x9f\x98\x80z";

	cr_assert_eq(str_utf8_cut(text, 6, 10), 6);
	cr_assert_eq(str_utf8_cut(text, 6, 5), 5);
	for (size_t max = 1; max < 5; max++)
		cr_assert_eq(str_utf8_cut(text, 6, max), 1, "%zu", max);
	cr_assert_eq(str_utf8_cut(text, 6, 0), 0);
	cr_assert_eq(str_utf8_cut("\x80\x80\x80\x80\x80\x80\x80", 7, 6), 6);
}
