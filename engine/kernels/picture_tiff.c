/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * TIFF without compression: the first directory, 8 bits a sample, gray or RGB
 * (more samples than three are passed over), in strips; either byte order.
 *
 * Source: Adobe, "TIFF Revision 6.0", sections 1 to 7.
 */
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/picture.h"

enum {
	TAG_WIDTH = 256,
	TAG_HEIGHT = 257,
	TAG_BITS = 258,
	TAG_COMPRESSION = 259,
	TAG_COLOURS = 262,
	TAG_STRIPS = 273,
	TAG_SAMPLES = 277,
	TAG_ROWS = 278,
	TAG_PLANES = 284
};
enum { WHITE_IS_0 = 0, BLACK_IS_0 = 1, RGB = 2 };
enum { TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY = 12 };

struct tiff {
	const unsigned char *at;
	size_t len;
	bool is_big; /* big-endian */
};

/* The numbers of one tag; n 0: it is not there. */
struct field {
	size_t at; /* of the first number */
	uint32_t n;
	unsigned bytes; /* of a number */
};

struct layout {
	struct field strips;
	uint32_t width, height, samples, colours, rows;
};

static uint32_t number_at(const struct tiff *tiff, size_t at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		const unsigned shift =
		    tiff->is_big ? 8 * (bytes - 1 - i) : 8 * i;

		value |= (uint32_t)tiff->at[at + i] << shift;
	}
	return value;
}

static bool has_bytes(const struct tiff *tiff, size_t at, size_t n)
{
	return at <= tiff->len && n <= tiff->len - at;
}

/* Numbers of up to four bytes lie in the entry itself. */
static struct field find_field(const struct tiff *tiff, size_t directory,
			       unsigned tag)
{
	const struct field none = { 0, 0, 0 };
	const size_t n = number_at(tiff, directory, 2);

	for (size_t i = 0; i < n; i++) {
		const size_t entry = directory + 2 + i * ENTRY;
		const unsigned type = number_at(tiff, entry + 2, 2);
		struct field field = { entry + 8, number_at(tiff, entry + 4, 4),
				       type == TYPE_SHORT ? 2 : 4 };
		const size_t bytes = (size_t)field.n * field.bytes;

		if (number_at(tiff, entry, 2) != tag)
			continue;
		if (type != TYPE_SHORT && type != TYPE_LONG)
			return none;
		if (bytes > 4)
			field.at = number_at(tiff, entry + 8, 4);
		return has_bytes(tiff, field.at, bytes) ? field : none;
	}
	return none;
}

static uint32_t first_number(const struct tiff *tiff, size_t directory,
			     unsigned tag, uint32_t otherwise)
{
	const struct field field = find_field(tiff, directory, tag);

	return field.n ? number_at(tiff, field.at, field.bytes) : otherwise;
}

static bool has_bytes_for_samples(const struct tiff *tiff, size_t directory,
				  uint32_t samples)
{
	const struct field bits = find_field(tiff, directory, TAG_BITS);

	for (uint32_t i = 0; i < bits.n && i < samples; i++)
		if (number_at(tiff, bits.at + (size_t)i * bits.bytes,
			      bits.bytes) != 8)
			return false;
	return bits.n > 0;
}

static bool read_layout(const struct tiff *tiff, struct layout *ret)
{
	const size_t at = number_at(tiff, 4, 4);
	struct layout layout = { 0 };

	if (!has_bytes(tiff, at, 2) ||
	    !has_bytes(tiff, at, 2 + (size_t)ENTRY * number_at(tiff, at, 2)))
		return false;
	layout.width = first_number(tiff, at, TAG_WIDTH, 0);
	layout.height = first_number(tiff, at, TAG_HEIGHT, 0);
	layout.samples = first_number(tiff, at, TAG_SAMPLES, 1);
	layout.colours = first_number(tiff, at, TAG_COLOURS, RGB + 1);
	layout.rows = first_number(tiff, at, TAG_ROWS, layout.height);
	layout.strips = find_field(tiff, at, TAG_STRIPS);
	*ret = layout;
	return layout.rows && layout.colours <= RGB &&
	       layout.samples >= (layout.colours == RGB ? 3U : 1U) &&
	       layout.samples <= 16 &&
	       first_number(tiff, at, TAG_COMPRESSION, 1) == 1 &&
	       first_number(tiff, at, TAG_PLANES, 1) == 1 &&
	       has_bytes_for_samples(tiff, at, layout.samples);
}

/* at: of the row's first pixel */
static void put_row(const struct layout *layout, const unsigned char *from,
		    const struct picture *picture, int64_t at)
{
	const unsigned flip = layout->colours == WHITE_IS_0 ? 255 : 0;
	const size_t second = layout->colours == RGB ? 1 : 0;

	for (int x = 0; x < picture->width; x++, from += layout->samples)
		picture_put(picture, at + x, from[0] ^ flip,
			    from[second] ^ flip, from[2 * second] ^ flip);
}

static bool put_rows(const struct tiff *tiff, const struct layout *layout,
		     const struct picture *picture)
{
	const size_t stride = (size_t)layout->width * layout->samples;
	const struct field *strips = &layout->strips;

	for (uint32_t y = 0; y < layout->height; y++) {
		const uint32_t strip = y / layout->rows;
		size_t at;

		if (strip >= strips->n)
			return false;
		at = number_at(tiff, strips->at + (size_t)strip * strips->bytes,
			       strips->bytes) +
		     (size_t)(y % layout->rows) * stride;
		if (!has_bytes(tiff, at, stride))
			return false;
		put_row(layout, tiff->at + at, picture,
			(int64_t)y * picture->width);
	}
	return true;
}

enum err_code picture_decode_tiff(const void *bytes, size_t len, int channels,
				  struct picture *ret, struct err *err)
{
	const struct tiff tiff = { bytes, len,
				   len && *(const char *)bytes == 'M' };
	struct picture picture = { .channels = channels };
	struct layout layout;
	enum err_code rc;

	if (len < 8 || !read_layout(&tiff, &layout))
		return err_set(err, ERR_INVALID,
			       "broken TIFF picture, or of a kind that is not "
			       "read");
	rc = picture_check_size(layout.width, layout.height, "TIFF", err);
	if (rc)
		return rc;
	picture.width = (int)layout.width;
	picture.height = (int)layout.height;
	rc = picture_alloc(&picture, "TIFF", err);
	if (rc)
		return rc;
	if (!put_rows(&tiff, &layout, &picture)) {
		mem_free(picture.pixel);
		return err_set(err, ERR_INVALID,
			       "broken TIFF picture: rows lie beyond its end");
	}
	*ret = picture;
	return ERR_NONE;
}
