/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/doc.h"
#include "base/field.h"
#include "base/json_write.h"

enum { TEXT_MAX = 1 << 24 };

struct options {
	int64_t count, bytes;
	double rate, seconds;
	const char *name;
	int kind;
	struct field_ints ints;
	struct field_doubles doubles;
	struct field_strings strings;
	const struct doc *doc;
};

static const char *const kinds[] = { "one", "two", NULL };

#define AT(member) .offset = offsetof(struct options, member)
/* clang-format off */
static const struct field table[] = {
	{ "count", "", AT(count), .kind = FIELD_INT, .min = 1, .max = 9 },
	{ "bytes", "", AT(bytes), .kind = FIELD_BYTES },
	{ "rate", "", AT(rate), .kind = FIELD_DOUBLE },
	{ "seconds", "", AT(seconds), .kind = FIELD_SECONDS },
	{ "name", "", AT(name), .kind = FIELD_STRING },
	{ "kind", "", AT(kind), .kind = FIELD_ENUM, .names = kinds },
	{ "ints", "", AT(ints), .kind = FIELD_INTS, .min = -5, .max = 5 },
	{ "doubles", "", AT(doubles), .kind = FIELD_DOUBLES },
	{ "strings", "", AT(strings), .kind = FIELD_STRINGS },
	{ "doc", "", AT(doc), .kind = FIELD_DOC },
	{ 0 },
};
/* clang-format on */

/* A YAML document written as JSON is the same document. */
static void check_as_json(const struct doc *doc, struct arena *arena)
{
	struct doc *again = NULL;
	struct json_writer writer;
	struct buf buf;
	struct err err;

	buf_init(&buf, TEXT_MAX);
	json_write_init(&writer, &buf);
	json_write_doc(&writer, NULL, doc);
	assert(!buf.fault);
	assert(
	    !doc_parse_json(buf.data, buf.len, "again", arena, &again, &err));
	/* 1.0 is written as 1 */
	assert(again->kind == doc->kind ||
	       (doc->kind == DOC_DOUBLE && again->number == doc->number));
	assert(again->n == doc->n);
	buf_finish(&buf);
}

static void check_fields(const struct doc *doc, struct arena *arena)
{
	struct options options;
	struct err err = { 0 };

	if (field_read(table, doc, "map", NULL, &options, arena, &err))
		assert(*err.msg);
	else
		assert(options.count == 0 ||
		       (options.count > 0 && options.count < 10));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(64 << 20);
	struct doc *doc = NULL;
	struct err err;

	if (!arena)
		return 0;
	if (doc_parse_yaml((const char *)data, size, "input", arena, &doc,
			   &err)) {
		assert(!doc && *err.msg);
	} else {
		check_as_json(doc, arena);
		check_fields(doc, arena);
	}
	arena_destroy(arena);
	return 0;
}
