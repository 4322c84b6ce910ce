/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <turbojpeg.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/features/picture.h"

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
	cr_assert(strstr(err.msg, "neither a PNG nor a JPEG"), "%s", err.msg);
	cr_assert_eq(picture_check_size(8193, 1, "PNG", &err), ERR_INVALID);
	cr_assert_eq(picture_check_size(8192, 8192, "PNG", &err), ERR_INVALID);
	cr_assert_eq(picture_check_size(8192, 4000, "PNG", &err), ERR_NONE);
}

Test(picture, resizing_keeps_the_mean_and_the_direction_of_a_ramp)
{
	struct picture from = ramp(64, 8), p;
	int sum = 0;

	cr_assert_eq(picture_resize(&from, 16, 4, RESIZE_SQUISH, &p, NULL), 0);
	for (int i = 0; i < 16 * 4; i++) {
		sum += p.pixel[i];
		cr_assert(i % 16 == 0 || p.pixel[i] > p.pixel[i - 1]);
	}
	cr_assert(abs(sum / 64 - 127) <= 1, "%d", sum / 64);
	mem_free(p.pixel);
	cr_assert_eq(picture_resize(&from, 64, 8, RESIZE_SQUISH, &p, NULL), 0);
	cr_assert_arr_eq(p.pixel, from.pixel, 64 * 8);
	mem_free(p.pixel);
	mem_free(from.pixel);
}

Test(picture, crop_takes_the_middle_and_pad_adds_black)
{
	struct picture from = ramp(64, 16), p;

	cr_assert_eq(picture_resize(&from, 16, 16, RESIZE_CROP, &p, NULL), 0);
	cr_assert_eq(p.pixel[0], from.pixel[24]);
	cr_assert_eq(p.pixel[15], from.pixel[39]);
	mem_free(p.pixel);
	cr_assert_eq(picture_resize(&from, 64, 64, RESIZE_PAD, &p, NULL), 0);
	cr_assert_eq(p.pixel[63], 0);
	cr_assert_eq(p.pixel[32 * 64 + 63], 255);
	mem_free(p.pixel);
	mem_free(from.pixel);
}
