/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/doc.h"
#include "base/json_write.h"

enum { TEXT_MAX = 1 << 24 };

/* What was read is written, read and written again: both texts must agree. */
static void check_round_trip(const struct doc *doc, struct arena *arena)
{
	struct buf texts[2];
	struct err err;

	for (int i = 0; i < 2; i++) {
		struct json_writer writer;
		struct doc *again = NULL;

		buf_init(&texts[i], TEXT_MAX);
		json_write_init(&writer, &texts[i]);
		json_write_doc(&writer, NULL, doc);
		assert(!texts[i].fault);
		assert(!doc_parse_json(texts[i].data, texts[i].len, "again",
				       arena, &again, &err));
		doc = again;
	}
	assert(texts[0].len == texts[1].len);
	assert(memcmp(texts[0].data, texts[1].data, texts[0].len) == 0);
	buf_finish(&texts[0]);
	buf_finish(&texts[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(64 << 20);
	struct doc *doc = NULL;
	struct err err;

	if (!arena)
		return 0;
	if (doc_parse_json((const char *)data, size, "input", arena, &doc,
			   &err))
		assert(!doc && *err.msg);
	else
		check_round_trip(doc, arena);
	arena_destroy(arena);
	return 0;
}
