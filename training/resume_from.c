/* SPDX-License-Identifier: Apache-2.0 */
#include "training/resume_from.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "training/checkpoint.h"

enum { NAMES_MAX = 10000 };

/* A name of one folder that leads nowhere else. */
static bool is_plain(const char *text, size_t len)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	return len && strspn(text, good) >= len;
}

static enum err_code link_files(const char *from, const char *to,
				struct arena *arena, struct err *err)
{
	const char **names;
	size_t n = 0;
	enum err_code rc = file_make_dirs(to, err);

	if (!rc)
		rc = file_list_dir(from, NAMES_MAX, arena, &names, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		const char *old = arena_printf(arena, "%s/%s", from, names[i]);
		const char *new = arena_printf(arena, "%s/%s", to, names[i]);

		if (!old || !new)
			rc = err_set(err, ERR_NO_MEMORY,
				     "resume_from: out of memory");
		else if (link(old, new) != 0)
			rc = file_err(err, errno, "link", old);
	}
	return rc ? rc : file_sync_dir(to, err);
}

enum err_code resume_from_link(const char *jobs_dir, const char *from,
			       const char *to_dir, struct arena *arena,
			       struct err *err)
{
	const char *slash = strchr(from, '/');
	const size_t len = slash ? (size_t)(slash - from) : strlen(from);
	const char *dir =
	    arena_printf(arena, "%s/%.*s", jobs_dir, (int)len, from);
	const char *name = slash ? slash + 1 : NULL;
	const char **names;
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	if (!is_plain(from, len) || !str_starts_with(from, "job_") ||
	    (name && (!is_plain(name, strlen(name)) ||
		      !str_starts_with(name, CHECKPOINT_PREFIX))))
		return err_set(err, ERR_INVALID,
			       "resume_from: expected a job's id, or "
			       "ID/" CHECKPOINT_PREFIX "N, got '%.128s'",
			       from);
	if (!dir)
		return err_set(err, ERR_NO_MEMORY,
			       "resume_from: out of memory");
	if (!name)
		rc = checkpoint_list(dir, arena, &names, &n, err);
	if (n)
		name = names[n - 1];
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "resume_from: there is no job '%.*s'",
			       (int)len, from);
	if (!rc && !name)
		return err_set(err, ERR_NOT_FOUND,
			       "resume_from: job '%.*s' has no checkpoint",
			       (int)len, from);
	if (!rc)
		rc = link_files(arena_printf(arena, "%s/%s", dir, name),
				arena_printf(arena, "%s/%s", to_dir, name),
				arena, err);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc,
			       "resume_from: job '%.*s' has no checkpoint '%s'",
			       (int)len, from, name);
	return rc;
}
