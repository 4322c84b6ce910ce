/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/unit/base/folder.h"

static char folder[PATH_MAX];
static struct file_root *root;
static struct err err;

static void set_up(void)
{
	folder_enter(folder);
	cr_assert_eq(file_make_dirs("root/sub", &err), ERR_NONE);
	folder_put("outside", "secret");
	folder_put("root/f", "inside");
	folder_put("root/sub/g", "deeper");
	cr_assert_eq(file_root_open("root", &root, &err), ERR_NONE);
}

static void tear_down(void)
{
	file_root_close(root);
	file_root_close(NULL);
	folder_leave(folder);
}

TestSuite(file_root, .init = set_up, .fini = tear_down);

static enum err_code try(const char *path, unsigned flags)
{
	int fd = -1;
	enum err_code rc = file_root_openat(root, path, flags, &fd, &err);

	cr_assert_eq(rc == ERR_NONE, fd >= 0);
	if (fd >= 0)
		close(fd);
	return rc;
}

Test(file_root, opens_what_lies_beneath)
{
	char *data = NULL;
	size_t len;
	int fd;

	cr_assert_eq(symlink("sub/g", "root/link"), 0);
	cr_assert_eq(try("f", 0), ERR_NONE);
	cr_assert_eq(try("sub/../f", 0), ERR_NONE);
	cr_assert_eq(
	    file_root_openat(root, "link", FILE_SINGLE_LINK, &fd, &err),
	    ERR_NONE);
	cr_assert_eq(file_read_fd(fd, "link", 100, &data, &len, &err),
		     ERR_NONE);
	cr_assert_str_eq(data, "deeper");
	mem_free(data);
	close(fd);
	cr_assert_str_eq(file_root_path(root), "root");
	cr_assert_geq(file_root_fd(root), 0);
}

Test(file_root, lets_no_name_lead_out)
{
	static const char *const names[] = {
		"../outside", "/etc/passwd",	  "sub/../../outside",
		"out",	      "out_absolute",	  "out_folder/outside",
		"..",	      "sub/../../root/f",
	};

	cr_assert_eq(symlink("../outside", "root/out"), 0);
	cr_assert_eq(symlink("/etc/passwd", "root/out_absolute"), 0);
	cr_assert_eq(symlink("..", "root/out_folder"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert_eq(try(names[i], 0), ERR_FORBIDDEN, "%s: %s",
			     names[i], err.msg);
	cr_assert_eq(try("../outside", 0), ERR_FORBIDDEN);
	cr_assert_str_eq(err.msg, "cannot open '../outside' beneath 'root': it "
				  "leads out of the folder");
}

Test(file_root, opens_regular_files_only)
{
	cr_assert_eq(mkfifo("root/pipe", 0600), 0);
	cr_assert_eq(try("pipe", 0), ERR_FORBIDDEN, "and does not hang");
	cr_assert_str_eq(err.msg, "cannot open 'pipe' beneath 'root': it is "
				  "not a regular file");
	cr_assert_eq(try("sub", 0), ERR_FORBIDDEN);
	cr_assert_eq(try("sub", FILE_FOLDER), ERR_NONE);
	cr_assert_eq(try("f", FILE_FOLDER), ERR_FORBIDDEN);
	cr_assert_eq(try("none", 0), ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "beneath 'root': cannot open 'none': No such "
				  "file or directory");
	cr_assert_eq(try("", 0), ERR_NOT_FOUND);
}

Test(file_root, can_refuse_hard_links)
{
	cr_assert_eq(link("outside", "root/hard"), 0);
	cr_assert_eq(try("hard", 0), ERR_NONE);
	cr_assert_eq(try("hard", FILE_SINGLE_LINK), ERR_FORBIDDEN);
	cr_assert_eq(try("f", FILE_SINGLE_LINK), ERR_NONE);
}

Test(file_root, needs_a_folder)
{
	struct file_root *other = NULL;

	cr_assert_eq(file_root_open("none", &other, &err), ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "cannot open root folder 'none': No such "
				  "file or directory");
	cr_assert_eq(file_root_open("outside", &other, &err), ERR_NOT_FOUND);
	mem_fail_at(1);
	cr_assert_eq(file_root_open("root", &other, &err), ERR_NO_MEMORY);
	cr_assert_null(other);
}

Test(file_root, a_folder_beneath_becomes_a_root_of_its_own)
{
	struct file_root *sub = NULL;
	int fd = -1;

	cr_assert_eq(file_root_enter(root, "sub", &sub, &err), ERR_NONE);
	cr_assert_str_eq(file_root_path(sub), "root/sub");
	cr_assert_eq(file_root_openat(sub, "g", 0, &fd, &err), ERR_NONE);
	close(fd);
	cr_assert_eq(file_root_openat(sub, "../f", 0, &fd, &err),
		     ERR_FORBIDDEN);
	file_root_close(sub);
	sub = NULL;
	cr_assert_eq(file_root_enter(root, "f", &sub, &err), ERR_FORBIDDEN);
	cr_assert_eq(file_root_enter(root, "..", &sub, &err), ERR_FORBIDDEN);
	cr_assert_null(sub);
}
