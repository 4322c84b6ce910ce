/* SPDX-License-Identifier: Apache-2.0 */
#include "data/features/picture.h"

#include <stdbool.h>

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

enum err_code picture_decode(const void *bytes, size_t len, int channels,
			     struct picture *ret, struct err *err)
{
	static const unsigned char png[] = { 0x89, 'P', 'N', 'G' };
	static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };

	if (len >= sizeof(png) && memcmp(bytes, png, sizeof(png)) == 0)
		return picture_decode_png(bytes, len, channels, ret, err);
	if (len >= sizeof(jpeg) && memcmp(bytes, jpeg, sizeof(jpeg)) == 0)
		return picture_decode_jpeg(bytes, len, channels, ret, err);
	return err_set(err, ERR_MEDIA_TYPE,
		       "the %zu bytes are neither a PNG nor a JPEG picture",
		       len);
}
