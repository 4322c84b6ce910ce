/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "data/reader.h"

#define READER(name) extern const struct reader reader_##name;
#include "data/readers/readers.def"
#undef READER

static const struct reader *const readers[] = {
#define READER(name) &reader_##name,
#include "data/readers/readers.def"
#undef READER
	NULL,
};

static const char *const names[] = {
#define READER(name) #name,
#include "data/readers/readers.def"
#undef READER
	NULL,
};

const struct reader *reader_find(const char *name)
{
	for (size_t i = 0; readers[i]; i++) {
		if (str_equal(readers[i]->name, name))
			return readers[i];
	}
	return NULL;
}

const struct reader *reader_detect(const struct file_root *root,
				   const char *path)
{
	for (size_t i = 0; readers[i]; i++) {
		if (readers[i]->detects && readers[i]->detects(root, path))
			return readers[i];
	}
	return NULL;
}

const char *const *reader_names(void)
{
	return names;
}

bool reader_is_folder(const struct file_root *root, const char *path)
{
	int fd;

	if (file_root_openat(root, path, FILE_FOLDER, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

enum err_code reader_list(const struct file_root *root, const char *path,
			  size_t max, struct arena *arena,
			  struct reader_files *ret, struct err *err)
{
	const char *folder =
	    arena_printf(arena, "%s/%s", file_root_path(root), path);

	if (!folder)
		return err_set(err, ERR_NO_MEMORY, "'%s': out of memory", path);
	return file_list_dir(folder, max, arena, &ret->name, &ret->n, err);
}
