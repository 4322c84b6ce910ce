/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Folder: a fresh temporary one for a test, removed at its end.
 *
 * Ownership: file_remove_tree() it. Threads: one test at a time.
 */
#ifndef TESTS_UNIT_BASE_FOLDER_H
#define TESTS_UNIT_BASE_FOLDER_H

#include <criterion/criterion.h>
#include <limits.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"

/** Makes a new folder and goes there, so that tests use short names. */
static inline void folder_enter(char ret_path[PATH_MAX])
{
	char name[17];

	cr_assert_eq(digest_random_hex(name, 16, NULL), ERR_NONE);
	(void)snprintf(ret_path, PATH_MAX, "/tmp/predictd-test-%s", name);
	cr_assert_eq(file_make_dirs(ret_path, NULL), ERR_NONE);
	cr_assert_eq(chdir(ret_path), 0);
}

static inline void folder_leave(const char *path)
{
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(file_remove_tree(path, NULL), ERR_NONE);
	cr_assert_neq(access(path, F_OK), 0);
}

static inline void folder_put(const char *path, const char *text)
{
	cr_assert_eq(file_write_atomic(path, text, strlen(text), NULL),
		     ERR_NONE);
}

#endif
