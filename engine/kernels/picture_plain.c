/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pictures whose samples lie in the file as they are.
 *
 *   BMP  rows from the bottom (or the top, where the height is negative), each
 *        padded to four bytes; blue, green, red, or a byte of a palette
 *   PNM  P5 gray and P6 RGB, a header of numbers in text, samples up to 255
 *
 * Source: Microsoft, "Bitmap storage"; Netpbm's pages ppm(5) and pgm(5).
 */
#include <stdbool.h>

#include "engine/kernels/picture.h"

struct bytes {
	const unsigned char *at;
	size_t len;
};

static enum err_code broken(const char *format, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "broken %s picture, or of a kind that is not read",
		       format);
}

/* ---- BMP ----------------------------------------------------------------- */

enum {
	BMP_PIXELS = 10, /* where they begin */
	BMP_INFO = 14,	 /* the second header */
	BMP_LEAST = BMP_INFO + 40
};

struct bmp {
	uint32_t first, info; /* of the samples; length of the second header */
	int32_t width, height;
	unsigned bits, compression, n_colours;
};

static uint32_t number_at(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static struct bmp read_bmp(const unsigned char *at)
{
	const unsigned char *info = at + BMP_INFO;

	return (struct bmp){
		.first = number_at(at + BMP_PIXELS),
		.info = number_at(info),
		.width = (int32_t)number_at(info + 4),
		.height = (int32_t)number_at(info + 8),
		.bits = info[14] | (unsigned)info[15] << 8,
		.compression = number_at(info + 16),
		.n_colours = number_at(info + 32),
	};
}

/* The palette ends before the samples begin. */
static bool has_palette(const struct bmp *bmp, size_t len)
{
	const unsigned n = bmp->n_colours ? bmp->n_colours : 256;

	return n <= 256 && bmp->info <= len &&
	       BMP_INFO + (size_t)bmp->info + 4 * (size_t)n <= len;
}

static void put_bmp_row(const struct bmp *bmp, struct bytes file,
			const unsigned char *row, int64_t at,
			const struct picture *picture)
{
	const unsigned char *palette = file.at + BMP_INFO + bmp->info;
	const unsigned n = bmp->n_colours ? bmp->n_colours : 256;

	for (int x = 0; x < picture->width; x++) {
		const unsigned char *from = row + (size_t)x * (bmp->bits / 8);

		if (bmp->bits == 8)
			from = palette + (size_t)4 * (*from < n ? *from : 0);
		picture_put(picture, at + x, from[2], from[1], from[0]);
	}
}

enum err_code picture_decode_bmp(const void *bytes, size_t len, int channels,
				 struct picture *ret, struct err *err)
{
	const struct bytes file = { bytes, len };
	struct picture picture = { .channels = channels };
	struct bmp bmp;
	size_t stride;
	enum err_code rc;

	if (len < BMP_LEAST)
		return broken("BMP", err);
	bmp = read_bmp(file.at);
	if (bmp.info < 40 || bmp.compression || bmp.height == INT32_MIN ||
	    (bmp.bits != 8 && bmp.bits != 24 && bmp.bits != 32) ||
	    (bmp.bits == 8 && !has_palette(&bmp, len)))
		return broken("BMP", err);
	picture.width = bmp.width;
	picture.height = bmp.height < 0 ? -bmp.height : bmp.height;
	rc = picture_check_size(picture.width, picture.height, "BMP", err);
	if (rc)
		return rc;
	stride = ((size_t)bmp.width * bmp.bits / 8 + 3) / 4 * 4;
	if (bmp.first > len ||
	    (len - bmp.first) / stride < (size_t)picture.height)
		return broken("BMP", err);
	rc = picture_alloc(&picture, "BMP", err);
	for (int y = 0; y < picture.height && !rc; y++) {
		const int64_t to = bmp.height < 0 ? y : picture.height - 1 - y;

		put_bmp_row(&bmp, file,
			    file.at + bmp.first + (size_t)y * stride,
			    to * picture.width, &picture);
	}
	if (!rc)
		*ret = picture;
	return rc;
}

/* ---- PNM ----------------------------------------------------------------- */

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= 9 && c <= 13);
}

/* The next number of a header, past white space and comments; -1: there is
 * none, or it has more than four digits. */
static int next_number(struct bytes *rest)
{
	bool is_comment = false;
	int number = -1;

	while (rest->len &&
	       (is_comment || is_space(*rest->at) || *rest->at == '#')) {
		is_comment =
		    *rest->at == '#' || (is_comment && *rest->at != '\n');
		rest->at++;
		rest->len--;
	}
	while (rest->len && *rest->at >= '0' && *rest->at <= '9' &&
	       number < 1000) {
		number = (number < 0 ? 0 : 10 * number) + (*rest->at - '0');
		rest->at++;
		rest->len--;
	}
	return number;
}

enum err_code picture_decode_pnm(const void *bytes, size_t len, int channels,
				 struct picture *ret, struct err *err)
{
	struct bytes rest = { (const unsigned char *)bytes + 2, len - 2 };
	const size_t per = rest.at[-1] == '6' ? 3 : 1;
	struct picture picture = { .channels = channels };
	int most;
	int64_t n;
	enum err_code rc;

	picture.width = next_number(&rest);
	picture.height = next_number(&rest);
	most = next_number(&rest);
	if (most < 1 || most > 255 || !rest.len || !is_space(*rest.at))
		return broken("PNM", err);
	rc = picture_check_size(picture.width, picture.height, "PNM", err);
	if (rc)
		return rc;
	n = (int64_t)picture.width * picture.height;
	if ((rest.len - 1) / per < (size_t)n)
		return broken("PNM", err);
	rc = picture_alloc(&picture, "PNM", err);
	for (int64_t i = 0; i < n && !rc; i++) {
		const unsigned char *from = rest.at + 1 + (size_t)i * per;
		unsigned v[3];

		for (size_t c = 0; c < 3; c++) {
			const unsigned sample = from[per == 3 ? c : 0];

			v[c] = sample > (unsigned)most
				   ? 255
				   : (sample * 510 + (unsigned)most) /
					 (2 * (unsigned)most);
		}
		picture_put(&picture, i, v[0], v[1], v[2]);
	}
	if (!rc)
		*ret = picture;
	return rc;
}
