/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/gunzip.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>
/* zlib then takes its input as const */
#define ZLIB_CONST
#include <zlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { PIECE = 1 << 18, GZIP_WINDOW = 16 + MAX_WBITS };

/* One call of inflate() into fresh room; false at the end or on a fault. */
static bool inflate_piece(z_stream *stream, struct buf *buf, int *status)
{
	char *room = buf_reserve(buf, PIECE);

	if (!room)
		return false;
	stream->next_out = (Bytef *)room;
	stream->avail_out = PIECE;
	*status = inflate(stream, Z_NO_FLUSH);
	buf_advance(buf, PIECE - stream->avail_out);
	return *status == Z_OK && (stream->avail_in > 0 || !stream->avail_out);
}

enum err_code gunzip(const struct gunzip_source *source, char **ret_data,
		     size_t *ret_len, struct err *err)
{
	const char *name = source->name;
	size_t len = source->len, max = source->max;
	z_stream stream = { 0 };
	struct buf buf;
	int status = Z_OK;
	enum err_code rc;

	buf_init(&buf, max > SIZE_MAX - PIECE ? max : max + PIECE);
	if (len > UINT_MAX || inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
		rc = err_set(err, ERR_TOO_LARGE,
			     "'%s': cannot decompress %zu bytes at once", name,
			     len);
		goto out;
	}
	stream.next_in = source->bytes;
	stream.avail_in = (uInt)len;
	while (inflate_piece(&stream, &buf, &status))
		;
	(void)inflateEnd(&stream);
	rc = buf_check(&buf, name, err);
	if (rc)
		goto out;
	if (status != Z_STREAM_END) {
		rc = err_set(err, ERR_INVALID,
			     "'%s': the gzip data is broken or cut off after "
			     "%zu bytes of output",
			     name, buf.len);
		goto out;
	}
	if (buf.len > max) {
		rc = err_set(err, ERR_TOO_LARGE,
			     "'%s': more than %zu bytes when decompressed",
			     name, max);
		goto out;
	}
	*ret_len = buf.len;
	*ret_data = buf_take(&buf);
out:
	buf_finish(&buf);
	return rc;
}

enum err_code gunzip_read(int fd, const char *name, size_t max, char **ret_data,
			  size_t *ret_len, struct err *err)
{
	char *packed;
	size_t len;
	enum err_code rc = file_read_fd(fd, name, max, &packed, &len, err);

	(void)close(fd);
	if (rc)
		return rc;
	if (!str_ends_with(name, ".gz")) {
		*ret_data = packed;
		*ret_len = len;
		return ERR_NONE;
	}
	rc = gunzip(&(struct gunzip_source){ packed, len, max, name }, ret_data,
		    ret_len, err);
	mem_free(packed);
	return rc;
}
