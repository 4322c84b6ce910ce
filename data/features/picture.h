/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Picture: PNG and JPEG bytes decoded to rows of 8-bit samples, and resizing.
 *
 * Samples are interleaved (height, width, channels), 1 channel gray or 3 RGB;
 * the decoder converts. Transparency is laid over black.
 *
 * Ownership: pixels are the caller's (mem_free).
 * Threads:   pure.
 * Limits:    sides of 1 to 8,192, 40 million pixels, checked before decoding.
 */
#ifndef DATA_FEATURES_PICTURE_H
#define DATA_FEATURES_PICTURE_H

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
/** ERR_INVALID unless the sides are within the limits. */
MUST_USE enum err_code picture_check_size(int64_t width, int64_t height,
					  const char *format, struct err *err);

enum resize { RESIZE_SQUISH, RESIZE_CROP, RESIZE_PAD };

/** To width x height: squish ignores the aspect, crop fills and cuts the
 * middle, pad fits and adds black. Separable triangle filter whose support
 * grows with the reduction, so that nothing is skipped. */
MUST_USE enum err_code picture_resize(const struct picture *from, int width,
				      int height, enum resize how,
				      struct picture *ret, struct err *err);

#endif
