/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "models/repository_priv.h"

enum { NAMES_BYTES_MAX = 8 << 20 };

static bool keep_file(const char *name)
{
	return *name != '.';
}

static uint64_t stamp_of(int dir_fd, const char *const *names, size_t n)
{
	uint64_t hash = HASH_BEGIN;

	for (size_t i = 0; i < n; i++) {
		struct stat st;

		hash = hash_mix(hash, names[i], strlen(names[i]) + 1);
		if (fstatat(dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW))
			continue;
		hash = hash_mix(hash, &st.st_ino, sizeof(st.st_ino));
		hash = hash_mix(hash, &st.st_size, sizeof(st.st_size));
		hash = hash_mix(hash, &st.st_mtim, sizeof(st.st_mtim));
	}
	return hash;
}

/* Of a folder and what is in it, or of a file. */
static uint64_t stamp_at(const struct file_root *root, const char *path,
			 struct arena *arena)
{
	const char **names;
	uint64_t stamp = 0;
	struct stat st;
	size_t n;
	int fd;

	if (!repository_scan(root, path, keep_file, arena, &names, &n, NULL) &&
	    !file_root_openat(root, path, FILE_FOLDER, &fd, NULL)) {
		stamp = stamp_of(fd, names, n);
		(void)close(fd);
		return stamp;
	}
	if (file_root_openat(root, path, 0, &fd, NULL))
		return 0;
	if (!fstat(fd, &st)) {
		stamp = hash_mix(1, &st.st_ino, sizeof(st.st_ino));
		stamp = hash_mix(stamp, &st.st_size, sizeof(st.st_size));
		stamp = hash_mix(stamp, &st.st_mtim, sizeof(st.st_mtim));
	}
	(void)close(fd);
	return stamp;
}

uint64_t repository_calibration_stamp(struct repository *repository,
				      const char *model, int64_t version,
				      const char *path)
{
	struct arena *arena = arena_create(NAMES_BYTES_MAX);
	const struct file_root *root;
	char in[REPOSITORY_PATH_MAX], at[PATH_MAX];
	uint64_t stamp = 0;

	if (arena &&
	    !repository_locate(repository, model, version, &root, in, NULL) &&
	    !repository_beside(in, path, at, NULL))
		stamp = hash_mix(stamp_at(root, at, arena), path, strlen(path));
	arena_destroy(arena);
	return stamp;
}

enum err_code repository_stamp(struct repository *repository, const char *model,
			       int64_t version, uint64_t *ret_stamp,
			       struct err *err)
{
	struct arena *arena = arena_create(NAMES_BYTES_MAX);
	char path[REPOSITORY_PATH_MAX];
	const struct file_root *root;
	const char **names;
	size_t n;
	int fd;
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			       model);
	rc = repository_locate(repository, model, version, &root, path, err);
	if (!rc)
		rc = repository_scan(root, path, keep_file, arena, &names, &n,
				     err);
	if (!rc)
		rc = file_root_openat(root, path, FILE_FOLDER, &fd, err);
	if (!rc) {
		*ret_stamp = stamp_of(fd, names, n);
		(void)close(fd);
	}
	arena_destroy(arena);
	return rc;
}
