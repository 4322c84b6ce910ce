/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "data/readers/gunzip.h"
#include "data/readers/idx_file.h"

Test(idx_file, big_endian_elements_are_swapped)
{
	unsigned char file[] = { 0, 0, 0x0B, 2, 0, 0, 0, 1,
				 0, 0, 0,    2, 1, 2, 3, 4 };
	struct tensor_view view;
	struct err err;

	cr_assert_eq(idx_parse(file, sizeof(file), "f", &view, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(view.dtype, DTYPE_I16);
	cr_assert_eq(view.shape.rank, 2);
	cr_assert_eq(((int16_t *)view.data)[0], 0x0102);
	cr_assert_eq(((int16_t *)view.data)[1], 0x0304);
}

Test(idx_file, every_broken_header_is_refused)
{
	static const struct {
		unsigned char file[12];
		size_t len;
		const char *says;
	} table[] = {
		{ { 0, 0, 8 }, 3, "not an IDX" },
		{ { 1, 0, 8, 1, 0, 0, 0, 0 }, 8, "not an IDX" },
		{ { 0, 0, 7, 1, 0, 0, 0, 0 }, 8, "0x07" },
		{ { 0, 0, 8, 0 }, 4, "rank 0" },
		{ { 0, 0, 8, 9, 0, 0, 0, 1 }, 8, "rank 9" },
		{ { 0, 0, 8, 2, 0, 0, 0, 1 }, 8, "does not fit" },
		{ { 0, 0, 8, 1, 0, 0, 0, 9, 1 }, 9, "promises 9 bytes" },
		{ { 0, 0, 8, 1, 0, 0, 0, 1, 1, 2 }, 10, "has 2" },
		{ { 0, 0, 0x0E, 1, 0xff, 0xff, 0xff, 0xff }, 8, "f" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned char file[12];
		struct tensor_view view;
		struct err err = { 0 };

		memcpy(file, table[i].file, sizeof(file));
		cr_assert_neq(idx_parse(file, table[i].len, "f", &view, &err),
			      ERR_NONE, "%zu", i);
		cr_assert(strstr(err.msg, table[i].says), "%zu: %s", i,
			  err.msg);
	}
}

/* gzip of "hello hello hello hello\n", made by gzip */
static const unsigned char zipped[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00,
					0x00, 0x00, 0x02, 0xff, 0xcb, 0x48,
					0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40,
					0x27, 0xb9, 0x00, 0x00, 0x88, 0x59,
					0x0b, 0x18, 0x00, 0x00, 0x00 };

Test(gunzip, a_bound_holds_and_a_cut_file_is_told)
{
	char *data;
	size_t len;
	struct err err = { 0 };

	cr_assert_eq(
	    gunzip(&(struct gunzip_source){ zipped, sizeof(zipped), 24, "z" },
		   &data, &len, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(len, 24);
	cr_assert(memcmp(data, "hello hello hello hello\n", 24) == 0);
	mem_free(data);
	cr_assert_eq(
	    gunzip(&(struct gunzip_source){ zipped, sizeof(zipped), 23, "z" },
		   &data, &len, &err),
	    ERR_TOO_LARGE);
	cr_assert_eq(gunzip(&(struct gunzip_source){ zipped, sizeof(zipped) - 9,
						     1000, "z" },
			    &data, &len, &err),
		     ERR_INVALID);
	cr_assert(strstr(err.msg, "cut off"), "%s", err.msg);
	cr_assert_neq(
	    gunzip(&(struct gunzip_source){ "nonsense", 8, 1000, "z" }, &data,
		   &len, &err),
	    0);
}
