/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
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

TestSuite(file_write, .init = set_up, .fini = tear_down);

static void holds(const char *path, const char *want)
{
	char *data = NULL;
	size_t len = 0;

	cr_assert_eq(file_read_all(path, 1000, &data, &len, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_str_eq(data, want);
	mem_free(data);
}

static size_t n_names(const char *path)
{
	struct arena *arena = arena_create(1 << 20);
	const char **names;
	size_t n = 0;

	cr_assert_eq(file_list_dir(path, 100, arena, &names, &n, &err),
		     ERR_NONE);
	arena_destroy(arena);
	return n;
}

Test(file_write, replaces_the_whole_file)
{
	struct stat st;

	cr_assert_eq(file_write_atomic("f", "a longer text", 13, &err),
		     ERR_NONE);
	cr_assert_eq(file_write_atomic("./f", "short", 5, &err), ERR_NONE);
	holds("f", "short");
	cr_assert_eq(n_names("."), 1);
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 0777 & ~0644U, 0);
}

/* After any failed call the old content is there, or the new one when only
 * the last fsync, of the folder, failed; and nothing else. */
Test(file_write, any_failed_call_leaves_the_old_file_or_the_new_one)
{
	enum err_code rc;
	unsigned long n;

	for (n = 1; n < 100; n++) {
		bool is_new;
		char *data;
		size_t len;

		folder_put("f", "old");
		file_fail_at(n, ENOSPC);
		rc = file_write_atomic("f", "new", 3, &err);
		file_fail_at(0, 0);
		if (rc == ERR_NONE)
			break;
		cr_assert_eq(rc, ERR_NO_SPACE);
		cr_assert(str_ends_with(err.msg, "'f': No space left on "
						 "device"),
			  "%s", err.msg);
		cr_assert_eq(n_names("."), 1, "call %lu left something", n);
		cr_assert_eq(file_read_all("f", 9, &data, &len, &err),
			     ERR_NONE);
		is_new = str_equal(data, "new");
		cr_assert_eq(is_new, n == 6, "call %lu: %s", n, data);
		mem_free(data);
	}
	cr_assert_eq(n, 7, "create, write, fsync, close, rename, fsync");
	holds("f", "new");
}

Test(file_write, replaces_without_waiting_for_the_disk)
{
	unsigned long n;

	folder_put("f", "old");
	for (n = 1; n < 100; n++) {
		enum err_code rc;

		file_fail_at(n, ENOSPC);
		rc = file_write_passing("f", "new", 3, &err);
		file_fail_at(0, 0);
		if (rc == ERR_NONE)
			break;
		cr_assert_eq(rc, ERR_NO_SPACE);
		cr_assert_eq(n_names("."), 1, "call %lu left something", n);
		holds("f", "old");
	}
	cr_assert_eq(n, 5, "create, write, close, rename");
	holds("f", "new");
}

Test(file_write, never_tries_a_failed_fsync_again)
{
	file_fail_at(3, EIO);
	cr_assert_eq(file_write_atomic("f", "x", 1, &err), ERR_IO);
	cr_assert_str_eq(err.msg, "cannot fsync 'f': Input/output error");
	cr_assert_neq(access("f", F_OK), 0);
}

Test(file_write, goes_on_after_an_interrupted_write)
{
	file_fail_at(2, EINTR);
	cr_assert_eq(file_write_atomic("f", "x", 1, &err), ERR_NONE);
	holds("f", "x");
}

Test(file_write, reports_a_real_limit_and_cleans_up)
{
	const struct rlimit limit = { 10, 10 };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(file_write_atomic("f", "12345678901", 11, &err),
		     ERR_TOO_LARGE);
	cr_assert_str_eq(err.msg, "cannot write 'f': File too large");
	cr_assert_eq(n_names("."), 0);
}

Test(file_write, names_the_path_that_cannot_be_written)
{
	cr_assert_eq(file_write_atomic("none/f", "x", 1, &err), ERR_NOT_FOUND);
	cr_assert_str_eq(err.msg, "cannot open folder 'none': No such file or "
				  "directory");
	cr_assert_eq(mkdir("d", 0755), 0);
	cr_assert_eq(file_write_atomic("d", "x", 1, &err), ERR_IO);
	cr_assert_str_eq(err.msg, "cannot rename the new file to 'd': Is a "
				  "directory");
	cr_assert_eq(file_write_atomic("d/", "x", 1, &err), ERR_INVALID);
	cr_assert_eq(n_names("."), 1);
	cr_assert_eq(file_write_atomic("/proc/x", "x", 1, &err), ERR_NOT_FOUND);
}

Test(file_write, writes_durably_only_what_is_new)
{
	const int fd = open(".", O_RDONLY | O_DIRECTORY);

	cr_assert_eq(file_write_durable(fd, "f", "one", 3, &err), ERR_NONE);
	cr_assert_eq(file_write_durable(fd, "f", "two", 3, &err), ERR_CONFLICT);
	holds("f", "one");
	cr_assert_eq(file_sync_dir(".", &err), ERR_NONE);
	cr_assert_eq(file_sync_dir("none", &err), ERR_NOT_FOUND);
	close(fd);
}

Test(file_write, renames_only_onto_nothing)
{
	folder_put("a", "A");
	folder_put("b", "B");
	cr_assert_eq(file_rename_noreplace("a", "b", &err), ERR_CONFLICT);
	cr_assert_str_eq(err.msg, "cannot rename 'a' to 'b': File exists");
	holds("b", "B");
	cr_assert_eq(file_rename_noreplace("a", "c", &err), ERR_NONE);
	holds("c", "A");
	cr_assert_eq(file_rename_noreplace("a", "d", &err), ERR_NOT_FOUND);
}
