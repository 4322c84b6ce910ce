/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file_priv.h"
#include "base/str.h"

enum { TEMPORARY_DIGITS = 16, FILE_MODE = 0644, WRITE_MAX = 1 << 30 };

/* Tests set it to walk through every failure; 0 never fails. */
static _Thread_local struct {
	unsigned long n;
	int error;
} fuse; /* NOLINT(*-global-variables) */

void file_fail_at(unsigned long n, int error)
{
	fuse.n = n;
	fuse.error = error;
}

bool file_fuse_blows(void)
{
	if (!fuse.n || --fuse.n)
		return false;
	errno = fuse.error;
	return true;
}

enum err_code file_open_parent(const char *path, int *ret_fd,
			       const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX] = ".";
	int fd;

	if (!*name)
		return err_set(err, ERR_INVALID,
			       "'%s' names no file: it ends in a slash", path);
	if (slash) {
		/* the root's slash stays */
		const size_t len = slash == path ? 1 : (size_t)(slash - path);

		if (len >= sizeof(folder))
			return file_err(err, ENAMETOOLONG, "open", path);
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_err(err, errno, "open folder", folder);
	*ret_fd = fd;
	*ret_name = name;
	return ERR_NONE;
}

enum err_code file_write_fd(int fd, const char *name, const void *data,
			    size_t len, struct err *err)
{
	const char *at = data;

	while (len) {
		const size_t piece = len < WRITE_MAX ? len : WRITE_MAX;
		const ssize_t n = file_fuse_blows() ? -1 : write(fd, at, piece);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_err(err, errno, "write", name);
		at += n;
		len -= (size_t)n;
	}
	return ERR_NONE;
}

/* Never tried again: after a failure the kernel counts the pages as clean. */
enum err_code file_sync_fd(int fd, const char *name, struct err *err)
{
	if (file_fuse_blows() || fsync(fd) != 0)
		return file_err(err, errno, "fsync", name);
	return ERR_NONE;
}

static enum err_code close_checked(int fd, const char *name, struct err *err)
{
	const bool is_failing = file_fuse_blows();
	const int error = errno;

	if (close(fd) != 0)
		return file_err(err, errno, "close", name);
	return is_failing ? file_err(err, error, "close", name) : ERR_NONE;
}

/* What is written, and whether it must last. */
struct content {
	struct file_pieces pieces;
	bool lasts;
};

/* Creates, writes, syncs; on failure nothing is left. `path` is for messages.
 */
static enum err_code write_new(int dir_fd, const char *name, const char *path,
			       const struct content *content, struct err *err)
{
	enum err_code rc = ERR_NONE, close_rc;
	int fd = -1;

	if (!file_fuse_blows())
		fd =
		    openat(dir_fd, name,
			   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			   FILE_MODE);
	if (fd < 0)
		return file_err(err, errno, "create", path);
	for (size_t i = 0; i < content->pieces.n && !rc; i++) {
		const struct file_piece *piece = &content->pieces.piece[i];

		rc = file_write_fd(fd, path, piece->data, piece->len, err);
		if (!rc && content->pieces.written)
			content->pieces.written(content->pieces.ctx, piece);
	}
	if (!rc && content->lasts)
		rc = file_sync_fd(fd, path, err);
	close_rc = close_checked(fd, path, rc ? NULL : err);
	if (!rc)
		rc = close_rc;
	if (rc)
		(void)unlinkat(dir_fd, name, 0);
	return rc;
}

enum err_code file_write_durable(int dir_fd, const char *name, const void *data,
				 size_t len, struct err *err)
{
	const struct file_piece piece = { data, len };
	const struct file_pieces pieces = { .piece = &piece, .n = 1 };

	return file_write_pieces(dir_fd, name, &pieces, err);
}

enum err_code file_write_pieces(int dir_fd, const char *name,
				const struct file_pieces *pieces,
				struct err *err)
{
	const struct content content = { *pieces, true };

	return write_new(dir_fd, name, name, &content, err);
}

static enum err_code replace_at(int dir_fd, const char *name, const char *path,
				const struct content *content, struct err *err)
{
	char temporary[TEMPORARY_DIGITS + sizeof(FILE_TEMPORARY)];
	enum err_code rc;

	(void)str_copy(temporary, sizeof(temporary), FILE_TEMPORARY);
	rc = digest_random_hex(temporary + strlen(FILE_TEMPORARY),
			       TEMPORARY_DIGITS, err);
	if (!rc)
		rc = write_new(dir_fd, temporary, path, content, err);
	if (rc)
		return rc;
	if (file_fuse_blows() ||
	    renameat(dir_fd, temporary, dir_fd, name) != 0) {
		rc = file_err(err, errno, "rename the new file to", path);
		(void)unlinkat(dir_fd, temporary, 0);
		return rc;
	}
	return content->lasts ? file_sync_fd(dir_fd, path, err) : ERR_NONE;
}

static enum err_code replace(const char *path, const struct content *content,
			     struct err *err)
{
	const char *name = path;
	enum err_code rc;
	int dir_fd = -1;

	rc = file_open_parent(path, &dir_fd, &name, err);
	if (rc)
		return rc;
	rc = replace_at(dir_fd, name, path, content, err);
	(void)close(dir_fd);
	return rc;
}

enum err_code file_write_atomic(const char *path, const void *data, size_t len,
				struct err *err)
{
	const struct file_piece piece = { data, len };
	const struct content content = {
		.pieces = { .piece = &piece, .n = 1 },
		.lasts = true,
	};

	return replace(path, &content, err);
}

enum err_code file_write_passing(const char *path, const void *data, size_t len,
				 struct err *err)
{
	const struct file_piece piece = { data, len };
	const struct content content = {
		.pieces = { .piece = &piece, .n = 1 },
		.lasts = false,
	};

	return replace(path, &content, err);
}

enum err_code file_sync_dir(const char *path, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err_code rc;

	if (fd < 0)
		return file_err(err, errno, "open folder", path);
	rc = file_sync_fd(fd, path, err);
	(void)close(fd);
	return rc;
}

enum err_code file_rename_noreplace(const char *from, const char *to,
				    struct err *err)
{
	char text[128];

	if (!file_fuse_blows() &&
	    renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return ERR_NONE;
	if (errno == ENOENT)
		return file_err(err, errno, "rename", from);
	(void)snprintf(text, sizeof(text), "rename '%.90s' to", from);
	return file_err(err, errno, text, to);
}
