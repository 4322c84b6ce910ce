/* SPDX-License-Identifier: Apache-2.0 */
#include "models/npy.h"

#include <ctype.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum { HEADER_MAX = 64 << 10, ALIGNMENT = 64 };

static const char magic[] = "\x93NUMPY";
enum { MAGIC_LEN = 6 };

/* numpy's names without the mark of byte order */
static const struct {
	const char *name;
	enum dtype dtype;
} kinds[] = {
	{ "f4", DTYPE_F32 }, { "f8", DTYPE_F64 },   { "f2", DTYPE_F16 },
	{ "i1", DTYPE_I8 },  { "i2", DTYPE_I16 },   { "i4", DTYPE_I32 },
	{ "i8", DTYPE_I64 }, { "u1", DTYPE_U8 },    { "u2", DTYPE_U16 },
	{ "u4", DTYPE_U32 }, { "u8", DTYPE_U64 },   { "b1", DTYPE_BOOL },
	{ "c8", DTYPE_C64 }, { "c16", DTYPE_C128 },
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* A Python literal that is walked from left to right. */
struct header {
	const char *at, *end;
	const char *name; /* of the file */
	bool has_descr, has_order, has_shape;
	enum dtype dtype;
	unsigned rank;
	int64_t dim[SHAPE_MAX_RANK];
};

static void skip_space(struct header *h)
{
	while (h->at < h->end && isspace((unsigned char)*h->at))
		h->at++;
}

static bool accept(struct header *h, char c)
{
	skip_space(h);
	if (h->at >= h->end || *h->at != c)
		return false;
	h->at++;
	return true;
}

static enum err_code malformed(const struct header *h, const char *expected,
			       struct err *err)
{
	return err_set(err, ERR_FORMAT,
		       "%s: expected %s in the header, got '%.*s'", h->name,
		       expected,
		       h->end - h->at > 20 ? 20 : (int)(h->end - h->at), h->at);
}

static enum err_code read_quoted(struct header *h, char ret_text[16],
				 struct err *err)
{
	size_t n = 0;
	char quote;

	skip_space(h);
	if (h->at >= h->end || (*h->at != '\'' && *h->at != '"'))
		return malformed(h, "a quoted word", err);
	quote = *h->at++;
	while (h->at < h->end && *h->at != quote && n < 15)
		ret_text[n++] = *h->at++;
	ret_text[n] = '\0';
	if (h->at >= h->end || *h->at != quote)
		return malformed(h, "the end of a short quoted word", err);
	h->at++;
	return ERR_NONE;
}

static enum err_code read_descr(struct header *h, struct err *err)
{
	char text[16] = "";
	enum err_code rc = read_quoted(h, text, err);

	if (rc)
		return rc;
	if (text[0] == '>')
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: big-endian numbers ('%s')", h->name, text);
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strchr("<|=", text[0]) && text[0] &&
		    str_equal(kinds[i].name, text + 1)) {
			h->dtype = kinds[i].dtype;
			h->has_descr = true;
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_UNSUPPORTED, "%s: elements of type '%s'",
		       h->name, text);
}

static enum err_code read_order(struct header *h, struct err *err)
{
	skip_space(h);
	if (h->end - h->at >= 4 && !memcmp(h->at, "True", 4))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: column-major (Fortran) order", h->name);
	if (h->end - h->at < 5 || memcmp(h->at, "False", 5) != 0)
		return malformed(h, "True or False", err);
	h->at += 5;
	h->has_order = true;
	return ERR_NONE;
}

static enum err_code read_extent(struct header *h, struct err *err)
{
	int64_t extent = 0;

	skip_space(h);
	if (h->at >= h->end || !isdigit((unsigned char)*h->at))
		return malformed(h, "an extent", err);
	if (h->rank >= SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE, "%s: more than %d dimensions",
			       h->name, (int)SHAPE_MAX_RANK);
	while (h->at < h->end && isdigit((unsigned char)*h->at)) {
		if (extent > SHAPE_MAX_EXTENT)
			return malformed(h, "an extent below 2^31", err);
		extent = extent * 10 + (*h->at++ - '0');
	}
	(void)accept(h, 'L'); /* Python 2's long */
	h->dim[h->rank++] = extent;
	return ERR_NONE;
}

static enum err_code read_shape(struct header *h, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (!accept(h, '('))
		return malformed(h, "'('", err);
	while (!accept(h, ')')) {
		rc = read_extent(h, err);
		if (rc)
			return rc;
		if (!accept(h, ',') && (h->at >= h->end || *h->at != ')'))
			return malformed(h, "',' or ')'", err);
	}
	h->has_shape = true;
	return ERR_NONE;
}

static enum err_code read_member(struct header *h, struct err *err)
{
	char key[16];
	enum err_code rc = read_quoted(h, key, err);

	if (rc)
		return rc;
	if (!accept(h, ':'))
		return malformed(h, "':'", err);
	if (str_equal(key, "descr") && !h->has_descr)
		return read_descr(h, err);
	if (str_equal(key, "fortran_order") && !h->has_order)
		return read_order(h, err);
	if (str_equal(key, "shape") && !h->has_shape)
		return read_shape(h, err);
	return err_set(err, ERR_FORMAT, "%s: unexpected key '%s' in the header",
		       h->name, key);
}

static enum err_code read_header(struct header *h, struct err *err)
{
	enum err_code rc;

	if (!accept(h, '{'))
		return malformed(h, "'{'", err);
	while (!accept(h, '}')) {
		rc = read_member(h, err);
		if (rc)
			return rc;
		if (!accept(h, ',') && (h->at >= h->end || *h->at != '}'))
			return malformed(h, "',' or '}'", err);
	}
	if (!h->has_descr || !h->has_order || !h->has_shape)
		return err_set(err, ERR_FORMAT,
			       "%s: the header lacks descr, fortran_order or "
			       "shape",
			       h->name);
	return ERR_NONE;
}

/* Where the header begins and how long it is: 2 bytes of length in version 1,
 * 4 in 2 and 3. */
static enum err_code find_header(const unsigned char *bytes, size_t len,
				 const char *name, size_t *ret_at,
				 size_t *ret_len, struct err *err)
{
	size_t at, n;

	if (len < 10 || memcmp(bytes, magic, MAGIC_LEN) != 0)
		return err_set(err, ERR_FORMAT, "%s: not a .npy file", name);
	if (bytes[6] < 1 || bytes[6] > 3)
		return err_set(err, ERR_UNSUPPORTED, "%s: .npy version %d",
			       name, bytes[6]);
	at = bytes[6] == 1 ? 10 : 12;
	if (len < at)
		return err_set(err, ERR_FORMAT, "%s: cut short", name);
	n = bytes[8] | (size_t)bytes[9] << 8;
	if (at == 12)
		n |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
	if (n > HEADER_MAX || n > len - at)
		return err_set(err, ERR_FORMAT,
			       "%s: a header of %zu bytes in a file of %zu",
			       name, n, len);
	*ret_at = at;
	*ret_len = n;
	return ERR_NONE;
}

enum err_code npy_parse(const void *bytes, size_t len, const char *name,
			struct arena *arena, struct tensor_view *ret_view,
			struct err *err)
{
	struct header h = { .name = name };
	struct tensor_view view = { 0 };
	size_t at, n, size;
	enum err_code rc;

	rc = find_header(bytes, len, name, &at, &n, err);
	if (rc)
		return rc;
	h.at = (const char *)bytes + at;
	h.end = h.at + n;
	rc = read_header(&h, err);
	if (!rc)
		rc = tensor_bytes_checked(h.dtype, h.rank, h.dim, name, &size,
					  err);
	if (rc)
		return rc;
	if (size > len - at - n)
		return err_set(err, ERR_FORMAT,
			       "%s: expected %zu bytes of elements, got %zu",
			       name, size, len - at - n);
	view.dtype = h.dtype;
	view.shape.rank = h.rank;
	memcpy(view.shape.dim, h.dim, sizeof(h.dim));
	view.data = arena_aligned(arena, size ? size : 1);
	if (!view.data)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
	memcpy(view.data, (const char *)bytes + at + n, size);
	*ret_view = view;
	return ERR_NONE;
}

static const char *kind_name(enum dtype dtype)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (kinds[i].dtype == dtype)
			return kinds[i].name;
	}
	return NULL;
}

enum err_code npy_write(const struct tensor_view *view, const char *name,
			struct buf *buf, struct err *err)
{
	const char *kind = kind_name(view->dtype);
	char text[512];
	size_t n, pad, at = MAGIC_LEN + 4;

	if (!kind)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: numpy has no type for %s", name,
			       dtype_info(view->dtype)->name);
	n = (size_t)snprintf(
	    text, sizeof(text),
	    "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
	    dtype_info(view->dtype)->size == 1 ? '|' : '<', kind);
	for (unsigned i = 0; i < view->shape.rank; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%s%lld%s", i ? " " : "",
		    (long long)view->shape.dim[i],
		    i + 1 < view->shape.rank || !i ? "," : "");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "), }");
	pad = (ALIGNMENT - (at + n + 1) % ALIGNMENT) % ALIGNMENT;
	buf_put(buf, magic, MAGIC_LEN);
	buf_put(buf, "\x01\x00", 2);
	buf_putc(buf, (char)((n + pad + 1) & 0xff));
	buf_putc(buf, (char)((n + pad + 1) >> 8));
	buf_put(buf, text, n);
	for (size_t i = 0; i < pad; i++)
		buf_putc(buf, ' ');
	buf_putc(buf, '\n');
	buf_put(buf, view->data, tensor_bytes(view->dtype, &view->shape));
	return buf_check(buf, name, err);
}
