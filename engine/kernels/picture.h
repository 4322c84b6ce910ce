/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Picture: encoded bytes to rows of 8-bit samples. PNG, JPEG, JPEG 2000 and
 * WebP by libpng, libjpeg-turbo, OpenJPEG and libwebp, to which this is the
 * only door; BMP, PNM (P5, P6) and TIFF without compression by hand.
 *
 * Samples are interleaved (height, width, channels), 1 channel gray or 3 RGB;
 * the decoder converts. Transparency is laid over black.
 *
 * Ownership: pixels are the caller's (mem_free).
 * Threads:   pure.
 * Limits:    sides of 1 to 8,192, 40 million pixels, checked before decoding.
 */
#ifndef ENGINE_KERNELS_PICTURE_H
#define ENGINE_KERNELS_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PICTURE_MAX_SIDE = 8192, PICTURE_MAX_PIXELS = 40000000 };

struct picture {
	int width, height, channels;
	unsigned char *pixel;
};

/** Told from the first bytes; anything else is ERR_MEDIA_TYPE. */
MUST_USE enum err_code picture_decode(const void *bytes, size_t len,
				      int channels, struct picture *ret,
				      struct err *err);
MUST_USE enum err_code picture_decode_png(const void *bytes, size_t len,
					  int channels, struct picture *ret,
					  struct err *err);
MUST_USE enum err_code picture_decode_jpeg(const void *bytes, size_t len,
					   int channels, struct picture *ret,
					   struct err *err);
MUST_USE enum err_code picture_decode_jpeg2000(const void *bytes, size_t len,
					       int channels,
					       struct picture *ret,
					       struct err *err);
MUST_USE enum err_code picture_decode_webp(const void *bytes, size_t len,
					   int channels, struct picture *ret,
					   struct err *err);
MUST_USE enum err_code picture_decode_bmp(const void *bytes, size_t len,
					  int channels, struct picture *ret,
					  struct err *err);
MUST_USE enum err_code picture_decode_pnm(const void *bytes, size_t len,
					  int channels, struct picture *ret,
					  struct err *err);
MUST_USE enum err_code picture_decode_tiff(const void *bytes, size_t len,
					   int channels, struct picture *ret,
					   struct err *err);
/** ERR_INVALID unless the sides are within the limits. */
MUST_USE enum err_code picture_check_size(int64_t width, int64_t height,
					  const char *format, struct err *err);
/** Room for the samples of a picture whose sides and channels are set; checks
 * the sides. */
MUST_USE enum err_code picture_alloc(struct picture *picture,
				     const char *format, struct err *err);

/** How light a colour looks, by ITU-R BT.601, in 16 bits of fraction. */
static inline unsigned char picture_gray(unsigned r, unsigned g, unsigned b)
{
	return (unsigned char)((19595 * r + 38470 * g + 7471 * b + 32768) >>
			       16);
}

/** Pixel `at` of those that picture_alloc() has made room for. */
static inline void picture_put(const struct picture *picture, int64_t at,
			       unsigned r, unsigned g, unsigned b)
{
	unsigned char *to = picture->pixel + at * picture->channels;

	if (picture->channels == 1) {
		to[0] = picture_gray(r, g, b);
		return;
	}
	to[0] = (unsigned char)r;
	to[1] = (unsigned char)g;
	to[2] = (unsigned char)b;
}

/** A sample of 8 bits laid over black, alpha of 255 opaque. */
static inline unsigned picture_over_black(unsigned sample, unsigned alpha)
{
	return (sample * alpha + 127) / 255;
}

#endif
