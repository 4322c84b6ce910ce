/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text: plain text in UTF-8 as one long stream for a language model: a file,
 * or a folder with a training part (its name ends with train.txt) and a part
 * to validate on (valid.txt, else test.txt); a folder may also hold just one
 * text. Each may be gzipped. A mark of byte order at the beginning is passed
 * over.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "data/readers/part_files.h"
#include "data/readers/text_windows.h"

#define TEXT_MAX_BYTES ((size_t)4 << 30)

struct text_source {
	char *text[PART_FILES];
	struct text_windows windows;
	int64_t n_train; /* -1: one part */
	const struct pipeline *pipeline;
};

static const struct part_files files = {
	.suffix = (const char *const[]){ ".txt", NULL },
	.what = "texts (.txt)",
	.parts = "train.txt and valid.txt",
};

static bool text_detects(const struct file_root *root, const char *path)
{
	return part_files_detect(&files, root, path);
}

/* Where the first byte is that begins no character, with its line. */
static enum err_code check_utf8(const char *text, size_t len, const char *file,
				struct err *err)
{
	int64_t line = 1;
	size_t at = 0, n;

	if (str_is_utf8(text, len))
		return ERR_NONE;
	for (; (n = str_utf8_char(text + at, len - at)) > 0; at += n)
		line += text[at] == '\n';
	return err_set(err, ERR_INVALID,
		       "'%s': it must be UTF-8, but byte %zu (in line %lld) "
		       "begins no character",
		       file, at, (long long)line);
}

/* Part number `part`; `file` is beneath the root. */
static enum err_code add_file(struct text_source *source,
			      const struct file_root *root, const char *file,
			      int part, struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf";
	const size_t before = source->windows.n;
	size_t len = 0, skip = 0;
	char *text;
	enum err_code rc =
	    part_files_read(root, file, TEXT_MAX_BYTES, &text, &len, err);

	if (rc)
		return rc;
	source->text[part] = text;
	rc = check_utf8(text, len, file, err);
	if (!rc && len >= 3 && memcmp(text, mark, 3) == 0)
		skip = 3;
	if (!rc)
		rc = text_windows_add(&source->windows, text + skip, len - skip,
				      err);
	if (!rc && source->windows.n == before)
		rc = err_set(err, ERR_INVALID,
			     "'%s' is too short: a row takes %lld tokens and "
			     "the one behind them (max_sequence_length)",
			     file, (long long)source->windows.cut.length);
	return rc;
}

static enum err_code add_files(struct text_source *text,
			       const struct reader_source *source,
			       struct arena *arena, struct err *err)
{
	const char *path[PART_FILES];
	enum err_code rc = part_files_find(&files, source, arena, path, err);

	for (int i = 0; !rc && i < PART_FILES && path[i]; i++) {
		if (i == 1)
			text->n_train = (int64_t)text->windows.n;
		rc = add_file(text, source->root, path[i], i, err);
	}
	return rc;
}

static void text_close(void *state)
{
	struct text_source *text = state;

	if (!text)
		return;
	text_windows_finish(&text->windows);
	for (int i = 0; i < PART_FILES; i++)
		mem_free(text->text[i]);
	mem_free(text);
}

static enum err_code text_open(const struct reader_source *source,
			       void **ret_state, struct err *err)
{
	struct text_source *text;
	struct arena *arena;
	enum err_code rc = ERR_NONE;

	if (!pipeline_is_language(source->pipeline))
		return err_set(err, ERR_INVALID,
			       "data.format: plain text ('%s') trains language "
			       "models, whose input and output feature is one "
			       "text of the same name; texts with labels are "
			       "rows of a csv",
			       source->shown);
	text = mem_zero(sizeof(*text));
	arena = arena_create((size_t)64 << 20);
	if (!text || !arena) {
		rc = err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
			     source->shown);
		goto out;
	}
	text->n_train = -1;
	text->pipeline = source->pipeline;
	text_windows_init(&text->windows, pipeline_text_cut(source->pipeline));
	rc = add_files(text, source, arena, err);
	if (!rc) {
		*ret_state = text;
		text = NULL;
	}
out:
	text_close(text);
	arena_destroy(arena);
	return rc;
}

static int64_t text_n_rows(const void *state)
{
	return (int64_t)((const struct text_source *)state)->windows.n;
}

static int64_t text_n_fixed_train(const void *state)
{
	return ((const struct text_source *)state)->n_train;
}

static bool text_is_stream(const void *state)
{
	(void)state;
	return true;
}

static enum err_code text_column(const void *state, const char *feature,
				 bool is_output, unsigned *ret_column,
				 struct err *err)
{
	const struct text_source *text = state;

	if (!str_equal(feature, pipeline_output_name(text->pipeline, 0)))
		return err_set(
		    err, ERR_INVALID,
		    "data: plain text has one column, which is '%s'; "
		    "there is no '%s'",
		    pipeline_output_name(text->pipeline, 0), feature);
	*ret_column = is_output ? TEXT_COLUMN_TARGET : TEXT_COLUMN_INPUT;
	return ERR_NONE;
}

static enum err_code text_value(const void *state, int64_t row, unsigned column,
				struct raw_value *ret, struct err *err)
{
	const struct text_source *text = state;

	(void)err;
	text_windows_value(&text->windows, row, (enum text_column)column, ret);
	return ERR_NONE;
}

extern const struct reader reader_text;
const struct reader reader_text = {
	.name = "text",
	.help = "plain text for language models: a file, or a folder with "
		"*train.txt and *valid.txt",
	.detects = text_detects,
	.open = text_open,
	.n_rows = text_n_rows,
	.n_fixed_train = text_n_fixed_train,
	.is_stream = text_is_stream,
	.column = text_column,
	.value = text_value,
	.close = text_close,
};
