/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/text_windows.h"

#include "base/mem.h"

void text_windows_init(struct text_windows *windows, struct text_cut cut)
{
	*windows = (struct text_windows){ .cut = cut };
}

void text_windows_finish(struct text_windows *windows)
{
	mem_free(windows->window);
	*windows = (struct text_windows){ 0 };
}

static enum err_code push(struct text_windows *windows,
			  const struct text_window *window, struct err *err)
{
	if (windows->n == windows->cap) {
		const size_t cap = windows->cap ? 2 * windows->cap : 1024;
		struct text_window *grown =
		    mem_resize(windows->window, cap, sizeof(*grown));

		if (!grown)
			return err_set(err, ERR_NO_MEMORY,
				       "data: no memory for %zu rows of text",
				       cap);
		windows->window = grown;
		windows->cap = cap;
	}
	windows->window[windows->n++] = *window;
	return ERR_NONE;
}

enum err_code text_windows_add(struct text_windows *windows, const char *text,
			       size_t len, struct err *err)
{
	struct text_window window = { NULL, NULL, NULL, NULL };
	struct token token;
	size_t at = 0;
	int64_t n = 0; /* tokens of the row so far */
	enum err_code rc = ERR_NONE;

	while (!rc && token_next(windows->cut.level, text, len, &at, &token)) {
		if (n == windows->cut.length) {
			window.stop = token.bytes;
			window.end = token.bytes + token.len;
			if (n == 1)
				window.second = token.bytes;
			rc = push(windows, &window, err);
			n = 0;
		}
		if (n == 0)
			window.begin = token.bytes;
		else if (n == 1)
			window.second = token.bytes;
		n++;
	}
	return rc;
}

void text_windows_value(const struct text_windows *windows, int64_t row,
			enum text_column column, struct raw_value *ret)
{
	const struct text_window *w = &windows->window[row];
	const bool is_input = column == TEXT_COLUMN_INPUT;
	const char *begin = is_input ? w->begin : w->second;
	const char *end = is_input ? w->stop : w->end;

	*ret = (struct raw_value){ .kind = RAW_TEXT,
				   .bytes = begin,
				   .len = (size_t)(end - begin) };
}
