/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures that libraries decode: WebP and JPEG 2000. The files are those that
 * fuzzing begins with. */
#include "engine/kernels/picture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { WIDTH = 5, HEIGHT = 3 };

struct file {
	char *bytes;
	size_t len;
};

static struct file read_file(const char *name)
{
	char path[512];
	struct file file;
	struct err err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/picture/%s",
		       PREDICTD_SOURCE, name);
	cr_assert_eq(file_read_all(path, 1 << 16, &file.bytes, &file.len, &err),
		     0, "%s", err.msg);
	return file;
}

static struct picture decode(const char *name, int channels)
{
	const struct file file = read_file(name);
	struct picture p = { 0 };
	struct err err = { 0 };

	cr_assert_eq(picture_decode(file.bytes, file.len, channels, &p, &err),
		     0, "%s: %s", name, err.msg);
	cr_assert_eq(p.channels, channels);
	mem_free(file.bytes);
	return p;
}

/* 50 x, 80 y, 10 (x + y), without loss */
static void expect_colours(const char *name)
{
	struct picture p = decode(name, 3);

	cr_assert_eq(p.width, WIDTH, "%s", name);
	cr_assert_eq(p.height, HEIGHT);
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++) {
			const unsigned char *at =
			    p.pixel + (size_t)3 * (size_t)(y * WIDTH + x);

			cr_expect_eq(at[0], 50 * x, "%s", name);
			cr_expect_eq(at[1], 80 * y);
			cr_expect_eq(at[2], 10 * (x + y));
		}
	mem_free(p.pixel);
}

Test(picture_library, colours_are_exact)
{
	expect_colours("webp");
	expect_colours("jp2");
}

Test(picture_library, colours_become_gray)
{
	static const char *const name[] = { "webp", "jp2" };

	for (int i = 0; i < 2; i++) {
		struct picture p = decode(name[i], 1);

		cr_expect_eq(p.pixel[WIDTH + 2], picture_gray(100, 80, 30));
		mem_free(p.pixel);
	}
}

Test(picture_library, gray_becomes_either)
{
	struct picture gray = decode("j2k_gray", 1);
	struct picture rgb = decode("j2k_gray", 3);

	cr_assert_eq(gray.width, 4);
	for (int i = 0; i < 8; i++) {
		cr_expect_eq(gray.pixel[i], 30 * i);
		for (int c = 0; c < 3; c++)
			cr_expect_eq(rgb.pixel[3 * i + c], 30 * i);
	}
	mem_free(gray.pixel);
	mem_free(rgb.pixel);
}

/* red, half of it, and a colour that hides all */
Test(picture_library, what_is_transparent_lies_over_black)
{
	static const unsigned char want[] = { 128, 0, 0, 10, 20, 30 };
	static const char *const name[] = { "webp_alpha", "jp2_alpha" };

	for (int i = 0; i < 2; i++) {
		struct picture p = decode(name[i], 3);

		cr_expect_arr_eq(p.pixel, want, sizeof(want), "%s", name[i]);
		mem_free(p.pixel);
	}
}

Test(picture_library, what_is_cut_short_is_refused)
{
	static const char *const name[] = { "webp", "webp_alpha", "jp2",
					    "j2k_gray" };

	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++) {
		const struct file file = read_file(name[i]);

		/* the last bytes of a codestream only say that it ends */
		for (size_t cut = 0; cut + 8 < file.len; cut++) {
			struct picture p;
			struct err err = { 0 };
			char *copy = mem_alloc(cut + 1);

			memcpy(copy, file.bytes, cut);
			cr_expect_neq(picture_decode(copy, cut, 3, &p, &err), 0,
				      "%s at %zu of %zu", name[i], cut,
				      file.len);
			cr_expect(err.msg[0]);
			mem_free(copy);
		}
		mem_free(file.bytes);
	}
}

/* The header's extents, in the file as they stand there. */
Test(picture_library, sides_are_checked_before_anything_is_decoded)
{
	struct file file = read_file("j2k_gray");
	struct picture p;
	struct err err = { 0 };

	/* Xsiz and XTsiz follow SOC, SIZ, its length and capabilities */
	file.bytes[8] = file.bytes[24] = 0x10;
	cr_expect_eq(picture_decode(file.bytes, file.len, 1, &p, &err),
		     ERR_INVALID);
	cr_expect(strstr(err.msg, "the JPEG 2000 picture is 268435460 x 2"),
		  "%s", err.msg);
	mem_free(file.bytes);
}
