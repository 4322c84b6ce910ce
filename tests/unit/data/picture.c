/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

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
