/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "tests/unit/base/folder.h"

static char folder[PATH_MAX];
static struct err err;

static void set_up(void)
{
	folder_enter(folder);
}

static void tear_down(void)
{
	folder_leave(folder);
}

TestSuite(file, .init = set_up, .fini = tear_down);

static const struct {
	int error;
	enum err_code code;
} codes[] = {
	{ ENOENT, ERR_NOT_FOUND }, { ENOTDIR, ERR_NOT_FOUND },
	{ ENOSPC, ERR_NO_SPACE },  { EDQUOT, ERR_NO_SPACE },
	{ EACCES, ERR_FORBIDDEN }, { EROFS, ERR_FORBIDDEN },
	{ EEXIST, ERR_CONFLICT },  { ENOMEM, ERR_NO_MEMORY },
	{ EIO, ERR_IO },	   { EFBIG, ERR_TOO_LARGE },
};

Test(file, turns_errno_into_a_code_and_a_sentence)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		cr_assert_eq(file_err(&err, codes[i].error, "do", "x"),
			     codes[i].code);
	(void)file_err(&err, ENOSPC, "write", "/a/b");
	cr_assert_str_eq(err.msg,
			 "cannot write '/a/b': No space left on device");
}

Test(file, reads_a_whole_file)
{
	char big[100000], *data = NULL;
	size_t len = 0;

	memset(big, 'x', sizeof(big));
	cr_assert_eq(file_write_atomic("big", big, sizeof(big), &err),
		     ERR_NONE);
	cr_assert_eq(file_read_all("big", sizeof(big), &data, &len, &err),
		     ERR_NONE);
	cr_assert_eq(len, sizeof(big));
	cr_assert_arr_eq(data, big, len);
	cr_assert_eq(data[len], '\0');
	mem_free(data);
	folder_put("empty", "");
	cr_assert_eq(file_read_all("empty", 0, &data, &len, &err), ERR_NONE);
	cr_assert_eq(len, 0);
	cr_assert_str_eq(data, "");
	mem_free(data);
}

Test(file, refuses_more_than_the_ceiling)
{
	char *data = NULL;
	size_t len = 0;

	folder_put("f", "12345");
	cr_assert_eq(file_read_all("f", 5, &data, &len, &err), ERR_NONE);
	mem_free(data);
	data = NULL;
	cr_assert_eq(file_read_all("f", 4, &data, &len, &err), ERR_TOO_LARGE);
	cr_assert_str_eq(err.msg, "cannot read 'f': larger than the 4 bytes "
				  "allowed");
	cr_assert_eq(file_read_all("/dev/zero", 100000, &data, &len, &err),
		     ERR_TOO_LARGE);
	cr_assert_null(data);
}

Test(file, reads_what_has_no_size)
{
	char *data = NULL;
	size_t len = 0;

	cr_assert_eq(
	    file_read_all("/proc/self/status", 1 << 20, &data, &len, &err),
	    ERR_NONE);
	cr_assert(len > 100 && str_starts_with(data, "Name:"));
	mem_free(data);
}

Test(file, says_what_is_wrong_with_a_path)
{
	char *data;
	size_t len;

	cr_assert_eq(file_read_all("none", 9, &data, &len, &err),
		     ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg,
			 "cannot open 'none': No such file or directory");
	cr_assert_eq(file_read_all(".", 9, &data, &len, &err), ERR_IO);
	cr_assert_str_eq(err.msg, "cannot read '.': Is a directory");
}

Test(file, survives_any_failed_allocation)
{
	folder_put("f", "12345");
	for (unsigned long n = 1; n < 3; n++) {
		char *data = NULL;
		enum err_code rc;
		size_t len;

		mem_fail_at(n);
		rc = file_read_all("f", 9, &data, &len, &err);
		mem_fail_at(0);
		cr_assert_eq(rc, n == 1 ? ERR_NO_MEMORY : ERR_NONE);
		mem_free(data);
	}
}

Test(file, maps_a_file)
{
	struct file_map map = { 0 };

	folder_put("f", "mapped");
	cr_assert_eq(file_map_open("f", &map, &err), ERR_NONE);
	cr_assert_eq(map.len, 6);
	cr_assert_arr_eq(map.data, "mapped", 6);
	file_map_close(&map);
	file_map_close(&map);
	folder_put("empty", "");
	cr_assert_eq(file_map_open("empty", &map, &err), ERR_NONE);
	cr_assert(map.len == 0 && !map.data);
	file_map_close(&map);
	cr_assert_eq(file_map_open("none", &map, &err), ERR_NOT_FOUND);
	cr_assert_eq(file_map_open("/dev/null", &map, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg, "cannot map '/dev/null': not a regular file");
}
