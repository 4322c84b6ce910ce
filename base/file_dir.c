/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_priv.h"
#include "base/mem.h"
#include "base/str.h"

enum { LEVELS = 64, FOLDER_MODE = 0755 };

static bool is_dots(const char *name)
{
	return str_equal(name, ".") || str_equal(name, "..");
}

static enum err_code make_dir(const char *path, struct err *err)
{
	struct stat st;

	if (!file_fuse_blows() && mkdir(path, FOLDER_MODE) == 0)
		return ERR_NONE;
	if (errno != EEXIST)
		return file_err(err, errno, "make folder", path);
	if (stat(path, &st) != 0)
		return file_err(err, errno, "look at", path);
	if (!S_ISDIR(st.st_mode))
		return file_err(err, ENOTDIR, "make folder", path);
	return ERR_NONE;
}

enum err_code file_make_dirs(const char *path, struct err *err)
{
	char part[PATH_MAX];
	enum err_code rc;

	if (str_copy(part, sizeof(part), path) >= sizeof(part))
		return file_err(err, ENAMETOOLONG, "make folder", path);
	for (size_t i = 1; part[i - 1] && part[i]; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		rc = make_dir(part, err);
		part[i] = '/';
		if (rc)
			return rc;
	}
	return make_dir(path, err);
}

/* A folder being emptied: open ones, outermost first, and the path so far. */
struct removal {
	DIR *open[LEVELS];
	size_t ends[LEVELS]; /* length of the path of each */
	size_t depth;
	char path[PATH_MAX];
};

static enum err_code descend(struct removal *removal, int at_fd,
			     const char *name, struct err *err)
{
	int fd;

	if (removal->depth == LEVELS)
		return err_set(err, ERR_TOO_LARGE,
			       "cannot remove '%s': nested deeper than %d",
			       removal->path, LEVELS);
	fd = openat(at_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return file_err(err, errno, "open folder", removal->path);
	removal->open[removal->depth] = fdopendir(fd);
	if (!removal->open[removal->depth]) {
		const int error = errno;

		(void)close(fd);
		return file_err(err, error, "open folder", removal->path);
	}
	removal->ends[removal->depth++] = strlen(removal->path);
	return ERR_NONE;
}

/* unlink() says EISDIR of a folder, which then is emptied first. */
static enum err_code remove_entry(struct removal *removal, const char *name,
				  struct err *err)
{
	const int fd = dirfd(removal->open[removal->depth - 1]);
	const size_t end = removal->ends[removal->depth - 1];
	const size_t room = sizeof(removal->path) - end;
	enum err_code rc;

	if (room < 2 || strlen(name) + 2 > room)
		return file_err(err, ENAMETOOLONG, "remove", removal->path);
	removal->path[end] = '/';
	(void)str_copy(removal->path + end + 1, room - 1, name);
	if (!file_fuse_blows() && unlinkat(fd, name, 0) == 0)
		rc = ERR_NONE;
	else if (errno == EISDIR)
		return descend(removal, fd, name, err);
	else
		rc = file_err(err, errno, "remove", removal->path);
	removal->path[end] = '\0';
	return rc;
}

/* The innermost folder is empty: close and remove it. */
static enum err_code ascend(struct removal *removal, struct err *err)
{
	const char *name = removal->path;
	enum err_code rc = ERR_NONE;
	int at_fd = AT_FDCWD;

	(void)closedir(removal->open[--removal->depth]);
	if (removal->depth) {
		at_fd = dirfd(removal->open[removal->depth - 1]);
		name += removal->ends[removal->depth - 1] + 1;
	}
	if (file_fuse_blows() || unlinkat(at_fd, name, AT_REMOVEDIR) != 0)
		rc = file_err(err, errno, "remove folder", removal->path);
	if (removal->depth)
		removal->path[removal->ends[removal->depth - 1]] = '\0';
	return rc;
}

static enum err_code remove_next(struct removal *removal, struct err *err)
{
	DIR *dir = removal->open[removal->depth - 1];
	const struct dirent *entry;

	errno = 0;
	entry = readdir(dir); /* NOLINT(concurrency-*): the stream is ours */
	if (!entry && errno)
		return file_err(err, errno, "list", removal->path);
	if (!entry)
		return ascend(removal, err);
	if (is_dots(entry->d_name))
		return ERR_NONE;
	return remove_entry(removal, entry->d_name, err);
}

enum err_code file_remove_tree(const char *path, struct err *err)
{
	struct removal removal = { 0 };
	enum err_code rc;

	if (!file_fuse_blows() && unlink(path) == 0)
		return ERR_NONE;
	if (errno == ENOENT)
		return ERR_NONE;
	if (errno != EISDIR)
		return file_err(err, errno, "remove", path);
	if (str_copy(removal.path, sizeof(removal.path), path) >=
	    sizeof(removal.path))
		return file_err(err, ENAMETOOLONG, "remove", path);
	rc = descend(&removal, AT_FDCWD, path, err);
	while (!rc && removal.depth)
		rc = remove_next(&removal, err);
	while (removal.depth)
		(void)closedir(removal.open[--removal.depth]);
	return rc;
}

static int compare_names(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

struct names {
	const char **v;
	size_t n, cap;
};

static bool names_add(struct names *names, const char *name,
		      struct arena *arena)
{
	const char *copy = arena_strdup(arena, name);

	if (!copy)
		return false;
	if (names->n == names->cap) {
		const size_t cap = names->cap ? names->cap * 2 : 64;
		const char **v = mem_resize(names->v, cap, sizeof(*v));

		if (!v)
			return false;
		names->v = v;
		names->cap = cap;
	}
	names->v[names->n++] = copy;
	return true;
}

static enum err_code read_names(DIR *dir, const char *path, size_t max,
				struct arena *arena, struct names *names,
				struct err *err)
{
	const struct dirent *entry;

	for (;;) {
		errno = 0;
		entry = readdir(dir); /* NOLINT(concurrency-*): ours */
		if (!entry)
			break;
		if (is_dots(entry->d_name))
			continue;
		if (names->n == max)
			return err_set(err, ERR_TOO_LARGE,
				       "folder '%s' holds more than the %zu "
				       "names allowed",
				       path, max);
		if (!names_add(names, entry->d_name, arena))
			return err_set(err, ERR_NO_MEMORY,
				       "cannot list '%s': out of memory", path);
	}
	return errno ? file_err(err, errno, "list", path) : ERR_NONE;
}

enum err_code file_list_dir(const char *path, size_t max, struct arena *arena,
			    const char ***ret_names, size_t *ret_n,
			    struct err *err)
{
	struct names names = { 0 };
	const char **sorted;
	enum err_code rc;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return file_err(err, errno, "list", path);
	rc = read_names(dir, path, max, arena, &names, err);
	if (rc)
		goto out;
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare_names);
	sorted = arena_copy(arena, names.v, names.n * sizeof(*names.v));
	if (!sorted) {
		rc = err_set(err, ERR_NO_MEMORY,
			     "cannot list '%s': out of memory", path);
		goto out;
	}
	*ret_names = sorted;
	*ret_n = names.n;
out:
	mem_free(names.v);
	(void)closedir(dir);
	return rc;
}
