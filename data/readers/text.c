/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text: plain text in UTF-8 as one long stream for a language model: a file,
 * or a folder with a training part (its name ends with train.txt) and a part
 * to validate on (valid.txt, else test.txt); a folder may also hold just one
 * text. Each may be gzipped. A mark of byte order at the beginning is passed
 * over.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "data/readers/gunzip.h"
#include "data/readers/text_windows.h"

#define TEXT_MAX_BYTES ((size_t)4 << 30)

enum { FILES_MAX = 4096, PARTS = 2, PATH_BYTES = 4096 };

struct text_source {
	char *text[PARTS];
	struct text_windows windows;
	int64_t n_train; /* -1: one part */
	const struct pipeline *pipeline;
};

/* The files of a folder that count, by what their names end with. */
struct found {
	const char *train, *valid, *test, *only;
	size_t n;
};

static bool is_text(const char *name)
{
	return str_ends_with(name, ".txt") || str_ends_with(name, ".txt.gz");
}

static bool is_part(const char *name, const char *part)
{
	char end[32];

	(void)snprintf(end, sizeof(end), "%s.txt", part);
	if (str_ends_with(name, end))
		return true;
	(void)snprintf(end, sizeof(end), "%s.txt.gz", part);
	return str_ends_with(name, end);
}

static enum err_code look(const struct file_root *root, const char *path,
			  struct arena *arena, struct found *ret,
			  struct err *err)
{
	const char *folder =
	    arena_printf(arena, "%s/%s", file_root_path(root), path);
	const char **name = NULL;
	size_t n = 0;
	enum err_code rc;

	*ret = (struct found){ 0 };
	if (!folder)
		return err_set(err, ERR_NO_MEMORY, "'%s': out of memory", path);
	rc = file_list_dir(folder, FILES_MAX, arena, &name, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		if (!is_text(name[i]))
			continue;
		ret->n++;
		ret->only = name[i];
		if (is_part(name[i], "train"))
			ret->train = name[i];
		else if (is_part(name[i], "valid"))
			ret->valid = name[i];
		else if (is_part(name[i], "test"))
			ret->test = name[i];
	}
	return rc;
}

static bool is_folder(const struct file_root *root, const char *path)
{
	int fd;

	if (file_root_openat(root, path, FILE_FOLDER, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

static bool text_detects(const struct file_root *root, const char *path)
{
	struct arena *arena;
	struct found found = { 0 };
	bool yes;

	if (!is_folder(root, path))
		return is_text(path);
	arena = arena_create(1 << 20);
	yes = arena && !look(root, path, arena, &found, NULL) &&
	      (found.train || found.n == 1);
	arena_destroy(arena);
	return yes;
}

static enum err_code read_file(const struct file_root *root, const char *file,
			       char **ret_text, size_t *ret_len,
			       struct err *err)
{
	char *text = NULL, *packed;
	size_t len = 0;
	int fd = -1;
	enum err_code rc = file_root_openat(root, file, 0, &fd, err);

	if (rc)
		return rc;
	rc = file_read_fd(fd, file, TEXT_MAX_BYTES, &text, &len, err);
	(void)close(fd);
	if (!rc && str_ends_with(file, ".gz")) {
		packed = text;
		text = NULL;
		rc = gunzip(&(struct gunzip_source){ packed, len,
						     TEXT_MAX_BYTES, file },
			    &text, &len, err);
		mem_free(packed);
	}
	if (rc)
		return rc;
	*ret_text = text;
	*ret_len = len;
	return ERR_NONE;
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
	enum err_code rc = read_file(root, file, &text, &len, err);

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

static enum err_code add_folder(struct text_source *text,
				const struct reader_source *source,
				struct arena *arena, struct err *err)
{
	struct found found;
	const char *part[PARTS] = { NULL };
	enum err_code rc = look(source->root, source->path, arena, &found, err);

	if (rc)
		return rc;
	part[0] = found.train ? found.train : found.only;
	if (found.train)
		part[1] = found.valid ? found.valid : found.test;
	if (!part[0] || (!found.train && found.n > 1))
		return err_set(
		    err, ERR_INVALID,
		    "'%s' has %zu texts (.txt); name one, or end the "
		    "names of its parts with train.txt and "
		    "valid.txt",
		    source->shown, found.n);
	for (int i = 0; i < PARTS && part[i] && !rc; i++) {
		const char *file =
		    arena_printf(arena, "%s/%s", source->path, part[i]);

		if (i == 1)
			text->n_train = (int64_t)text->windows.n;
		rc = file ? add_file(text, source->root, file, i, err)
			  : err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
				    source->shown);
	}
	return rc;
}

static void text_close(void *state)
{
	struct text_source *text = state;

	if (!text)
		return;
	text_windows_finish(&text->windows);
	for (int i = 0; i < PARTS; i++)
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
	rc = is_folder(source->root, source->path)
		 ? add_folder(text, source, arena, err)
		 : add_file(text, source->root, source->path, 0, err);
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
