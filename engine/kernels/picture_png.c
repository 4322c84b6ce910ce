/* SPDX-License-Identifier: Apache-2.0 */
#include <png.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

static enum err_code read_pixels(png_image *image, struct picture *ret,
				 struct err *err)
{
	static const png_color black = { 0, 0, 0 };
	struct picture picture = { 0 };
	enum err_code rc;

	rc = picture_check_size(image->width, image->height, "PNG", err);
	if (rc)
		return rc;
	picture.width = (int)image->width;
	picture.height = (int)image->height;
	picture.channels = (int)PNG_IMAGE_PIXEL_CHANNELS(image->format);
	rc = picture_alloc(&picture, "PNG", err);
	if (rc)
		return rc;
	if (!png_image_finish_read(image, &black, picture.pixel, 0, NULL)) {
		mem_free(picture.pixel);
		return err_set(err, ERR_INVALID, "broken PNG picture: %s",
			       image->message);
	}
	*ret = picture;
	return ERR_NONE;
}

enum err_code picture_decode_png(const void *bytes, size_t len, int channels,
				 struct picture *ret, struct err *err)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	enum err_code rc;

	if (!png_image_begin_read_from_memory(&image, bytes, len))
		return err_set(err, ERR_INVALID, "broken PNG picture: %s",
			       image.message);
	image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
	rc = read_pixels(&image, ret, err);
	png_image_free(&image);
	return rc;
}
