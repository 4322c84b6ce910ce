/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/picture.h"

#include <string.h>

#include "base/mem.h"

enum err_code picture_check_size(int64_t width, int64_t height,
				 const char *format, struct err *err)
{
	if (width >= 1 && height >= 1 && width <= PICTURE_MAX_SIDE &&
	    height <= PICTURE_MAX_SIDE && width * height <= PICTURE_MAX_PIXELS)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "the %s picture is %lld x %lld; sides of 1 to %d and at "
		       "most %d pixels are accepted",
		       format, (long long)width, (long long)height,
		       (int)PICTURE_MAX_SIDE, (int)PICTURE_MAX_PIXELS);
}

enum err_code picture_alloc(struct picture *picture, const char *format,
			    struct err *err)
{
	enum err_code rc =
	    picture_check_size(picture->width, picture->height, format, err);

	if (rc)
		return rc;
	picture->pixel =
	    mem_alloc((size_t)picture->width * (size_t)picture->height *
		      (size_t)picture->channels);
	return picture->pixel ? ERR_NONE
			      : err_set(err, ERR_NO_MEMORY,
					"no memory for a picture of %d x %d",
					picture->width, picture->height);
}

typedef enum err_code decode(const void *bytes, size_t len, int channels,
			     struct picture *ret, struct err *err);

static const struct {
	const char *begin;
	size_t n;
	decode *decode;
} formats[] = {
	{ "\x89PNG", 4, picture_decode_png },
	{ "\xff\xd8\xff", 3, picture_decode_jpeg },
	{ "BM", 2, picture_decode_bmp },
	{ "P5", 2, picture_decode_pnm },
	{ "P6", 2, picture_decode_pnm },
	{ "II*\0", 4, picture_decode_tiff },
	{ "MM\0*", 4, picture_decode_tiff },
	{ "RIFF", 4, picture_decode_webp },
	{ "\0\0\0\x0cjP  \r\n\x87\n", 12, picture_decode_jpeg2000 },
	{ "\xff\x4f\xff\x51", 4, picture_decode_jpeg2000 },
};

enum err_code picture_decode(const void *bytes, size_t len, int channels,
			     struct picture *ret, struct err *err)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		const size_t n = formats[i].n;

		if (len >= n && !memcmp(bytes, formats[i].begin, n))
			return formats[i].decode(bytes, len, channels, ret,
						 err);
	}
	return err_set(
	    err, ERR_MEDIA_TYPE,
	    "the %zu bytes are no PNG, JPEG, JPEG 2000, WebP, BMP, PNM or "
	    "TIFF picture",
	    len);
}
