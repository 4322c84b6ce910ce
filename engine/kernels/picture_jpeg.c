/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <turbojpeg.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

static enum err_code decode(tjhandle handle, const unsigned char *bytes,
			    unsigned long len, struct picture *picture,
			    struct err *err)
{
	int subsampling, colours, format;
	enum err_code rc;

	if (tjDecompressHeader3(handle, bytes, len, &picture->width,
				&picture->height, &subsampling, &colours))
		return err_set(err, ERR_INVALID, "broken JPEG picture: %s",
			       tjGetErrorStr2(handle));
	rc = picture_alloc(picture, "JPEG", err);
	if (rc)
		return rc;
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
