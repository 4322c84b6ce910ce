/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

TestSuite(file_dir, .init = set_up, .fini = tear_down);

Test(file_dir, makes_all_that_is_missing)
{
	char path[PATH_MAX];

	cr_assert_eq(file_make_dirs("a//b/c/", &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(file_make_dirs("a/b/c", &err), ERR_NONE);
	(void)snprintf(path, sizeof(path), "%.100s/x/y", folder);
	cr_assert_eq(file_make_dirs(path, &err), ERR_NONE);
	cr_assert_eq(access("a/b/c", F_OK), 0);
	cr_assert_eq(access("x/y", F_OK), 0);
	folder_put("f", "");
	cr_assert_eq(file_make_dirs("f", &err), ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "cannot make folder 'f': Not a directory");
	cr_assert_eq(file_make_dirs("f/g", &err), ERR_NOT_FOUND);
	cr_assert_eq(file_make_dirs("/proc/x", &err), ERR_NOT_FOUND);
	cr_assert_eq(file_make_dirs("", &err), ERR_NOT_FOUND);
}

Test(file_dir, removes_a_tree_but_never_what_a_link_names)
{
	cr_assert_eq(file_make_dirs("kept/deep", &err), ERR_NONE);
	folder_put("kept/deep/f", "kept");
	cr_assert_eq(file_make_dirs("t/a/b/c", &err), ERR_NONE);
	folder_put("t/a/f", "");
	folder_put("t/a/b/.hidden", "");
	cr_assert_eq(symlink("../../kept", "t/a/link"), 0);
	cr_assert_eq(symlink("kept", "link"), 0);
	cr_assert_eq(file_remove_tree("t", &err), ERR_NONE, "%s", err.msg);
	cr_assert_neq(access("t", F_OK), 0);
	cr_assert_eq(file_remove_tree("link", &err), ERR_NONE);
	cr_assert_eq(access("kept/deep/f", F_OK), 0);
	cr_assert_eq(file_remove_tree("kept/deep/f", &err), ERR_NONE);
	cr_assert_eq(file_remove_tree("none", &err), ERR_NONE);
}

Test(file_dir, removes_many_and_deep)
{
	char path[PATH_MAX] = "d";

	for (int i = 1; i < 63; i++) {
		const size_t len = strlen(path);

		(void)str_copy(path + len, sizeof(path) - len, "/d");
	}
	cr_assert_eq(file_make_dirs(path, &err), ERR_NONE);
	for (int i = 0; i < 500; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/d/%d", i);
		cr_assert_eq(mkdir(name, 0755), 0);
	}
	cr_assert_eq(file_remove_tree("d", &err), ERR_NONE, "%s", err.msg);
	cr_assert_neq(access("d", F_OK), 0);
}

Test(file_dir, says_which_entry_cannot_be_removed)
{
	cr_assert_eq(file_make_dirs("t/a", &err), ERR_NONE);
	folder_put("t/a/f", "");
	/* the calls: unlink t, t/a, t/a/f */
	file_fail_at(3, EACCES);
	cr_assert_eq(file_remove_tree("t", &err), ERR_FORBIDDEN);
	cr_assert_str_eq(err.msg, "cannot remove 't/a/f': Permission denied");
	for (unsigned long n = 1; n <= 5; n++) {
		cr_assert_eq(file_make_dirs("t/a", &err), ERR_NONE);
		folder_put("t/a/f", "");
		file_fail_at(n, EIO);
		cr_assert_eq(file_remove_tree("t", &err), ERR_IO, "%lu", n);
		file_fail_at(0, 0);
	}
}

Test(file_dir, lists_names_in_order)
{
	struct arena *arena = arena_create(1 << 20);
	const char **names = NULL;
	size_t n = 9;

	cr_assert_eq(file_list_dir(".", 3, arena, &names, &n, &err), ERR_NONE);
	cr_assert_eq(n, 0);
	folder_put("b", "");
	folder_put(".a", "");
	folder_put("B", "");
	cr_assert_eq(file_list_dir(".", 3, arena, &names, &n, &err), ERR_NONE);
	cr_assert_eq(n, 3);
	cr_assert_str_eq(names[0], ".a");
	cr_assert_str_eq(names[1], "B");
	cr_assert_str_eq(names[2], "b");
	cr_assert_eq(file_list_dir(".", 2, arena, &names, &n, &err),
		     ERR_TOO_LARGE);
	cr_assert_str_eq(err.msg, "folder '.' holds more than the 2 names "
				  "allowed");
	cr_assert_eq(file_list_dir("none", 2, arena, &names, &n, &err),
		     ERR_NOT_FOUND);
	arena_destroy(arena);
}

Test(file_dir, lists_hundreds_and_survives_failed_allocations)
{
	struct arena *arena = arena_create(1 << 20);
	const char **names;
	size_t n = 0;

	for (int i = 0; i < 200; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%03d", i);
		cr_assert_eq(mkdir(name, 0755), 0);
	}
	cr_assert_eq(file_list_dir(".", 1000, arena, &names, &n, &err),
		     ERR_NONE);
	cr_assert_eq(n, 200);
	cr_assert_str_eq(names[199], "199");
	arena_destroy(arena);
	for (unsigned long k = 1; k < 4; k++) {
		arena = arena_create(1 << 20);
		mem_fail_at(k);
		cr_assert_eq(file_list_dir(".", 1000, arena, &names, &n, &err),
			     ERR_NO_MEMORY, "%lu", k);
		mem_fail_at(0);
		arena_destroy(arena);
	}
}
