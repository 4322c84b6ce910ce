/* SPDX-License-Identifier: Apache-2.0 */
#include "data/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum {
	BLOCK = 64 << 10, /* bytes that are read at once */
	DEPTH_MAX = 32,
	FOLDER_MODE = 0755,
	FILE_MODE = 0644,
	TOP_MAX = 2, /* names at the top that need telling apart: one, more */
};

struct unpack {
	struct archive *archive;
	const char *into;
	const struct unpack_limits *limits;
	struct unpack_result done;
	char *block;
	char to[PATH_MAX]; /* of the entry */
};

/* --- opening --- */

/* Formats one by one: those of libarchive that nobody asked for are code that
 * would read what nobody checked. */
static struct archive *open_archive(const char *path)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_format_zip_seekable(a);
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_zstd(a);
	if (archive_read_open_filename(a, path, BLOCK) == ARCHIVE_OK)
		return a;
	(void)archive_read_free(a);
	return NULL;
}

bool unpack_is_archive(const char *path)
{
	struct archive *a = open_archive(path);
	struct archive_entry *entry;
	bool is_one;
	int rc;

	if (!a)
		return false;
	rc = archive_read_next_header(a, &entry);
	is_one = rc == ARCHIVE_OK || rc == ARCHIVE_WARN;
	(void)archive_read_free(a);
	return is_one;
}

/* --- names --- */

static const char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname_utf8(entry);

	return name ? name : archive_entry_pathname(entry);
}

static bool is_archivers_own(const char *name)
{
	const char *slash = strrchr(name, '/');

	return str_starts_with(name, "__MACOSX/") ||
	       strstr(name, "/__MACOSX/") ||
	       str_equal(slash ? slash + 1 : name, ".DS_Store");
}

/* NULL for a name that may be written beneath a folder. */
static const char *objection(const char *name)
{
	unsigned depth = 0;

	if (!name || !*name)
		return "it has no name";
	if (*name == '/')
		return "its name is absolute";
	while (*name) {
		const size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return "its name leads upwards";
		if (++depth > DEPTH_MAX)
			return "it lies in too many folders";
		name += len;
		name += *name == '/';
	}
	return NULL;
}

static enum err_code refuse(const char *name, const char *why, struct err *err)
{
	return err_set(err, ERR_FORMAT, "the archive's entry '%.200s': %s",
		       name ? name : "", why);
}

/* --- entries --- */

static enum err_code write_data(struct unpack *u, int fd, struct err *err)
{
	for (;;) {
		const la_ssize_t n =
		    archive_read_data(u->archive, u->block, BLOCK);
		enum err_code rc;

		if (n == 0)
			return ERR_NONE;
		if (n < 0)
			return err_set(err, ERR_FORMAT,
				       "the archive is broken: %.200s",
				       archive_error_string(u->archive));
		u->done.n_bytes += n;
		if (u->done.n_bytes > u->limits->max_bytes)
			return err_set(err, ERR_TOO_LARGE,
				       "the archive has more than the %lld "
				       "bytes that may be unpacked",
				       (long long)u->limits->max_bytes);
		rc = file_write_fd(fd, u->to, u->block, (size_t)n, err);
		if (rc)
			return rc;
	}
}

static enum err_code make_folder_of(struct unpack *u, struct err *err)
{
	char *slash = strrchr(u->to, '/');
	enum err_code rc;

	*slash = '\0';
	rc = file_make_dirs(u->to, err);
	*slash = '/';
	return rc;
}

/* What is there was written by us: no link leads anywhere. */
static enum err_code write_file(struct unpack *u, struct err *err)
{
	enum err_code rc = make_folder_of(u, err);
	int fd;

	if (rc)
		return rc;
	if (++u->done.n_files > u->limits->max_files)
		return err_set(err, ERR_TOO_LARGE,
			       "the archive has more than %lld files",
			       (long long)u->limits->max_files);
	fd = open(u->to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  FILE_MODE);
	if (fd < 0 && errno == EEXIST)
		return refuse(u->to + strlen(u->into) + 1, "it comes twice",
			      err);
	if (fd < 0)
		return file_err(err, errno, "create", u->to);
	rc = write_data(u, fd, err);
	if (!rc)
		rc = file_sync_fd(fd, u->to, err);
	if (close(fd) != 0 && !rc)
		rc = file_err(err, errno, "close", u->to);
	return rc;
}

static enum err_code take(struct unpack *u, struct archive_entry *entry,
			  struct err *err)
{
	const char *name = name_of(entry);
	const char *why = objection(name);
	const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;

	if (why)
		return refuse(name, why, err);
	if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
		return refuse(name, "links are not taken", err);
	if (archive_entry_filetype(entry) != AE_IFREG && !is_folder)
		return refuse(name, "only files and folders are taken", err);
	if (is_folder || is_archivers_own(name))
		return ERR_NONE; /* folders come with their files */
	if (archive_entry_is_encrypted(entry))
		return refuse(name, "it is encrypted", err);
	if (snprintf(u->to, sizeof(u->to), "%s/%s", u->into, name) >=
	    (int)sizeof(u->to))
		return refuse(name, "its name is too long", err);
	return write_file(u, err);
}

static enum err_code take_all(struct unpack *u, struct err *err)
{
	struct archive_entry *entry;

	for (;;) {
		const int state = archive_read_next_header(u->archive, &entry);
		enum err_code rc;

		if (state == ARCHIVE_EOF)
			break;
		if (state != ARCHIVE_OK && state != ARCHIVE_WARN)
			return err_set(err, ERR_FORMAT,
				       "the archive is broken: %.200s",
				       archive_error_string(u->archive));
		rc = take(u, entry, err);
		if (rc)
			return rc;
	}
	if (!u->done.n_files)
		return err_set(err, ERR_FORMAT, "the archive has no files");
	return ERR_NONE;
}

/* --- one folder at the top --- */

/* The only name in a folder, where it is a folder; NULL else. */
static const char *only_folder(const char *folder, struct arena *arena)
{
	const char **names, *path;
	struct stat st;
	size_t n;

	if (file_list_dir(folder, TOP_MAX, arena, &names, &n, NULL) || n != 1)
		return NULL;
	path = arena_printf(arena, "%s/%s", folder, names[0]);
	return path && !lstat(path, &st) && S_ISDIR(st.st_mode) ? path : NULL;
}

/* pets/cat/1.jpg, pets/dog/1.jpg: the data is what is in pets. False when
 * nothing more is to be lifted. */
static bool lift_once(const char *into, enum err_code *rc, struct err *err)
{
	struct arena *arena = arena_create(1 << 20);
	const char *top = arena ? only_folder(into, arena) : NULL;
	const char *aside =
	    top ? arena_printf(arena, "%s" FILE_TEMPORARY "lifted", into)
		: NULL;

	if (aside && (rename(top, aside) || rmdir(into) || rename(aside, into)))
		*rc = file_err(err, errno, "rename", top);
	arena_destroy(arena);
	return aside && !*rc;
}

static enum err_code lift(const char *into, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < DEPTH_MAX && lift_once(into, &rc, err); i++)
		;
	return rc;
}

enum err_code unpack_archive(const char *path, const char *into,
			     const struct unpack_limits *limits,
			     struct unpack_result *ret, struct err *err)
{
	struct unpack u = { .into = into, .limits = limits };
	/* names of other scripts are NULL in the locale "C" */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	enum err_code rc;

	u.archive = open_archive(path);
	u.block = mem_alloc(BLOCK);
	if (!u.archive || !u.block)
		rc = err_set(err, ERR_FORMAT,
			     "'%s' is no archive that is known (tar, zip)",
			     path);
	else
		rc = take_all(&u, err);
	if (!rc)
		rc = lift(into, err);
	if (!rc)
		*ret = u.done;
	mem_free(u.block);
	(void)archive_read_free(u.archive);
	if (utf8) {
		(void)uselocale(before);
		freelocale(utf8);
	}
	return rc;
}
