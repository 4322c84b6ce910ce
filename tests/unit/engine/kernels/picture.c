/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/picture.h"

#include <criterion/criterion.h>
#include <turbojpeg.h>

#include "base/file.h"
#include "base/mem.h"

static struct picture ramp(int width, int height)
{
	struct picture p = { .width = width, .height = height, .channels = 1 };

	p.pixel = mem_alloc((size_t)(width * height));
	for (int i = 0; i < width * height; i++)
		p.pixel[i] = (unsigned char)(i % width * 255 / (width - 1));
	return p;
}

Test(picture, a_png_is_decoded_to_its_samples)
{
	char *bytes;
	size_t len;
	struct picture p;
	struct err err;

	cr_assert_eq(file_read_all(PREDICTD_SOURCE
				   "/docs/examples/ankle-boot.png",
				   1 << 20, &bytes, &len, &err),
		     0, "%s", err.msg);
	cr_assert_eq(picture_decode(bytes, len, 1, &p, &err), 0, "%s", err.msg);
	cr_assert_eq(p.width, 28);
	cr_assert_eq(p.height, 28);
	cr_assert_eq(p.pixel[0], 0);
	cr_assert_eq(p.pixel[7 * 28 + 25], 37);
	mem_free(p.pixel);
	cr_assert_eq(picture_decode(bytes, len, 3, &p, &err), 0);
	cr_assert_eq(p.channels, 3);
	mem_free(p.pixel);
	for (size_t cut = 0; cut < len; cut += 7) {
		if (picture_decode(bytes, cut, 1, &p, &err) == ERR_NONE)
			mem_free(p.pixel);
		else
			cr_assert(err.msg[0]);
	}
	mem_free(bytes);
}

Test(picture, a_jpeg_is_decoded_within_its_loss)
{
	struct picture from = ramp(32, 16), p;
	unsigned char *jpeg = NULL;
	unsigned long len = 0;
	tjhandle handle = tjInitCompress();
	struct err err = { 0 };

	cr_assert_eq(tjCompress2(handle, from.pixel, 32, 0, 16, TJPF_GRAY,
				 &jpeg, &len, TJSAMP_GRAY, 95, 0),
		     0);
	cr_assert_eq(picture_decode(jpeg, len, 1, &p, &err), 0, "%s", err.msg);
	cr_assert_eq(p.width, 32);
	for (int i = 0; i < 32 * 16; i++)
		cr_assert(abs((int)p.pixel[i] - (int)from.pixel[i]) <= 4);
	mem_free(p.pixel);
	cr_assert_eq(picture_decode(jpeg, len / 2, 1, &p, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "JPEG"), "%s", err.msg);
	tjFree(jpeg);
	(void)tjDestroy(handle);
	mem_free(from.pixel);
}

Test(picture, other_bytes_are_named_for_what_they_are_not)
{
	struct picture p;
	struct err err = { 0 };

	cr_assert_eq(picture_decode("GIF89a", 6, 1, &p, &err), ERR_MEDIA_TYPE);
	cr_assert(strstr(err.msg, "no PNG, JPEG, JPEG 2000, WebP, BMP"), "%s",
		  err.msg);
	cr_assert_eq(picture_check_size(8193, 1, "PNG", &err), ERR_INVALID);
	cr_assert_eq(picture_check_size(8192, 8192, "PNG", &err), ERR_INVALID);
	cr_assert_eq(picture_check_size(8192, 4000, "PNG", &err), ERR_NONE);
}

/* ---- formats that are read by hand --------------------------------------- */

struct made {
	const char *name;
	unsigned char bytes[160];
	size_t len;
};

/* 2 x 2: red green, blue and (8, 16, 24) */
static const unsigned char colours[] = { 255, 0, 0,   0, 255, 0,
					 0,   0, 255, 8, 16,  24 };

#define BMP(length, height, bits, compression)                               \
	'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0, (length), 0, 0, 0, 40, 0, 0, 0, 2, \
	    0, 0, 0, ((height)&255), ((height) >> 8 & 255),                  \
	    ((height) >> 16 & 255), ((height) >> 24 & 255), 1, 0, (bits), 0, \
	    (compression), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define ROW_TOP 0, 0, 255, 0, 255, 0, 0, 0
#define ROW_BOTTOM 255, 0, 0, 24, 16, 8, 0, 0

static const struct made good[] = {
	{ "bmp",
	  { BMP(54, 2, 24, 0), 0, 0, 0, 0, 0, 0, 0, 0, ROW_BOTTOM, ROW_TOP },
	  70 },
	{ "bmp from the top",
	  { BMP(54, -2, 24, 0), 0, 0, 0, 0, 0, 0, 0, 0, ROW_TOP, ROW_BOTTOM },
	  70 },
	{ "bmp of 32 bits",
	  { BMP(54, 2, 32, 0),
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    255,
	    0,
	    0,
	    0,
	    24,
	    16,
	    8,
	    0,
	    0,
	    0,
	    255,
	    0,
	    0,
	    255,
	    0,
	    0 },
	  70 },
	{ "bmp with a palette",
	  { BMP(70, 2, 8, 0),
	    4,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    0,
	    255,
	    0,
	    0,
	    255,
	    0,
	    0,
	    255,
	    0,
	    0,
	    0,
	    24,
	    16,
	    8,
	    0,
	    2,
	    3,
	    0,
	    0,
	    0,
	    1,
	    0,
	    0 },
	  78 },
	{ "ppm",
	  "P6 # a picture\n#\n2 2\n255\n\xff\0\0\0\xff\0\0\0\xff\x08\x10\x18",
	  37 },
};

static void expect_colours(const struct made *made)
{
	struct picture p;
	struct err err = { 0 };

	cr_assert_eq(picture_decode(made->bytes, made->len, 3, &p, &err),
		     ERR_NONE, "%s: %s", made->name, err.msg);
	cr_assert_eq(p.width, 2);
	cr_assert_eq(p.height, 2);
	for (size_t i = 0; i < sizeof(colours); i++)
		cr_expect_eq(p.pixel[i], colours[i], "%s: %d at %zu",
			     made->name, p.pixel[i], i);
	mem_free(p.pixel);
	cr_assert_eq(picture_decode(made->bytes, made->len, 1, &p, &err),
		     ERR_NONE);
	cr_expect_eq(p.pixel[0], 76, "%s: %d", made->name, p.pixel[0]);
	mem_free(p.pixel);
}

Test(picture, plain_formats_are_decoded)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		expect_colours(&good[i]);
}

Test(picture, what_is_cut_short_is_refused)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		unsigned char *copy;
		struct picture p;

		for (size_t cut = 0; cut < good[i].len; cut++) {
			/* of that size, for the sanitizer to see */
			copy = mem_alloc(cut + 1);
			memcpy(copy, good[i].bytes, cut);
			cr_expect_neq(picture_decode(copy, cut, 3, &p, NULL),
				      ERR_NONE, "%s at %zu", good[i].name, cut);
			mem_free(copy);
		}
	}
}

Test(picture, samples_of_gray_maps_are_scaled)
{
	static const unsigned char pgm[] = "P5 3 1 100\n\0\x32\xc8";
	struct picture p;

	cr_assert_eq(picture_decode(pgm, sizeof(pgm) - 1, 1, &p, NULL),
		     ERR_NONE);
	cr_expect_eq(p.pixel[0], 0);
	cr_expect_eq(p.pixel[1], 128);
	cr_expect_eq(p.pixel[2], 255); /* beyond the greatest */
	mem_free(p.pixel);
}

Test(picture, kinds_that_are_not_read_are_refused)
{
	static const struct made bad[] = {
		{ "packed", { BMP(54, 2, 8, 1) }, 80 },
		{ "16 bits", { BMP(54, 2, 16, 0) }, 80 },
		{ "no rows", { BMP(54, 0, 24, 0) }, 80 },
		{ "as low as can be", { BMP(54, INT32_MIN, 24, 0) }, 80 },
		{ "samples beyond the end", { BMP(79, 2, 24, 0) }, 80 },
		{ "two bytes a sample", "P6 1 1 65535\n......", 19 },
		{ "no numbers", "P6 x", 4 },
		{ "nothing", "P6", 2 },
		{ "only a comment", "P6 #  ", 6 },
		{ "too wide", "P5 9999 1 255\n", 14 },
	};
	struct picture p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(
		    picture_decode(bad[i].bytes, bad[i].len, 3, &p, NULL),
		    ERR_INVALID, "%s", bad[i].name);
}

/* ---- TIFF ---------------------------------------------------------------- */

struct tiff {
	bool is_big;
	unsigned compression, colours, samples;
	size_t len;
	unsigned char bytes[256];
};

static void put(struct tiff *t, unsigned bytes, uint32_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		t->bytes[t->len++] =
		    (unsigned char)(value >>
				    8 * (t->is_big ? bytes - 1 - i : i));
}

/* One number of four bytes, or of two and padding. */
static void put_entry(struct tiff *t, unsigned tag, unsigned type, uint32_t n,
		      uint32_t value)
{
	const unsigned bytes = type == 3 && n == 1 ? 2 : 4;

	put(t, 2, tag);
	put(t, 2, type);
	put(t, 4, n);
	put(t, bytes, value);
	put(t, 4 - bytes, 0);
}

/* 2 x 2 in two strips; what is too long for an entry stands behind. */
static void make_tiff(struct tiff *t, const unsigned char *samples)
{
	const uint32_t end = 10 + 9 * 12 + 4, row = 2 * t->samples;

	t->len = 0;
	put(t, 2, t->is_big ? 0x4d4d : 0x4949);
	put(t, 2, 42);
	put(t, 4, 8);
	put(t, 2, 9);
	put_entry(t, 256, 4, 1, 2);
	put_entry(t, 257, 3, 1, 2);
	put_entry(t, 258, 3, t->samples, t->samples > 1 ? end : 8);
	put_entry(t, 259, 3, 1, t->compression);
	put_entry(t, 262, 3, 1, t->colours);
	put_entry(t, 273, 4, 2, end + 6);
	put_entry(t, 277, 3, 1, t->samples);
	put_entry(t, 278, 3, 1, 1);
	put_entry(t, 284, 3, 1, 1);
	put(t, 4, 0);
	for (int i = 0; i < 3; i++)
		put(t, 2, 8);
	put(t, 4, end + 14 + row); /* the second row comes first */
	put(t, 4, end + 14);
	memcpy(t->bytes + t->len, samples + row, row);
	memcpy(t->bytes + t->len + row, samples, row);
	t->len += (size_t)2 * row;
}

Test(picture, tiff_in_either_order_is_decoded)
{
	for (int is_big = 0; is_big < 2; is_big++) {
		struct tiff t = { is_big, 1, 2, 3, 0, { 0 } };
		struct picture p;
		struct err err = { 0 };

		make_tiff(&t, colours);
		cr_assert_eq(picture_decode(t.bytes, t.len, 3, &p, &err),
			     ERR_NONE, "%s", err.msg);
		cr_assert_eq(p.height, 2);
		cr_expect_arr_eq(p.pixel, colours, sizeof(colours));
		mem_free(p.pixel);
		for (size_t cut = 0; cut < t.len; cut++) {
			unsigned char *copy = mem_alloc(cut + 1);

			memcpy(copy, t.bytes, cut);
			cr_expect_neq(picture_decode(copy, cut, 3, &p, NULL),
				      ERR_NONE, "at %zu", cut);
			mem_free(copy);
		}
	}
}

Test(picture, tiff_of_gray_may_be_a_negative)
{
	static const unsigned char gray[] = { 0, 100, 200, 255 };

	for (unsigned colours_are = 0; colours_are < 2; colours_are++) {
		struct tiff t = { false, 1, colours_are, 1, 0, { 0 } };
		struct picture p;

		make_tiff(&t, gray);
		cr_assert_eq(picture_decode(t.bytes, t.len, 1, &p, NULL),
			     ERR_NONE);
		for (int i = 0; i < 4; i++)
			cr_expect_eq(p.pixel[i],
				     colours_are ? gray[i] : 255 - gray[i]);
		mem_free(p.pixel);
	}
}

Test(picture, tiff_that_is_not_read_is_refused)
{
	static const struct tiff rows[] = {
		{ .compression = 5, .colours = 2, .samples = 3 },
		{ .compression = 1, .colours = 3, .samples = 1 },
		{ .compression = 1, .colours = 2, .samples = 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct tiff t = rows[i];
		struct picture p;

		make_tiff(&t, colours);
		cr_expect_eq(picture_decode(t.bytes, t.len, 3, &p, NULL),
			     ERR_INVALID, "%zu", i);
	}
}
