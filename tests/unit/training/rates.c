/* SPDX-License-Identifier: Apache-2.0 */
#include "training/rates.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json_write.h"

static enum err_code read_text(const char *value, struct rates *ret,
			       struct arena *arena, struct err *err)
{
	char yaml[256];
	struct doc *map;

	(void)snprintf(yaml, sizeof(yaml), "{learning_rate: %s}", value);
	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "r", arena, &map, err),
		     ERR_NONE, "%s", err->msg);
	return rates_read(doc_find(map, "learning_rate"), "trainer", 1e-3, ret,
			  arena, err);
}

Test(rates, are_spread_over_groups)
{
	static const struct {
		const char *text;
		double base, factor[3];
	} rows[] = {
		{ "", 1e-3, { 1, 1, 1 } },
		{ "0.5", 0.5, { 1, 1, 1 } },
		{ "[2, 4]", 4, { 0.5, 0.5, 1 } },
		{ "[1, 2, 4]", 4, { 0.25, 0.5, 1 } },
		/* fastai: slice(1e-6, 1e-4) of three is 1e-6, 1e-5, 1e-4 */
		{ "{from: 1.0e-6, to: 1.0e-4}", 1e-4, { 1e-2, 1e-1, 1 } },
		{ "{to: 3}", 3, { 0.1, 0.1, 1 } },
		{ "auto", 1, { 1, 1, 1 } },
	};
	struct arena *arena = arena_create(1 << 20);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		double factor[3];
		struct rates rates;

		cr_assert_eq(read_text(rows[i].text, &rates, arena, &err),
			     ERR_NONE, "%s", err.msg);
		cr_assert_eq(rates_spread(&rates, 3, factor, &err), ERR_NONE);
		cr_expect_eq(rates_base(&rates), rows[i].base);
		for (int g = 0; g < 3; g++)
			cr_expect_float_eq(factor[g], rows[i].factor[g], 1e-12,
					   "%s, group %d: %g", rows[i].text, g,
					   factor[g]);
		cr_assert_eq(rates_spread(&rates, 1, factor, &err),
			     rates.n > 1 ? ERR_INVALID : ERR_NONE);
	}
	arena_destroy(arena);
}

Test(rates, what_is_written_reads_back)
{
	static const char *const texts[] = { "0.5", "[1, 2]", "{to: 3}",
					     "{from: 1, to: 3}", "auto" };
	struct arena *arena = arena_create(1 << 20);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_writer writer;
		struct rates rates, again;
		struct err err = { 0 };
		struct doc *doc;
		struct buf buf;

		cr_assert_eq(read_text(texts[i], &rates, arena, &err),
			     ERR_NONE);
		buf_init(&buf, 4096);
		json_write_init(&writer, &buf);
		json_write_object(&writer, NULL);
		rates_write(&rates, &writer);
		json_write_object_end(&writer);
		cr_assert_eq(doc_parse_json(buf.data, buf.len, "again", arena,
					    &doc, &err),
			     ERR_NONE);
		cr_assert_eq(rates_read(doc_find(doc, "learning_rate"),
					"trainer", 1, &again, arena, &err),
			     ERR_NONE);
		cr_expect_eq(again.n, rates.n);
		cr_expect_eq(again.is_auto, rates.is_auto);
		cr_expect(again.from == rates.from && again.to == rates.to);
		buf_finish(&buf);
	}
	arena_destroy(arena);
}

Test(rates, what_is_no_rate_is_refused)
{
	static const char *const texts[] = { "0",      "-1",	"[]",
					     "[1, 0]", "[a]",	"{from: 1}",
					     "often",  "true",	"{to: 0}",
					     "[[1]]",  "1e300", "{too: 1}" };
	struct arena *arena = arena_create(1 << 20);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = { 0 };
		struct rates rates;

		cr_expect_eq(read_text(texts[i], &rates, arena, &err),
			     ERR_INVALID, "%s", texts[i]);
		cr_expect(strstr(err.msg, "trainer.learning_rate"), "%s: %s",
			  texts[i], err.msg);
	}
	arena_destroy(arena);
}
