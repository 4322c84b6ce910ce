/* SPDX-License-Identifier: Apache-2.0 */
#include "main/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"

/* Of systemd's StateDirectory=, of root, of a person. */
static const char *usual_state(struct arena *arena)
{
	/* read at start, before threads that could change them */
	const char *systemd =
	    getenv("STATE_DIRECTORY");	   /* NOLINT(concurrency-mt-unsafe) */
	const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */

	if (systemd && *systemd)
		return systemd;
	if (geteuid() == 0 || !home || !*home)
		return "/var/lib/predictd";
	return arena_printf(arena, "%s/.local/state/predictd", home);
}

static enum err_code find_program(struct arena *arena, const char **ret,
				  struct err *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return err_set(err, ERR_IO,
			       "cannot read /proc/self/exe, by which workers "
			       "are started");
	*ret = arena_strndup(arena, path, (size_t)n);
	return *ret ? ERR_NONE
		    : err_set(err, ERR_NO_MEMORY, "paths: out of memory");
}

static enum err_code choose_repositories(const struct config *config,
					 struct arena *arena,
					 struct paths *paths, struct err *err)
{
	const char **list;

	paths->repository = (const char *const *)config->model_repository.v;
	paths->n_repositories = config->model_repository.n;
	if (paths->n_repositories)
		return ERR_NONE;
	list = arena_array(arena, 1, sizeof(*list));
	if (list)
		list[0] = arena_printf(arena, "%s/models", paths->state);
	if (!list || !list[0])
		return err_set(err, ERR_NO_MEMORY, "paths: out of memory");
	paths->repository = list;
	paths->n_repositories = 1;
	return ERR_NONE;
}

enum err_code paths_init(const struct config *config, struct arena *arena,
			 struct paths *ret, struct err *err)
{
	struct paths paths = { .state = config->state_dir };
	enum err_code rc;

	if (!paths.state)
		paths.state = usual_state(arena);
	if (paths.state) {
		paths.database =
		    arena_printf(arena, "%s/predictd.db", paths.state);
		paths.jobs = arena_printf(arena, "%s/jobs", paths.state);
		paths.datasets =
		    arena_printf(arena, "%s/datasets", paths.state);
		paths.tuning = arena_printf(arena, "%s/tuning", paths.state);
	}
	if (!paths.database || !paths.jobs || !paths.datasets || !paths.tuning)
		return err_set(err, ERR_NO_MEMORY, "paths: out of memory");
	rc = choose_repositories(config, arena, &paths, err);
	if (!rc)
		rc = find_program(arena, &paths.program, err);
	if (!rc)
		rc = file_make_dirs(paths.jobs, err);
	if (!rc)
		rc = file_make_dirs(paths.tuning, err);
	if (!rc) /* an empty repository is where jobs will publish */
		rc = file_make_dirs(paths.repository[0], err);
	if (!rc)
		*ret = paths;
	return rc;
}
