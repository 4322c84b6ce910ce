/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

enum { FILE_MODE = 0600 };

/* 0, or the error's number. */
static int take_room(int fd, size_t bytes)
{
	int error;

	do
		error = posix_fallocate(fd, 0, (off_t)bytes);
	while (error == EINTR);
	return error;
}

enum err_code spill_create(const char *dir, size_t bytes,
			   struct spill *ret_spill, struct err *err)
{
	const size_t room = bytes ? bytes : 1;
	void *data;
	int fd, error;

	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return file_err(err, errno, "make room in", dir);
	error = take_room(fd, room);
	if (error) {
		(void)close(fd);
		return file_err(err, error, "make room in", dir);
	}
	data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	error = errno;
	(void)close(fd);
	if (data == MAP_FAILED)
		return file_err(err, error, "map a file in", dir);
	*ret_spill = (struct spill){ data, room };
	return ERR_NONE;
}

void spill_rest(const struct spill *spill, size_t at, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t first = (at + page - 1) / page * page;
	const size_t end = (at + bytes) / page * page;

	if (spill->data && first < end)
		(void)madvise(spill->data + first, end - first, MADV_DONTNEED);
}

void spill_destroy(struct spill *spill)
{
	if (spill->data)
		(void)munmap(spill->data, spill->bytes);
	*spill = (struct spill){ 0 };
}
