/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/graph_text.h"

enum { TEXT_MAX = 1 << 14, PRINT_MAX = 1 << 22 };

/* What is printed reads back and prints the same, unless it grew beyond what
 * a text may be. */
static void round_trip(const struct graph *graph)
{
	struct graph *again = NULL;
	struct buf first, second;
	struct err err;
	enum err_code rc;

	buf_init(&first, PRINT_MAX);
	buf_init(&second, PRINT_MAX);
	graph_text_print(graph, &first);
	if (!buf_check(&first, "text", NULL)) {
		rc = graph_text_parse(first.data, &again, NULL, &err);
		assert(!rc || rc == ERR_TOO_LARGE || rc == ERR_NO_MEMORY);
		if (!rc) {
			graph_text_print(again, &second);
			assert(second.fault ||
			       !strcmp(first.data, second.data));
		}
	}
	graph_destroy(again);
	buf_finish(&first);
	buf_finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size <= TEXT_MAX ? mem_zero(size + 1) : NULL;
	struct graph *graph = NULL;
	struct err err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (!graph_text_parse(text, &graph, NULL, &err)) {
		round_trip(graph);
		assert(!graph_tidy(graph, &err));
	}
	graph_destroy(graph);
	mem_free(text);
	return 0;
}
