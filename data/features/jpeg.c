/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <turbojpeg.h>

#include "base/mem.h"
#include "data/features/picture.h"

static enum err_code decode(tjhandle handle, const unsigned char *bytes,
			    unsigned long len, struct picture *picture,
			    struct err *err)
{
	int subsampling, colours, format;
	size_t size;
	enum err_code rc;

	if (tjDecompressHeader3(handle, bytes, len, &picture->width,
				&picture->height, &subsampling, &colours))
		return err_set(err, ERR_INVALID, "broken JPEG picture: %s",
			       tjGetErrorStr2(handle));
	rc = picture_check_size(picture->width, picture->height, "JPEG", err);
	if (rc)
		return rc;
	size = (size_t)picture->width * (size_t)picture->height *
	       (size_t)picture->channels;
	picture->pixel = mem_alloc(size);
	if (!picture->pixel)
		return err_set(err, ERR_NO_MEMORY,
			       "no memory for a picture of %d x %d",
			       picture->width, picture->height);
	format = picture->channels == 1 ? TJPF_GRAY : TJPF_RGB;
	/* the limit on scans keeps a small progressive file from taking
	 * minutes */
	if (tjDecompress2(handle, bytes, len, picture->pixel, picture->width, 0,
			  picture->height, format,
			  TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING))
		return err_set(err, ERR_INVALID, "broken JPEG picture: %s",
			       tjGetErrorStr2(handle));
	return ERR_NONE;
}

enum err_code picture_decode_jpeg(const void *bytes, size_t len, int channels,
				  struct picture *ret, struct err *err)
{
	struct picture picture = { .channels = channels };
	tjhandle handle = tjInitDecompress();
	enum err_code rc;

	if (!handle)
		return err_set(err, ERR_NO_MEMORY,
			       "no memory for the JPEG decoder");
	rc = decode(handle, bytes, (unsigned long)len, &picture, err);
	(void)tjDestroy(handle);
	if (rc) {
		mem_free(picture.pixel);
		return rc;
	}
	*ret = picture;
	return ERR_NONE;
}
