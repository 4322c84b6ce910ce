/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

enum { TRIES = 16 };

struct file_root {
	int fd;
	char path[];
};

enum err_code file_root_open(const char *path, struct file_root **ret_root,
			     struct err *err)
{
	const size_t size = strlen(path) + 1;
	struct file_root *root = mem_zero(sizeof(*root) + size);

	if (!root)
		return err_set(err, ERR_NO_MEMORY,
			       "root folder '%s': out of memory", path);
	memcpy(root->path, path, size);
	root->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0) {
		const int error = errno;

		mem_free(root);
		return file_err(err, error, "open root folder", path);
	}
	*ret_root = root;
	return ERR_NONE;
}

const char *file_path_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n > 1 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0)
		return NULL;
	if (path[n] == '\0')
		return ".";
	return path[n] == '/' && path[n + 1] ? path + n + 1 : NULL;
}

const char *file_root_path(const struct file_root *root)
{
	return root->path;
}

int file_root_fd(const struct file_root *root)
{
	return root->fd;
}

/* EAGAIN: something was renamed while ".." was followed (openat2(2)). */
static int open_beneath(const struct file_root *root, const char *path,
			unsigned flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

static enum err_code refuse(const struct file_root *root, const char *path,
			    const char *why, struct err *err)
{
	return err_set(err, ERR_FORBIDDEN, "cannot open '%s' beneath '%s': %s",
		       path, root->path, why);
}

static enum err_code explain(const struct file_root *root, const char *path,
			     int error, struct err *err)
{
	enum err_code rc;

	if (error == EXDEV)
		return refuse(root, path, "it leads out of the folder", err);
	if (error == ENOSYS)
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot open '%s': this kernel has no openat2 "
			       "(Linux 5.6 or later is needed)",
			       path);
	rc = file_err(err, error, "open", path);
	if (err)
		rc = err_prefix(err, "beneath '%s'", root->path);
	return rc;
}

static const char *objection(const struct stat *st, unsigned flags)
{
	if (flags & FILE_FOLDER)
		return S_ISDIR(st->st_mode) ? NULL : "it is not a folder";
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if (flags & FILE_SINGLE_LINK && st->st_nlink != 1)
		return "it has several hard links";
	return NULL;
}

static enum err_code check(const struct file_root *root, const char *path,
			   unsigned flags, int fd, struct err *err)
{
	struct stat st;
	const char *why;

	if (fstat(fd, &st) != 0)
		return explain(root, path, errno, err);
	why = objection(&st, flags);
	return why ? refuse(root, path, why, err) : ERR_NONE;
}

/* Looks (O_PATH) before it opens, because opening a device may act; then looks
 * again at what was opened. O_NONBLOCK: a pipe put there in between does not
 * hang us. */
enum err_code file_root_openat(const struct file_root *root, const char *path,
			       unsigned flags, int *ret_fd, struct err *err)
{
	const unsigned folder = flags & FILE_FOLDER ? O_DIRECTORY : 0;
	enum err_code rc;
	int fd;

	fd = open_beneath(root, path, O_PATH);
	if (fd < 0)
		return explain(root, path, errno, err);
	rc = check(root, path, flags, fd, err);
	(void)close(fd);
	if (rc)
		return rc;
	fd =
	    open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | folder);
	if (fd < 0)
		return explain(root, path, errno, err);
	rc = check(root, path, flags, fd, err);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return ERR_NONE;
}

enum err_code file_root_enter(const struct file_root *root, const char *path,
			      struct file_root **ret_root, struct err *err)
{
	const size_t size = strlen(root->path) + strlen(path) + 2;
	struct file_root *entered = mem_zero(sizeof(*entered) + size);
	enum err_code rc;

	if (!entered)
		return err_set(err, ERR_NO_MEMORY,
			       "root folder '%s': out of memory", path);
	(void)snprintf(entered->path, size, "%s/%s", root->path, path);
	rc = file_root_openat(root, path, FILE_FOLDER, &entered->fd, err);
	if (rc) {
		mem_free(entered);
		return rc;
	}
	*ret_root = entered;
	return ERR_NONE;
}

const char *file_path_in(const char *path, const char *root)
{
	const char *below = file_path_below(path, root);
	char real[PATH_MAX];
	struct file_root *open = NULL;
	int fd = -1;

	if (below || !realpath(root, real))
		return below;
	if (path[0] == '/')
		return file_path_below(path, real);
	if (file_root_open(root, &open, NULL))
		return NULL;
	if (!file_root_openat(open, path, 0, &fd, NULL) ||
	    !file_root_openat(open, path, FILE_FOLDER, &fd, NULL)) {
		(void)close(fd);
		below = path;
	}
	file_root_close(open);
	return below;
}

void file_root_close(struct file_root *root)
{
	if (!root)
		return;
	(void)close(root->fd);
	mem_free(root);
}
