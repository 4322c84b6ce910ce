/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <criterion/criterion.h>
#include <string.h>

/* All fields of a text, joined: '|' ends a field, '/' a line. */
static enum err_code join(const char *text, char delimiter, char out[256],
			  struct err *err)
{
	struct csv csv;
	size_t n = 0;

	csv_init(&csv, text, strlen(text), delimiter);
	while (csv.at < csv.end) {
		struct csv_field field;
		enum err_code rc = csv_next(&csv, &field, err);

		if (rc)
			return rc;
		cr_assert_lt(n + field.len + 2, 256);
		if (field.has_doubled)
			n += csv_unquote(&field, out + n);
		else
			memcpy(out + n, field.bytes, field.len);
		n += field.has_doubled ? 0 : field.len;
		out[n++] = field.is_last ? '/' : '|';
	}
	out[n] = '\0';
	return ERR_NONE;
}

Test(csv, fields_end_where_rfc_4180_says)
{
	static const struct {
		const char *text, *expected;
	} row[] = {
		{ "a,b\n1,2\n", "a|b/1|2/" },
		{ "a,b\r\n1,2", "a|b/1|2/" },
		{ "\xef\xbb\xbf"
		  "a,b",
		  "a|b/" },
		{ "a,\n,b\n", "a|/|b/" },
		{ "\"a,b\",\"c\nd\"\n", "a,b|c\nd/" },
		{ "\"say \"\"no\"\"\",x", "say \"no\"|x/" },
		{ "\"\",\"\"\"\"\n", "|\"/" },
		{ " a , b ", " a | b /" },
		{ "a\"b,c", "a\"b|c/" },
		{ "\n\n", "//" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char out[256];
		struct err err = { 0 };

		cr_assert_eq(join(row[i].text, ',', out, &err), ERR_NONE,
			     "%s: %s", row[i].text, err.msg);
		cr_assert_str_eq(out, row[i].expected);
	}
}

Test(csv, faults_name_their_line)
{
	char out[256];
	struct err err;

	cr_assert_eq(join("a\n\"b\nc", ',', out, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg, "CSV: line 2: a quote that does not close");
	cr_assert_eq(join("a\n\"x\ny\"\n\"b\"c", ',', out, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg, "CSV: line 4: expected ',' or the end of the "
				  "line behind a field");
	cr_assert_eq(join("a;b\rc", ';', out, &err), ERR_INVALID);
}

Test(csv, the_delimiter_is_told_from_the_first_line)
{
	static const struct {
		const char *text;
		char expected;
	} row[] = {
		{ "a,b;c,d\n", ',' }, { "a;b\n1,5;2,5;3,5", ';' },
		{ "a\tb", '\t' },     { "\"a,b,c\"|d", '|' },
		{ "alone", ',' },     { "", ',' },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		cr_assert_eq(csv_sniff(row[i].text, strlen(row[i].text)),
			     row[i].expected, "%s", row[i].text);
}
