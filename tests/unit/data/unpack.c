/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Archives: what is taken from them, and what is not.
 */
#include "data/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct entry {
	const char *name, *text;
	unsigned type;	  /* AE_IFREG where 0 */
	const char *link; /* hard */
};

struct rig {
	char dir[64], archive[96], into[96];
	struct unpack_result result;
	struct err err;
};

enum format { TAR, TAR_GZ, TAR_ZSTD, ZIP };

static void begin(struct rig *rig)
{
	*rig = (struct rig){ .dir = "/tmp/unpack-XXXXXX" };
	cr_assert(mkdtemp(rig->dir));
	(void)snprintf(rig->archive, sizeof(rig->archive), "%s/a", rig->dir);
	(void)snprintf(rig->into, sizeof(rig->into), "%s/data", rig->dir);
	cr_assert_eq(mkdir(rig->into, 0755), 0);
}

static void end(struct rig *rig)
{
	cr_assert_eq(file_remove_tree(rig->dir, &rig->err), 0, "%s",
		     rig->err.msg);
}

static void choose(struct archive *a, enum format format)
{
	if (format == ZIP)
		(void)archive_write_set_format_zip(a);
	else
		(void)archive_write_set_format_pax_restricted(a);
	if (format == TAR_GZ)
		(void)archive_write_add_filter_gzip(a);
	if (format == TAR_ZSTD)
		(void)archive_write_add_filter_zstd(a);
}

static void pack(const struct rig *rig, enum format format,
		 const struct entry *entry, size_t n)
{
	struct archive *a = archive_write_new();

	(void)setlocale(LC_CTYPE, "C.UTF-8"); /* for names */
	choose(a, format);
	cr_assert_eq(archive_write_open_filename(a, rig->archive), 0);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *e = archive_entry_new();
		const char *text = entry[i].text ? entry[i].text : "";

		archive_entry_set_pathname(e, entry[i].name);
		archive_entry_set_filetype(e, entry[i].type ? entry[i].type
							    : AE_IFREG);
		archive_entry_set_size(e, (la_int64_t)strlen(text));
		archive_entry_set_perm(e, 0644);
		if (entry[i].type == AE_IFLNK)
			archive_entry_set_symlink(e, "/etc/passwd");
		if (entry[i].link)
			archive_entry_set_hardlink(e, entry[i].link);
		cr_assert_geq(archive_write_header(a, e), ARCHIVE_WARN, "%s",
			      archive_error_string(a));
		(void)archive_write_data(a, text, strlen(text));
		archive_entry_free(e);
	}
	cr_assert_eq(archive_write_close(a), 0);
	(void)archive_write_free(a);
}

static enum err_code unpack(struct rig *rig, int64_t max_bytes,
			    int64_t max_files)
{
	const struct unpack_limits limits = { max_bytes, max_files };

	return unpack_archive(rig->archive, rig->into, &limits, &rig->result,
			      &rig->err);
}

static void expect_file(struct rig *rig, const char *name, const char *text)
{
	char path[256], *data;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", rig->into, name);
	cr_assert_eq(file_read_all(path, 1 << 20, &data, &n, &rig->err), 0,
		     "%s", rig->err.msg);
	cr_expect_str_eq(data, text, "%s", name);
	mem_free(data);
}

Test(unpack, takes_tar_and_zip)
{
	/* a folder at the top, what macOS adds, another script */
	static const struct entry entry[] = {
		{ .name = "pets/", .type = AE_IFDIR },
		{ .name = "pets/cat/1.txt", .text = "cat" },
		{ .name = "pets/d\303\266g/\303\244.txt", .text = "dog" },
		{ .name = "__MACOSX/pets/x", .text = "no" },
		{ .name = "pets/.DS_Store", .text = "no" },
	};

	for (int format = TAR; format <= ZIP; format++) {
		struct rig rig;

		begin(&rig);
		pack(&rig, (enum format)format, entry, 5);
		cr_expect(unpack_is_archive(rig.archive), "%d", format);
		cr_assert_eq(unpack(&rig, 100, 10), 0, "format %d: %s", format,
			     rig.err.msg);
		cr_expect(rig.result.n_files == 2 && rig.result.n_bytes == 6);
		expect_file(&rig, "cat/1.txt", "cat");
		expect_file(&rig, "d\303\266g/\303\244.txt", "dog");
		end(&rig);
	}
}

Test(unpack, keeps_what_lies_at_the_top)
{
	static const struct entry entry[] = {
		{ .name = "train/a.txt", .text = "a" },
		{ .name = "valid/a.txt", .text = "b" },
	};
	struct rig rig;

	begin(&rig);
	pack(&rig, TAR, entry, 2);
	cr_assert_eq(unpack(&rig, 100, 10), 0, "%s", rig.err.msg);
	expect_file(&rig, "train/a.txt", "a");
	expect_file(&rig, "valid/a.txt", "b");
	end(&rig);
}

Test(unpack, refuses_what_nobody_means)
{
	static const struct {
		struct entry entry;
		const char *why;
	} row[] = {
		{ { .name = "../up", .text = "x" }, "upwards" },
		{ { .name = "a/../../up", .text = "x" }, "upwards" },
		{ { .name = "/etc/x", .text = "x" }, "absolute" },
		{ { .name = "link", .type = AE_IFLNK }, "links" },
		{ { .name = "pipe", .type = AE_IFIFO }, "only files" },
		{ { .name = "hard", .link = "a" }, "links" },
		{ { .name = "a", .text = "again" }, "twice" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const struct entry entry[] = { { .name = "a", .text = "a" },
					       row[i].entry };
		struct rig rig;

		begin(&rig);
		pack(&rig, TAR, entry, 2);
		cr_expect_eq(unpack(&rig, 100, 10), ERR_FORMAT, "%s",
			     row[i].entry.name);
		cr_expect(strstr(rig.err.msg, row[i].why), "%s", rig.err.msg);
		end(&rig);
	}
}

Test(unpack, stops_at_its_limits)
{
	static const struct entry entry[] = {
		{ .name = "a", .text = "12345" },
		{ .name = "b", .text = "12345" },
	};
	struct rig rig;

	begin(&rig);
	pack(&rig, TAR_GZ, entry, 2);
	cr_expect_eq(unpack(&rig, 9, 10), ERR_TOO_LARGE);
	end(&rig);
	begin(&rig);
	pack(&rig, ZIP, entry, 2);
	cr_expect_eq(unpack(&rig, 100, 1), ERR_TOO_LARGE);
	end(&rig);
}

Test(unpack, tells_files_from_archives)
{
	static const char *const plain[] = { "", "a,b\n1,2\n", "PK",
					     "\x1f\x8b" };

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		struct rig rig;

		begin(&rig);
		cr_assert_eq(file_write_atomic(rig.archive, plain[i],
					       strlen(plain[i]), &rig.err),
			     0);
		cr_expect(!unpack_is_archive(rig.archive), "'%s'", plain[i]);
		end(&rig);
	}
}

Test(unpack, says_where_an_archive_is_cut)
{
	static char text[300000]; /* that does not pack well */
	const struct entry entry = { .name = "a", .text = text };
	uint32_t x = 1;
	struct rig rig;

	for (size_t i = 0; i < sizeof(text); i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)('0' + (x >> 26));
	}
	text[sizeof(text) - 1] = '\0';
	begin(&rig);
	pack(&rig, TAR_GZ, &entry, 1);
	cr_assert_eq(truncate(rig.archive, 150000), 0);
	cr_expect_neq(unpack(&rig, 1000000, 10), ERR_NONE);
	cr_expect(strstr(rig.err.msg, "broken"), "%s", rig.err.msg);
	end(&rig);
}
