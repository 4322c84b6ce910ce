/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/part_files.h"

#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "data/readers/gunzip.h"

enum { FILES_MAX = 4096, END_BYTES = 32 };

/* The files of a folder that count, by what their names end with. */
struct found {
	const char *train, *valid, *test, *only;
	size_t n;
};

/* The name ends with part, a suffix of the kind, and maybe .gz. */
static bool is_part(const struct part_files *kind, const char *name,
		    const char *part)
{
	static const char *const packed[] = { "", ".gz" };
	char end[END_BYTES];

	for (const char *const *suffix = kind->suffix; *suffix; suffix++)
		for (int i = 0; i < 2; i++) {
			(void)snprintf(end, sizeof(end), "%s%s%s", part,
				       *suffix, packed[i]);
			if (str_ends_with(name, end))
				return true;
		}
	return false;
}

static enum err_code look(const struct part_files *kind,
			  const struct file_root *root, const char *path,
			  struct arena *arena, struct found *ret,
			  struct err *err)
{
	struct reader_files all = { 0 };
	enum err_code rc = reader_list(root, path, FILES_MAX, arena, &all, err);

	*ret = (struct found){ 0 };
	for (size_t i = 0; i < all.n && !rc; i++) {
		if (!is_part(kind, all.name[i], ""))
			continue;
		ret->n++;
		ret->only = all.name[i];
		if (is_part(kind, all.name[i], "train"))
			ret->train = all.name[i];
		else if (is_part(kind, all.name[i], "valid"))
			ret->valid = all.name[i];
		else if (is_part(kind, all.name[i], "test"))
			ret->test = all.name[i];
	}
	return rc;
}

bool part_files_detect(const struct part_files *kind,
		       const struct file_root *root, const char *path)
{
	struct arena *arena;
	struct found found = { 0 };
	bool yes;

	if (!reader_is_folder(root, path))
		return is_part(kind, path, "");
	arena = arena_create(1 << 20);
	yes = arena && !look(kind, root, path, arena, &found, NULL) &&
	      (found.train || found.n == 1);
	arena_destroy(arena);
	return yes;
}

enum err_code part_files_find(const struct part_files *kind,
			      const struct reader_source *source,
			      struct arena *arena,
			      const char *ret_path[PART_FILES], struct err *err)
{
	const char *part[PART_FILES] = { NULL };
	struct found found;
	enum err_code rc;

	ret_path[0] = source->path;
	ret_path[1] = NULL;
	if (!reader_is_folder(source->root, source->path))
		return ERR_NONE;
	rc = look(kind, source->root, source->path, arena, &found, err);
	if (rc)
		return rc;
	part[0] = found.train ? found.train : found.only;
	if (found.train)
		part[1] = found.valid ? found.valid : found.test;
	if (!part[0] || (!found.train && found.n > 1))
		return err_set(err, ERR_INVALID,
			       "'%s' has %zu %s; name one, or end the names of "
			       "its parts with %s",
			       source->shown, found.n, kind->what, kind->parts);
	for (int i = 0; i < PART_FILES && part[i]; i++) {
		ret_path[i] =
		    arena_printf(arena, "%s/%s", source->path, part[i]);
		if (!ret_path[i])
			return err_set(err, ERR_NO_MEMORY,
				       "'%s': out of memory", source->shown);
	}
	return ERR_NONE;
}

enum err_code part_files_read(const struct file_root *root, const char *path,
			      size_t max, char **ret_text, size_t *ret_len,
			      struct err *err)
{
	int fd = -1;
	enum err_code rc = file_root_openat(root, path, 0, &fd, err);

	return rc ? rc : gunzip_read(fd, path, max, ret_text, ret_len, err);
}
