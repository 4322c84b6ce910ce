/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <nettle/base64.h>
#include <stdbool.h>
#include <stdint.h>

enum { PIECE = 4096 };

void base64_encode(const void *bytes, size_t len, struct buf *to)
{
	/* what would overflow is beyond every ceiling */
	const size_t need =
	    len < SIZE_MAX / 2 ? BASE64_ENCODE_RAW_LENGTH(len) : SIZE_MAX;
	char *out = buf_reserve(to, need);

	if (!out)
		return;
	if (len)
		base64_encode_raw(out, len, bytes);
	buf_advance(to, need);
}

/* In pieces, because the library wants room for the most it could write. */
static bool decode(const char *text, size_t len, struct buf *to)
{
	uint8_t bytes[BASE64_DECODE_LENGTH(PIECE)];
	struct base64_decode_ctx ctx;

	base64_decode_init(&ctx);
	for (size_t at = 0; at < len; at += PIECE) {
		const size_t left = len - at;
		size_t n = sizeof(bytes);

		if (!base64_decode_update(&ctx, &n, bytes,
					  left < PIECE ? left : PIECE,
					  text + at))
			return false;
		buf_put(to, bytes, n);
	}
	return base64_decode_final(&ctx);
}

enum err_code base64_decode(const char *text, size_t len, const char *name,
			    struct buf *to, struct err *err)
{
	const size_t before = to->len;
	enum err_code rc = buf_check(to, name, err);

	if (rc)
		return rc;
	if (!decode(text, len, to))
		rc = err_set(err, ERR_INVALID,
			     "%s: these %zu characters are not base64", name,
			     len);
	else
		rc = buf_check(to, name, err);
	if (rc) {
		to->len = before;
		to->fault = ERR_NONE;
		if (to->data)
			to->data[before] = '\0';
	}
	return rc;
}
