/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Image folder: pictures in folders that are named for their class,
 *
 *   FOLDER/cat/1.jpg ...            one part
 *   FOLDER/train/cat/1.jpg ...      what is trained on, and, where there,
 *   FOLDER/valid/cat/9.jpg ...      to validate on (valid, val, else test)
 *
 * Classes and files are taken in the order of their names' bytes. Files stay as
 * they are, encoded, in memory; those that are no pictures by their names, and
 * hidden ones, do not count.
 */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"

#define ALL_MAX_BYTES ((size_t)8 << 30)

enum { FILE_MAX_BYTES = 256 << 20, ENTRIES_MAX = 1 << 21 };
enum { COLUMN_PICTURE, COLUMN_LABEL };

struct picture_file {
	char *bytes;
	size_t len;
	const char *label;
};

struct image_folder {
	struct arena *arena; /* of labels */
	struct picture_file *file;
	int64_t n, cap, n_train; /* n_train -1: one part */
	size_t bytes;
};

/* While a folder is read. */
struct reading {
	struct image_folder *to;
	const struct file_root *root;
	const char *shown;
	struct arena *arena;
};

static const char *const suffixes[] = { ".png",	 ".jpg", ".jpeg", ".bmp",
					".ppm",	 ".pgm", ".tiff", ".tif",
					".webp", ".jp2", NULL };
static const char *const others[] = { "valid", "val", "validation", "test",
				      NULL };

static bool is_picture(const char *name)
{
	const size_t len = strlen(name);

	if (name[0] == '.')
		return false;
	for (const char *const *s = suffixes; *s; s++) {
		const size_t n = strlen(*s);

		if (len > n && !strcasecmp(name + len - n, *s))
			return true;
	}
	return false;
}

static enum err_code add_file(struct reading *r, const char *path,
			      const char *label, struct err *err)
{
	struct image_folder *to = r->to;
	struct picture_file file = { .label = label };
	enum err_code rc;
	int fd;

	if (to->n == to->cap) {
		const int64_t cap = to->cap ? 2 * to->cap : 256;
		void *more =
		    mem_resize(to->file, (size_t)cap, sizeof(*to->file));

		if (!more)
			return err_set(err, ERR_NO_MEMORY,
				       "'%s': out of memory", r->shown);
		to->file = more;
		to->cap = cap;
	}
	rc = file_root_openat(r->root, path, 0, &fd, err);
	if (rc)
		return rc;
	rc =
	    file_read_fd(fd, path, FILE_MAX_BYTES, &file.bytes, &file.len, err);
	(void)close(fd);
	if (rc)
		return rc;
	to->file[to->n++] = file;
	to->bytes += file.len;
	if (to->bytes > ALL_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE,
			       "'%s': pictures of more than 8 GiB together",
			       r->shown);
	return ERR_NONE;
}

static enum err_code add_class(struct reading *r, const char *path,
			       const char *name, struct err *err)
{
	struct reader_files files = { 0 };
	const char *label = NULL;
	enum err_code rc =
	    reader_list(r->root, path, ENTRIES_MAX, r->arena, &files, err);

	for (size_t i = 0; i < files.n && !rc; i++) {
		const char *at;

		if (!is_picture(files.name[i]))
			continue;
		if (!label)
			label = arena_strdup(r->to->arena, name);
		at = arena_printf(r->arena, "%s/%s", path, files.name[i]);
		if (!label || !at)
			return err_set(err, ERR_NO_MEMORY,
				       "'%s': out of memory", r->shown);
		rc = add_file(r, at, label, err);
	}
	return rc;
}

/* All classes of a part. */
static enum err_code add_part(struct reading *r, const char *path,
			      struct err *err)
{
	struct reader_files classes = { 0 };
	enum err_code rc =
	    reader_list(r->root, path, ENTRIES_MAX, r->arena, &classes, err);

	for (size_t i = 0; i < classes.n && !rc; i++) {
		const char *at =
		    arena_printf(r->arena, "%s/%s", path, classes.name[i]);

		if (!at)
			return err_set(err, ERR_NO_MEMORY,
				       "'%s': out of memory", r->shown);
		if (classes.name[i][0] != '.' && reader_is_folder(r->root, at))
			rc = add_class(r, at, classes.name[i], err);
	}
	return rc;
}

/* NULL: there is none of that name. */
static const char *part_path(const struct file_root *root, const char *path,
			     const char *part, struct arena *arena)
{
	const char *at = arena_printf(arena, "%s/%s", path, part);

	return at && reader_is_folder(root, at) ? at : NULL;
}

static enum err_code add_all(struct reading *r, const char *path,
			     struct err *err)
{
	const char *train = part_path(r->root, path, "train", r->arena);
	const char *other = NULL;
	enum err_code rc;

	if (!train)
		return add_part(r, path, err);
	for (const char *const *p = others; *p && !other; p++)
		other = part_path(r->root, path, *p, r->arena);
	rc = add_part(r, train, err);
	if (!rc && other) {
		r->to->n_train = r->to->n;
		rc = add_part(r, other, err);
	}
	return rc;
}

static void folder_close(void *state)
{
	struct image_folder *folder = state;

	if (!folder)
		return;
	for (int64_t i = 0; i < folder->n; i++)
		mem_free(folder->file[i].bytes);
	mem_free(folder->file);
	arena_destroy(folder->arena);
	mem_free(folder);
}

static enum err_code folder_open(const struct reader_source *source,
				 void **ret_state, struct err *err)
{
	struct image_folder *folder = mem_zero(sizeof(*folder));
	struct arena *arena = arena_create((size_t)1 << 30);
	struct reading reading = { folder, source->root, source->shown, arena };
	enum err_code rc = ERR_NONE;

	if (folder)
		folder->arena = arena_create((size_t)64 << 20);
	if (!folder || !arena || !folder->arena) {
		rc = err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
			     source->shown);
		goto out;
	}
	folder->n_train = -1;
	rc = add_all(&reading, source->path, err);
	if (!rc && !folder->n)
		rc = err_set(err, ERR_INVALID,
			     "'%s' has no pictures in folders named for their "
			     "classes, such as cat/1.jpg or train/cat/1.jpg",
			     source->shown);
	if (!rc) {
		*ret_state = folder;
		folder = NULL;
	}
out:
	folder_close(folder);
	arena_destroy(arena);
	return rc;
}

/* Does a folder in it have a picture? */
static bool has_class(const struct file_root *root, const char *path,
		      struct arena *arena)
{
	struct reader_files classes = { 0 }, files = { 0 };

	if (reader_list(root, path, ENTRIES_MAX, arena, &classes, NULL))
		return false;
	for (size_t i = 0; i < classes.n; i++) {
		const char *at =
		    arena_printf(arena, "%s/%s", path, classes.name[i]);

		if (!at || classes.name[i][0] == '.' ||
		    !reader_is_folder(root, at) ||
		    reader_list(root, at, ENTRIES_MAX, arena, &files, NULL))
			continue;
		for (size_t k = 0; k < files.n; k++) {
			if (is_picture(files.name[k]))
				return true;
		}
	}
	return false;
}

static bool folder_detects(const struct file_root *root, const char *path)
{
	struct arena *arena = arena_create((size_t)1 << 30);
	const char *train;
	bool yes = false;

	if (arena && reader_is_folder(root, path)) {
		train = part_path(root, path, "train", arena);
		yes = has_class(root, train ? train : path, arena);
	}
	arena_destroy(arena);
	return yes;
}

static int64_t folder_n_rows(const void *state)
{
	return ((const struct image_folder *)state)->n;
}

static int64_t folder_n_fixed_train(const void *state)
{
	return ((const struct image_folder *)state)->n_train;
}

static enum err_code folder_column(const void *state, const char *feature,
				   bool is_output, unsigned *ret_column,
				   struct err *err)
{
	(void)state;
	(void)feature;
	(void)err;
	*ret_column = is_output ? COLUMN_LABEL : COLUMN_PICTURE;
	return ERR_NONE;
}

static enum err_code folder_value(const void *state, int64_t row,
				  unsigned column, struct raw_value *ret,
				  struct err *err)
{
	const struct picture_file *file =
	    &((const struct image_folder *)state)->file[row];

	(void)err;
	*ret = column == COLUMN_LABEL
		   ? (struct raw_value){ .kind = RAW_TEXT,
					 .bytes = file->label,
					 .len = strlen(file->label) }
		   : (struct raw_value){ .kind = RAW_BYTES,
					 .bytes = file->bytes,
					 .len = file->len };
	return ERR_NONE;
}

extern const struct reader reader_image_folder;
const struct reader reader_image_folder = {
	.name = "image_folder",
	.help = "pictures in folders named for their classes",
	.detects = folder_detects,
	.open = folder_open,
	.n_rows = folder_n_rows,
	.n_fixed_train = folder_n_fixed_train,
	.column = folder_column,
	.value = folder_value,
	.close = folder_close,
};
