/* SPDX-License-Identifier: Apache-2.0 */
#include "server/number_write.h"

#include "base/base64.h"
#include "base/json_write.h"
#include "base/str.h"
#include "server/decimal.h"

/* Writes element i of `data` at `to`, which has DECIMAL_TEXT_MAX bytes. */
typedef size_t write_fn(char *to, const void *data, int64_t i);

#define WRITE(name, type, write)                                          \
	static size_t write_##name(char *to, const void *data, int64_t i) \
	{                                                                 \
		return write(to, ((const type *)data)[i]);                \
	}
WRITE(f32, float, decimal_write_float)
WRITE(f64, double, decimal_write_double)
WRITE(i8, int8_t, decimal_write_int)
WRITE(i16, int16_t, decimal_write_int)
WRITE(i32, int32_t, decimal_write_int)
WRITE(i64, int64_t, decimal_write_int)
WRITE(u8, uint8_t, decimal_write_uint)
WRITE(u16, uint16_t, decimal_write_uint)
WRITE(u32, uint32_t, decimal_write_uint)
WRITE(u64, uint64_t, decimal_write_uint)

static size_t write_f16(char *to, const void *data, int64_t i)
{
	return decimal_write_float(
	    to, dtype_f16_to_f32(((const uint16_t *)data)[i]));
}

static size_t write_bf16(char *to, const void *data, int64_t i)
{
	return decimal_write_float(
	    to, dtype_bf16_to_f32(((const uint16_t *)data)[i]));
}

static size_t write_bool(char *to, const void *data, int64_t i)
{
	const bool is_true = ((const uint8_t *)data)[i] != 0;

	memcpy(to, is_true ? "true" : "false", is_true ? 4 : 5);
	return is_true ? 4 : 5;
}

static write_fn *const writers[DTYPE_COUNT] = {
	[DTYPE_F32] = write_f32,   [DTYPE_F64] = write_f64,
	[DTYPE_F16] = write_f16,   [DTYPE_BF16] = write_bf16,
	[DTYPE_I8] = write_i8,	   [DTYPE_I16] = write_i16,
	[DTYPE_I32] = write_i32,   [DTYPE_I64] = write_i64,
	[DTYPE_U8] = write_u8,	   [DTYPE_U16] = write_u16,
	[DTYPE_U32] = write_u32,   [DTYPE_U64] = write_u64,
	[DTYPE_BOOL] = write_bool,
};

enum { BLOCK = 64, BLOCK_BYTES = BLOCK * (DECIMAL_TEXT_MAX + 1) };

/* At most BLOCK elements from the first on, each with a comma behind it. */
static size_t write_block(char *to, write_fn *write, const void *data,
			  int64_t first, int64_t n)
{
	size_t len = 0;

	/* most of what is sent: without a call for each */
	if (write == write_f32)
		return decimal_write_floats(to, (const float *)data + first,
					    (size_t)n);
	for (int64_t i = 0; i < n; i++) {
		len += write(to + len, data, first + i);
		to[len++] = ',';
	}
	return len;
}

/* n elements from the first on, with commas between them. */
static void write_numbers(struct buf *buf, write_fn *write, const void *data,
			  int64_t first, int64_t n)
{
	for (int64_t i = 0; i < n; i += BLOCK) {
		const int64_t left = n - i;
		char *to = buf_reserve(buf, BLOCK_BYTES);
		size_t len;

		if (!to)
			return;
		len = write_block(to, write, data, first + i,
				  left < BLOCK ? left : BLOCK);
		buf_advance(buf, len - (left <= BLOCK));
	}
}

/* What becomes of strings. */
enum string_form {
	FORM_TEXT,  /* refused when not UTF-8 */
	FORM_MIXED, /* base64 when not UTF-8 */
	FORM_BYTES  /* base64 */
};

/* What is written, for messages and strings. */
struct writing {
	struct buf *buf;
	const struct tensor_view *tensor;
	const char *name;
	enum string_form form;
};

static void write_text(struct buf *buf, const struct str *string)
{
	struct json_writer writer;

	json_write_init(&writer, buf);
	json_write_strn(&writer, NULL, string->bytes, string->len);
}

static void write_bytes(struct buf *buf, const struct str *string)
{
	buf_puts(buf, "{\"b64\":\"");
	base64_encode(string->bytes, string->len, buf);
	buf_puts(buf, "\"}");
}

static enum err_code write_strings(const struct writing *w,
				   const struct str *strings, int64_t n,
				   struct err *err)
{
	for (int64_t i = 0; i < n; i++) {
		const bool is_text =
		    w->form != FORM_BYTES &&
		    str_is_utf8(strings[i].bytes, strings[i].len);

		if (!is_text && w->form == FORM_TEXT)
			return err_set(err, ERR_INVALID,
				       "%s: element %lld is not UTF-8; ask for "
				       "it as a binary tensor",
				       w->name, (long long)i);
		if (i)
			buf_putc(w->buf, ',');
		if (is_text)
			write_text(w->buf, &strings[i]);
		else
			write_bytes(w->buf, &strings[i]);
	}
	return ERR_NONE;
}

static enum err_code write_range(const struct writing *w, int64_t first,
				 int64_t n, struct err *err)
{
	const struct tensor_view *tensor = w->tensor;

	if (tensor->dtype == DTYPE_STRING)
		return write_strings(
		    w, (const struct str *)tensor->data + first, n, err);
	if (!writers[tensor->dtype])
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: elements of type %s have no JSON form",
			       w->name, dtype_info(tensor->dtype)->name);
	write_numbers(w->buf, writers[tensor->dtype], tensor->data, first, n);
	return ERR_NONE;
}

enum err_code number_write_flat(struct buf *buf,
				const struct tensor_view *tensor,
				const char *name, struct err *err)
{
	const struct writing w = { buf, tensor, name, FORM_TEXT };
	enum err_code rc;

	buf_putc(buf, '[');
	rc = write_range(&w, 0, shape_count(&tensor->shape), err);
	buf_putc(buf, ']');
	return rc;
}

/* Rows of the innermost level that is written: the last dimension, or the first
 * empty one. Around each, the brackets of the levels that begin or end there.
 */
enum err_code number_write_nested(struct buf *buf,
				  const struct tensor_view *tensor,
				  const char *name, bool as_bytes,
				  struct err *err)
{
	const struct writing w = { buf, tensor, name,
				   as_bytes ? FORM_BYTES : FORM_MIXED };
	const struct shape *shape = &tensor->shape;
	enum err_code rc = ERR_NONE;
	int64_t n_rows, width;
	unsigned last = 0;

	if (!shape->rank)
		return write_range(&w, 0, 1, err);
	while (last + 1 < shape->rank && shape->dim[last])
		last++;
	n_rows = shape_range(shape, 0, last);
	width = shape->dim[last];
	for (int64_t i = 0; i < n_rows && !rc && !buf->fault; i++) {
		if (i)
			buf_putc(buf, ',');
		for (unsigned d = 0; d <= last; d++)
			if (i % shape_range(shape, d, last) == 0)
				buf_putc(buf, '[');
		rc = write_range(&w, i * width, width, err);
		for (unsigned d = 0; d <= last; d++)
			if ((i + 1) % shape_range(shape, d, last) == 0)
				buf_putc(buf, ']');
	}
	return rc;
}
