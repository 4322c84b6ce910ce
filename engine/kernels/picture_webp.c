/* SPDX-License-Identifier: Apache-2.0 */
#include <webp/decode.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

enum { RGBA = 4 };

/* Pixels of RGBA to what the picture has. */
static void take(const unsigned char *from, struct picture *to)
{
	const int64_t n = (int64_t)to->width * to->height;

	for (int64_t i = 0; i < n; i++, from += RGBA)
		picture_put(to, i, picture_over_black(from[0], from[3]),
			    picture_over_black(from[1], from[3]),
			    picture_over_black(from[2], from[3]));
}

static enum err_code decode(const void *bytes, size_t len, struct picture *to,
			    struct err *err)
{
	const size_t n = (size_t)to->width * (size_t)to->height * RGBA;
	unsigned char *all = mem_alloc(n);

	if (!all)
		return err_set(err, ERR_NO_MEMORY,
			       "no memory for a picture of %d x %d", to->width,
			       to->height);
	if (!WebPDecodeRGBAInto(bytes, len, all, n, RGBA * to->width)) {
		mem_free(all);
		return err_set(err, ERR_INVALID, "broken WebP picture");
	}
	take(all, to);
	mem_free(all);
	return ERR_NONE;
}

enum err_code picture_decode_webp(const void *bytes, size_t len, int channels,
				  struct picture *ret, struct err *err)
{
	struct picture picture = { .channels = channels };
	WebPBitstreamFeatures features;
	enum err_code rc;

	if (WebPGetFeatures(bytes, len, &features) != VP8_STATUS_OK)
		return err_set(err, ERR_INVALID, "broken WebP picture");
	if (features.has_animation)
		return err_set(err, ERR_UNSUPPORTED,
			       "the WebP picture is moving; a still one is "
			       "expected");
	picture.width = features.width;
	picture.height = features.height;
	rc = picture_alloc(&picture, "WebP", err);
	if (!rc)
		rc = decode(bytes, len, &picture, err);
	if (rc) {
		mem_free(picture.pixel);
		return rc;
	}
	*ret = picture;
	return ERR_NONE;
}
