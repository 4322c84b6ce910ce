/* SPDX-License-Identifier: Apache-2.0 */
#include "server/compress.h"

#include <string.h>
#include <strings.h>
#define ZLIB_CONST /* next_in is not written through */
#include <zlib.h>

#include "base/mem.h"
#include "base/str.h"

enum { STEP = 64 << 10, RATIO_SLACK = 1 << 20, WEIGHT_MOST = 1000 };

static const char *const names[] = { "identity", "gzip", "deflate" };

const char *coding_name(enum coding coding)
{
	return names[coding];
}

/* Its number, or -1. */
static int find_coding(const char *name, size_t len)
{
	if (len == 6 && strncasecmp(name, "x-gzip", len) == 0)
		return CODING_GZIP;
	for (int i = CODING_IDENTITY; i <= CODING_DEFLATE; i++)
		if (strlen(names[i]) == len &&
		    strncasecmp(name, names[i], len) == 0)
			return i;
	return -1;
}

enum err_code coding_of(const char *content_encoding, enum coding *ret_coding,
			struct err *err)
{
	const char *name = content_encoding ? content_encoding : names[0];
	const int coding = find_coding(name, strlen(name));

	if (coding < 0)
		return err_set(err, ERR_MEDIA_TYPE,
			       "Content-Encoding '%.40s': expected gzip or "
			       "deflate",
			       name);
	*ret_coding = (enum coding)coding;
	return ERR_NONE;
}

/* "1", "0.5", "0.125" in thousandths; what is no number is 0. */
static int parse_weight(const char *text, size_t len)
{
	char number[8];
	double q = 0;

	if (len >= sizeof(number))
		return 0;
	memcpy(number, text, len);
	number[len] = '\0';
	if (!str_parse_double(number, &q) || !(q > 0))
		return 0;
	return q < 1 ? (int)(q * WEIGHT_MOST) : WEIGHT_MOST;
}

/* The weight (RFC 9110, section 12.4.2) among the parameters behind a name, up
 * to the next comma. */
static int weight_of(const char *rest)
{
	for (;;) {
		size_t n;

		rest += strspn(rest, "; \t");
		n = strcspn(rest, ";, \t");
		if (!n)
			return WEIGHT_MOST;
		if (n >= 2 && strncasecmp(rest, "q=", 2) == 0)
			return parse_weight(rest + 2, n - 2);
		rest += n;
	}
}

enum coding coding_accepted(const char *accept_encoding)
{
	int weight[] = { 0, 0, 0 };
	enum coding best;

	while (accept_encoding && *accept_encoding) {
		const char *item =
		    accept_encoding + strspn(accept_encoding, " \t,");
		const size_t len = strcspn(item, " \t;,");
		const int coding = find_coding(item, len);

		if (coding >= 0)
			weight[coding] = weight_of(item + len);
		accept_encoding = item + strcspn(item, ",");
	}
	best = weight[CODING_DEFLATE] > weight[CODING_GZIP] ? CODING_DEFLATE
							    : CODING_GZIP;
	return weight[best] && weight[best] >= weight[CODING_IDENTITY]
		   ? best
		   : CODING_IDENTITY;
}

static void *take_memory(void *opaque, unsigned n, unsigned size)
{
	(void)opaque;
	return mem_array(n, size);
}

static void free_memory(void *opaque, void *block)
{
	(void)opaque;
	mem_free(block);
}

/* Room for the next piece: less than STEP where the ceiling is near, and never
 * nothing, so that the buffer says when it is full. */
static char *make_room(struct buf *buf, unsigned *ret_room)
{
	const size_t left = buf->max > buf->len ? buf->max - buf->len : 1;

	*ret_room = left < STEP ? (unsigned)left : STEP;
	return buf_reserve(buf, *ret_room);
}

/* zlib counts bytes in an unsigned int. */
static unsigned bounded(size_t len)
{
	return len < STEP ? (unsigned)len : STEP;
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "compression: out of memory");
}

/* What a stream begins with. deflate is the zlib format, but some clients leave
 * its two bytes of head away (RFC 9110, section 8.4.1.2); 15 bits of window, 16
 * more for gzip's head. */
static int window_of(enum coding coding, const unsigned char *data, size_t len)
{
	if (coding == CODING_GZIP)
		return 15 + 16;
	return len >= 2 && (data[0] & 15) == Z_DEFLATED &&
		       (data[0] << 8 | data[1]) % 31 == 0
		   ? 15
		   : -15;
}

static enum err_code inflate_all(z_stream *z, bool is_gzip,
				 const unsigned char *data, size_t len,
				 struct buf *buf, struct err *err)
{
	const size_t most = len * COMPRESS_RATIO + RATIO_SLACK;
	size_t n_out = 0;
	int status = Z_OK;

	while (status != Z_STREAM_END) {
		unsigned n_in = bounded(len), room;
		char *to = make_room(buf, &room);

		if (!to)
			return buf_check(buf, "inflated body", err);
		z->next_in = data;
		z->avail_in = n_in;
		z->next_out = (unsigned char *)to;
		z->avail_out = room;
		status = inflate(z, Z_NO_FLUSH);
		data += n_in - z->avail_in;
		len -= n_in - z->avail_in;
		buf_advance(buf, room - z->avail_out);
		n_out += room - z->avail_out;
		if (n_out > most)
			return err_set(err, ERR_TOO_LARGE,
				       "body: inflates to more than %d times "
				       "its size",
				       COMPRESS_RATIO);
		if (status == Z_MEM_ERROR)
			return no_memory(err);
		/* no progress with input and room at hand: it is cut */
		if ((status != Z_OK && status != Z_STREAM_END) ||
		    (status == Z_OK && len == 0 && z->avail_out))
			return err_set(err, ERR_INVALID,
				       "body: not a whole gzip or deflate "
				       "stream");
		/* gzip streams may follow one another (RFC 1952, 2.2) */
		if (status == Z_STREAM_END && is_gzip && len)
			status = inflateReset(z);
	}
	if (len)
		return err_set(err, ERR_INVALID,
			       "body: %zu bytes behind the compressed stream",
			       len);
	return ERR_NONE;
}

enum err_code compress_inflate(enum coding coding, const void *data, size_t len,
			       struct buf *buf, struct err *err)
{
	z_stream z = { .zalloc = take_memory, .zfree = free_memory };
	enum err_code rc;

	if (coding == CODING_IDENTITY) {
		buf_put(buf, data, len);
		return buf_check(buf, "body", err);
	}
	if (inflateInit2(&z, window_of(coding, data, len)) != Z_OK)
		return no_memory(err);
	rc = inflate_all(&z, coding == CODING_GZIP, data, len, buf, err);
	(void)inflateEnd(&z);
	return rc;
}

static enum err_code deflate_all(z_stream *z, const unsigned char *data,
				 size_t len, struct buf *buf, struct err *err)
{
	int status = Z_OK;

	while (status != Z_STREAM_END) {
		unsigned n_in = bounded(len), room;
		char *to = make_room(buf, &room);

		if (!to)
			return buf_check(buf, "deflated body", err);
		z->next_in = data;
		z->avail_in = n_in;
		z->next_out = (unsigned char *)to;
		z->avail_out = room;
		status = deflate(z, n_in == len ? Z_FINISH : Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END)
			return no_memory(err);
		data += n_in - z->avail_in;
		len -= n_in - z->avail_in;
		buf_advance(buf, room - z->avail_out);
	}
	return ERR_NONE;
}

enum err_code compress_deflate(enum coding coding, const void *data, size_t len,
			       struct buf *buf, struct err *err)
{
	z_stream z = { .zalloc = take_memory, .zfree = free_memory };
	const int window = coding == CODING_GZIP ? 15 + 16 : 15;
	enum err_code rc;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, window, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return no_memory(err);
	rc = deflate_all(&z, data, len, buf, err);
	(void)deflateEnd(&z);
	return rc;
}
