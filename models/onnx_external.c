/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "models/onnx_priv.h"

/* A sum that wraps must not pass for one that fits. */
static bool within(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset <= size && bytes <= size - offset;
}

static enum err_code check_range(const struct onnx_reader *reader,
				 const struct onnx_external *external,
				 const char *tensor, int fd, size_t bytes,
				 struct err *err)
{
	struct stat st;

	if (external->has_length && external->length != bytes)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has %llu bytes of external "
			       "data; its type and shape need %zu",
			       reader->name, tensor,
			       (unsigned long long)external->length, bytes);
	if (fstat(fd, &st) < 0)
		return file_err(err, errno, "stat", external->location);
	if (!within(external->offset, bytes, (uint64_t)st.st_size))
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' needs %zu bytes from byte %llu "
			       "of '%s', which has %lld",
			       reader->name, tensor, bytes,
			       (unsigned long long)external->offset,
			       external->location, (long long)st.st_size);
	return ERR_NONE;
}

static enum err_code read_at(int fd, const char *location, uint64_t offset,
			     char *into, size_t bytes, struct err *err)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, into + done, bytes - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_err(err, errno, "read", location);
		if (n == 0)
			return err_set(err, ERR_IO,
				       "'%s' became shorter while it was read",
				       location);
		done += (size_t)n;
	}
	return ERR_NONE;
}

enum err_code onnx_open_external(const struct onnx_reader *reader,
				 const struct onnx_external *external,
				 const char *tensor, size_t bytes, int *ret_fd,
				 struct err *err)
{
	int fd = -1;
	enum err_code rc;

	if (!reader->folder)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: tensor '%s' lies in another file, which "
			       "is not read here",
			       reader->name, tensor);
	if (!external->location || !*external->location)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' does not say in which file its "
			       "data lies",
			       reader->name, tensor);
	rc = file_root_openat(reader->folder, external->location,
			      FILE_SINGLE_LINK, &fd, err);
	if (rc)
		return err_prefix(err, "%s: tensor '%s'", reader->name, tensor);
	rc = check_range(reader, external, tensor, fd, bytes, err);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return ERR_NONE;
}

enum err_code onnx_read_external(const struct onnx_external *external, int fd,
				 void *into, size_t bytes, struct err *err)
{
	enum err_code rc;

	rc =
	    read_at(fd, external->location, external->offset, into, bytes, err);
	(void)close(fd);
	return rc;
}
