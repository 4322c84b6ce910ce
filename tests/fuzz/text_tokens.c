/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Texts as tokens: two bytes say how they are cut, the rest is the text. Rows
 * lie in the text and follow from each other; a vocabulary knows what it has
 * counted.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "data/features/vocabulary.h"
#include "data/readers/text_windows.h"

static void check_rows(enum token_level level, int64_t length, const char *text,
		       size_t len)
{
	const struct text_cut cut = { level, length };
	struct text_windows windows;
	struct raw_value in, target;

	text_windows_init(&windows, cut);
	if (text_windows_add(&windows, text, len, NULL))
		windows.n = 0;
	for (size_t i = 0; i < windows.n; i++) {
		const struct text_window *w = &windows.window[i];
		struct token token;
		size_t at = 0;
		int64_t n = 0;

		text_windows_value(&windows, (int64_t)i, TEXT_COLUMN_INPUT,
				   &in);
		text_windows_value(&windows, (int64_t)i, TEXT_COLUMN_TARGET,
				   &target);
		assert(in.bytes >= text && w->end <= text + len);
		assert(in.bytes < target.bytes && w->stop < w->end);
		while (token_next(level, in.bytes, in.len, &at, &token))
			n++;
		assert(n == length);
		for (at = 0, n = 0;
		     token_next(level, target.bytes, target.len, &at, &token);)
			n++;
		assert(n == length);
		assert(!i || windows.window[i - 1].stop == w->begin);
	}
	text_windows_finish(&windows);
}

static void check_vocabulary(enum token_level level, const char *text,
			     size_t len)
{
	const struct vocabulary_limits limits = { VOCABULARY_MAX, 1 };
	struct arena *arena = arena_create((size_t)64 << 20);
	struct field_strings list;
	struct vocabulary v;
	struct token token;
	size_t at = 0;

	if (!arena)
		return;
	vocabulary_init(&v, arena);
	while (token_next(level, text, len, &at, &token)) {
		assert(token.len > 0 && token.len <= TOKEN_MAX);
		if (vocabulary_count(&v, token, NULL))
			break;
	}
	if (!vocabulary_fit(&v, &limits, &list, NULL)) {
		for (at = 0; token_next(level, text, len, &at, &token);) {
			const int64_t id = vocabulary_find(&v, token);

			assert(id >= 0 && id < (int64_t)list.n);
			/* but for a NUL, and for the names of specials */
			assert(id >= VOCABULARY_SPECIALS || token.len == 5 ||
			       memchr(token.bytes, '\0', token.len));
		}
	}
	arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	size_t len;

	if (size < 2)
		return 0;
	len = size - 2;
	text = mem_alloc(len + 1);
	if (!text)
		return 0;
	memcpy(text, data + 2, len);
	check_rows(data[0] & 1 ? TOKEN_WORD : TOKEN_CHARACTER, 1 + data[1] % 16,
		   text, len);
	check_vocabulary(data[0] & 1 ? TOKEN_WORD : TOKEN_CHARACTER, text, len);
	mem_free(text);
	return 0;
}
