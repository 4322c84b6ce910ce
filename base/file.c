/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static enum err_code code_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_FORBIDDEN;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_CONFLICT;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case EFBIG:
		return ERR_TOO_LARGE;
	default:
		return ERR_IO;
	}
}

enum err_code file_err(struct err *err, int error, const char *did,
		       const char *path)
{
	char text[128];

	return err_set(err, code_of(error), "cannot %s '%s': %s", did, path,
		       strerror_r(error, text, sizeof(text)));
}

static enum err_code open_file(const char *path, int *ret_fd, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return file_err(err, errno, "open", path);
	*ret_fd = fd;
	return ERR_NONE;
}

static enum err_code too_large(const char *name, size_t max, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
		       "cannot read '%s': larger than the %zu bytes allowed",
		       name, max);
}

/* Reads to the end, at most cap bytes. */
static ssize_t read_up_to(int fd, char *to, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		const ssize_t n = read(fd, to + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* The size may be 0 (proc) or change under us, so it is a first guess only. */
static size_t guess_size(int fd, size_t max)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0)
		return max < 4096 ? max : 4096;
	return (uintmax_t)st.st_size < max ? (size_t)st.st_size : max;
}

enum err_code file_read_fd(int fd, const char *name, size_t max,
			   char **ret_data, size_t *ret_len, struct err *err)
{
	char *data = NULL, *more;
	size_t cap, len = 0;
	enum err_code rc = ERR_NONE;
	ssize_t n;

	if (max > (size_t)PTRDIFF_MAX - 2)
		max = (size_t)PTRDIFF_MAX - 2;
	/* one byte more shows that the end was reached, one is the NUL's */
	for (cap = guess_size(fd, max);; cap = cap > max / 2 ? max : cap * 2) {
		more = mem_resize(data, cap + 2, 1);
		if (!more) {
			rc = err_set(err, ERR_NO_MEMORY,
				     "cannot read '%s': out of memory", name);
			goto out;
		}
		data = more;
		n = read_up_to(fd, data + len, cap + 1 - len);
		if (n < 0) {
			rc = file_err(err, errno, "read", name);
			goto out;
		}
		len += (size_t)n;
		if (len <= cap)
			break;
		if (cap == max) {
			rc = too_large(name, max, err);
			goto out;
		}
	}
	data[len] = '\0';
	*ret_data = data;
	*ret_len = len;
	data = NULL;
out:
	mem_free(data);
	return rc;
}

enum err_code file_read_all(const char *path, size_t max, char **ret_data,
			    size_t *ret_len, struct err *err)
{
	enum err_code rc;
	int fd = -1;

	rc = open_file(path, &fd, err);
	if (rc)
		return rc;
	rc = file_read_fd(fd, path, max, ret_data, ret_len, err);
	(void)close(fd);
	return rc;
}

enum err_code file_map_fd(int fd, const char *name, struct file_map *ret_map,
			  struct err *err)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) != 0)
		return file_err(err, errno, "look at", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "cannot map '%s': not a regular file", name);
	if (st.st_size == 0) {
		*ret_map = (struct file_map){ 0 };
		return ERR_NONE;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return file_err(err, errno, "map", name);
	ret_map->data = data;
	ret_map->len = (size_t)st.st_size;
	return ERR_NONE;
}

enum err_code file_map_open(const char *path, struct file_map *ret_map,
			    struct err *err)
{
	enum err_code rc;
	int fd = -1;

	rc = open_file(path, &fd, err);
	if (rc)
		return rc;
	rc = file_map_fd(fd, path, ret_map, err);
	(void)close(fd);
	return rc;
}

void file_map_rest(const void *part, size_t len)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t at = (uintptr_t)part;
	const uintptr_t first = (at + page - 1) / page * page;
	const uintptr_t end = (at + len) / page * page;
	union {
		const char *mapped;
		void *whole;
	} pages = { .mapped = (const char *)part + (first - at) };

	if (first < end)
		(void)madvise(pages.whole, end - first, MADV_DONTNEED);
}

void file_map_close(struct file_map *map)
{
	union {
		const void *mapped;
		void *unmapped;
	} data = { .mapped = map->data };

	if (map->data)
		(void)munmap(data.unmapped, map->len);
	*map = (struct file_map){ 0 };
}
