/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * JPEG 2000 (ISO/IEC 15444-1) by OpenJPEG: files (JP2) and bare codestreams of
 * gray or RGB, with or without transparency, whose components have the
 * picture's size and at most 16 bits.
 */
#include <openjpeg.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

enum { MOST_COMPONENTS = 4, MOST_BITS = 16, BUFFER = 1 << 16, OPAQUE = 255 };

/* --- bytes --- */

struct source {
	const unsigned char *bytes;
	size_t len, at;
};

static OPJ_SIZE_T read_bytes(void *to, OPJ_SIZE_T n, void *data)
{
	struct source *source = data;
	const size_t left = source->len - source->at;

	if (!left)
		return (OPJ_SIZE_T)-1;
	n = n < left ? n : left;
	memcpy(to, source->bytes + source->at, n);
	source->at += n;
	return n;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T n, void *data)
{
	struct source *source = data;

	if (n < 0 || (OPJ_UINT64)n > source->len - source->at)
		return -1;
	source->at += (size_t)n;
	return n;
}

static OPJ_BOOL seek_byte(OPJ_OFF_T at, void *data)
{
	struct source *source = data;

	if (at < 0 || (OPJ_UINT64)at > source->len)
		return OPJ_FALSE;
	source->at = (size_t)at;
	return OPJ_TRUE;
}

static opj_stream_t *open_stream(struct source *source)
{
	opj_stream_t *stream = opj_stream_create(BUFFER, OPJ_TRUE);

	if (!stream)
		return NULL;
	opj_stream_set_user_data(stream, source, NULL);
	opj_stream_set_user_data_length(stream, source->len);
	opj_stream_set_read_function(stream, read_bytes);
	opj_stream_set_skip_function(stream, skip_bytes);
	opj_stream_set_seek_function(stream, seek_byte);
	return stream;
}

/* --- samples --- */

static enum err_code broken(struct err *err)
{
	return err_set(err, ERR_INVALID, "broken JPEG 2000 picture");
}

/* Before anything is decoded. */
static enum err_code check(const opj_image_t *image, struct err *err)
{
	enum err_code rc = picture_check_size((int64_t)image->x1 - image->x0,
					      (int64_t)image->y1 - image->y0,
					      "JPEG 2000", err);

	if (rc)
		return rc;
	if (image->numcomps < 1 || image->numcomps > MOST_COMPONENTS)
		return err_set(err, ERR_UNSUPPORTED,
			       "the JPEG 2000 picture has %u components; 1 to "
			       "%d are accepted",
			       image->numcomps, (int)MOST_COMPONENTS);
	for (unsigned i = 0; i < image->numcomps; i++) {
		const opj_image_comp_t *c = &image->comps[i];

		if (c->dx != 1 || c->dy != 1 || c->sgnd || c->prec < 1 ||
		    c->prec > MOST_BITS)
			return err_set(err, ERR_UNSUPPORTED,
				       "component %u of the JPEG 2000 picture "
				       "is of %u bits, a sample for %u x %u "
				       "pixels; whole numbers of 1 to %d bits "
				       "for each pixel are accepted",
				       i, c->prec, c->dx, c->dy,
				       (int)MOST_BITS);
	}
	return ERR_NONE;
}

static unsigned sample(const opj_image_comp_t *c, size_t i)
{
	const unsigned most = (1U << c->prec) - 1;
	const OPJ_INT32 v = c->data[i];
	const unsigned in = v < 0		   ? 0
			    : (OPJ_UINT32)v > most ? most
						   : (unsigned)v;

	return (in * OPAQUE + most / 2) / most;
}

/* Pixel i over black; the component after the colours is how opaque it is. */
static void pixel(const opj_image_t *image, size_t i, unsigned rgb[3])
{
	const unsigned colours = image->numcomps < 3 ? 1 : 3;
	const unsigned alpha = image->numcomps > colours
				   ? sample(&image->comps[colours], i)
				   : OPAQUE;

	for (unsigned c = 0; c < 3; c++)
		rgb[c] = picture_over_black(
		    sample(&image->comps[colours == 1 ? 0 : c], i), alpha);
}

static enum err_code take(const opj_image_t *image, struct picture *to,
			  struct err *err)
{
	const size_t n = (size_t)to->width * (size_t)to->height;
	unsigned rgb[3];

	for (unsigned i = 0; i < image->numcomps; i++)
		if (!image->comps[i].data ||
		    image->comps[i].w != (OPJ_UINT32)to->width ||
		    image->comps[i].h != (OPJ_UINT32)to->height)
			return broken(err);
	for (size_t i = 0; i < n; i++) {
		pixel(image, i, rgb);
		picture_put(to, (int64_t)i, rgb[0], rgb[1], rgb[2]);
	}
	return ERR_NONE;
}

static enum err_code decode(opj_codec_t *codec, opj_stream_t *stream,
			    struct picture *picture, struct err *err)
{
	opj_dparameters_t parameters;
	opj_image_t *image = NULL;
	enum err_code rc;

	opj_set_default_decoder_parameters(&parameters);
	if (!opj_setup_decoder(codec, &parameters) ||
	    !opj_decoder_set_strict_mode(codec, OPJ_TRUE) ||
	    !opj_read_header(stream, codec, &image)) {
		opj_image_destroy(image);
		return broken(err);
	}
	rc = check(image, err);
	if (!rc && !opj_decode(codec, stream, image))
		rc = broken(err);
	if (!rc) {
		picture->width = (int)(image->x1 - image->x0);
		picture->height = (int)(image->y1 - image->y0);
		rc = picture_alloc(picture, "JPEG 2000", err);
	}
	if (!rc)
		rc = take(image, picture, err);
	opj_image_destroy(image);
	return rc;
}

enum err_code picture_decode_jpeg2000(const void *bytes, size_t len,
				      int channels, struct picture *ret,
				      struct err *err)
{
	struct source source = { bytes, len, 0 };
	struct picture picture = { .channels = channels };
	const bool is_bare = len && source.bytes[0] == 0xff;
	opj_codec_t *codec =
	    opj_create_decompress(is_bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
	opj_stream_t *stream = open_stream(&source);
	enum err_code rc;

	if (codec && stream)
		rc = decode(codec, stream, &picture, err);
	else
		rc = err_set(err, ERR_NO_MEMORY,
			     "no memory for the JPEG 2000 decoder");
	opj_stream_destroy(stream);
	opj_destroy_codec(codec);
	if (rc) {
		mem_free(picture.pixel);
		return rc;
	}
	*ret = picture;
	return ERR_NONE;
}
