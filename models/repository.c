/* SPDX-License-Identifier: Apache-2.0 */
#include "models/repository_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/pack.h"
#include "models/calibration.h"
#include "models/ensemble.h"
#include "models/package.h"

enum { CONFIG_MAX = 1 << 20 };

/* --- the list --- */

static enum err_code read_config(const struct file_root *root,
				 const char *model, struct arena *arena,
				 const struct doc **ret_doc, struct err *err)
{
	char path[REPOSITORY_PATH_MAX];
	struct doc *doc;
	char *text = NULL;
	size_t len;
	int fd;
	enum err_code rc;

	(void)snprintf(path, sizeof(path), "%s%sconfig.yaml", model,
		       *model ? "/" : "");
	rc = file_root_openat(root, path, 0, &fd, err);
	if (rc)
		return rc;
	rc = file_read_fd(fd, path, CONFIG_MAX, &text, &len, err);
	(void)close(fd);
	if (!rc)
		rc = doc_parse_yaml(text, len, path, arena, &doc, err);
	mem_free(text);
	if (!rc)
		*ret_doc = doc;
	return rc;
}

/* The first root that has one. What is wrong with it is the model's own
 * trouble and does not hide the others. */
static enum err_code find_config(const struct repository *repository,
				 struct repository_model *model,
				 struct arena *arena, struct err *err)
{
	struct err why = { 0 };

	for (size_t i = 0; i < repository->n_roots; i++) {
		const struct file_root *root = repository->root[i];
		enum err_code rc =
		    read_config(root, model->name, arena, &model->config, &why);

		if (rc == ERR_NOT_FOUND &&
		    repository_is_bare(repository, model->name))
			rc = read_config(root, "", arena, &model->config, &why);
		if (rc == ERR_NOT_FOUND)
			continue;
		if (rc)
			model->fault = arena_strdup(arena, why.msg);
		return rc && !model->fault ? repository_no_memory(err)
					   : ERR_NONE;
	}
	return ERR_NONE;
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* All names of models, sorted, each once. */
static enum err_code gather_models(struct repository *repository,
				   struct arena *arena, const char ***ret_names,
				   size_t *ret_n, struct err *err)
{
	const char **all = NULL;
	size_t n = 0, kept = 0;
	enum err_code rc;

	for (size_t i = 0; i <= repository->n_roots; i++) {
		bool bare = i == repository->n_roots;
		const char **names = NULL, **grown;
		size_t more = bare && repository->bare_model ? 1 : 0;

		rc = bare ? ERR_NONE
			  : repository_scan(repository->root[i], ".",
					    repository_is_name, arena, &names,
					    &more, err);
		if (rc)
			return rc;
		grown = arena_array(arena, n + more + 1, sizeof(*grown));
		if (!grown)
			return repository_no_memory(err);
		if (n)
			memcpy(grown, all, n * sizeof(*grown));
		for (size_t j = 0; j < more; j++)
			grown[n++] = bare ? repository->bare_model : names[j];
		all = grown;
	}
	qsort(all, n, sizeof(*all), compare_texts);
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(all[i], all[kept - 1]) != 0)
			all[kept++] = all[i];
	}
	*ret_names = all;
	*ret_n = kept;
	return ERR_NONE;
}

/* One that has no folder of its own is version 1. */
static enum err_code add_ensemble(struct repository_model *model,
				  struct arena *arena, struct err *err)
{
	if (model->n_versions)
		return ERR_NONE;
	model->version = arena_array(arena, 1, sizeof(*model->version));
	if (!model->version)
		return repository_no_memory(err);
	model->version[0] = 1;
	model->n_versions = 1;
	return ERR_NONE;
}

enum err_code repository_list(struct repository *repository,
			      struct arena *arena,
			      struct repository_listing *ret, struct err *err)
{
	struct repository_listing listing = { 0 };
	const char **names = NULL;
	size_t n = 0;
	enum err_code rc;

	rc = gather_models(repository, arena, &names, &n, err);
	if (rc)
		return rc;
	listing.model = arena_array(arena, n + 1, sizeof(*listing.model));
	if (!listing.model)
		return repository_no_memory(err);
	for (size_t i = 0; i < n && !rc; i++) {
		struct repository_model *model = &listing.model[listing.n];

		*model = (struct repository_model){ .name = arena_strdup(
							arena, names[i]) };
		if (!model->name)
			return repository_no_memory(err);
		rc = repository_versions(repository, names[i], false, arena,
					 &model->version, &model->n_versions,
					 err);
		if (!rc)
			rc = find_config(repository, model, arena, err);
		if (!rc && ensemble_of(model->config))
			rc = add_ensemble(model, arena, err);
		listing.n += !rc && model->n_versions;
	}
	if (!rc)
		*ret = listing;
	return rc;
}

/* --- loading --- */

enum err_code repository_highest(struct repository *repository,
				 const char *model, int64_t *ret_version,
				 struct err *err)
{
	struct arena *arena;
	int64_t *versions = NULL;
	size_t n = 0;
	enum err_code rc = repository_check_name(model, err);

	if (rc)
		return rc;
	arena = arena_create(64 << 20);
	if (!arena)
		return repository_no_memory(err);
	rc = repository_versions(repository, model, false, arena, &versions, &n,
				 err);
	if (!rc && !n)
		rc = err_set(err, ERR_NOT_FOUND,
			     "there is no model '%s' in the repository", model);
	if (!rc)
		*ret_version = versions[n - 1];
	arena_destroy(arena);
	return rc;
}

enum err_code repository_load(struct repository *repository, const char *model,
			      int64_t version, struct package **ret_package,
			      struct err *err)
{
	char path[REPOSITORY_PATH_MAX];
	const struct file_root *root = NULL;
	enum err_code rc = repository_check_name(model, err);

	if (!rc && !version)
		rc = repository_highest(repository, model, &version, err);
	if (!rc)
		rc = repository_locate(repository, model, version, &root, path,
				       err);
	if (rc)
		return rc;
	return package_load(
	    &(struct package_source){ .root = root,
				      .path = path,
				      .name = model,
				      .version = version,
				      .packs = repository->packs },
	    ret_package, err);
}

enum err_code repository_calibration(struct repository *repository,
				     const char *path,
				     const struct package *package,
				     struct arena *arena,
				     struct calibration *ret, struct err *err)
{
	const struct file_root *root = NULL;
	char version[REPOSITORY_PATH_MAX], at[PATH_MAX];
	enum err_code rc = repository_locate(
	    repository, package->name, package->version, &root, version, err);

	if (!rc)
		rc = repository_beside(version, path, at, err);
	if (rc)
		return err_prefix(err, "model '%s': calibration",
				  package->name);
	rc = calibration_read(root, at, package, arena, ret, err);
	return rc ? err_prefix(err, "model '%s'", package->name) : ERR_NONE;
}

/* --- birth and death --- */

static bool is_temporary(const char *name)
{
	return str_starts_with(name, REPOSITORY_TEMPORARY);
}

/* Whoever writes one holds a lock on it until it has its name. */
static void remove_temporary(const struct file_root *root, const char *name,
			     struct arena *arena)
{
	const char *path =
	    arena_printf(arena, "%s/%s", file_root_path(root), name);
	int fd = openat(file_root_fd(root), name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	enum err_code rc = ERR_NONE;

	if (fd >= 0 && path && !flock(fd, LOCK_EX | LOCK_NB))
		rc = file_remove_tree(path, NULL);
	(void)rc; /* the next start tries again */
	if (fd >= 0)
		(void)close(fd);
}

/* What cannot be removed (a read-only volume) does no harm. */
static void remove_temporaries(const struct file_root *root)
{
	struct arena *arena = arena_create(16 << 20);
	const char **names = NULL;
	size_t n = 0;

	if (arena && !repository_scan(root, ".", is_temporary, arena, &names,
				      &n, NULL)) {
		for (size_t i = 0; i < n; i++)
			remove_temporary(root, names[i], arena);
	}
	arena_destroy(arena);
}

enum err_code repository_create(const struct repository_options *options,
				struct repository **ret_repository,
				struct err *err)
{
	struct repository *repository = mem_zero(sizeof(*repository));
	enum err_code rc = ERR_NONE;

	if (!repository)
		return repository_no_memory(err);
	(void)pthread_mutex_init(&repository->publishing, NULL);
	rc = pack_store_create(&repository->packs, err);
	if (rc)
		goto out;
	repository->root =
	    mem_array(options->n_dirs + 1, sizeof(struct file_root *));
	if (!repository->root) {
		rc = repository_no_memory(err);
		goto out;
	}
	if (!options->n_dirs) {
		rc = err_set(err, ERR_INVALID,
			     "model repository: no folder is given");
		goto out;
	}
	for (; repository->n_roots < options->n_dirs; repository->n_roots++) {
		rc =
		    file_root_open(options->dirs[repository->n_roots],
				   &repository->root[repository->n_roots], err);
		if (rc)
			goto out;
	}
	if (options->bare_model) {
		rc = repository_check_name(options->bare_model, err);
		repository->bare_model = mem_strdup(options->bare_model);
		if (!rc && !repository->bare_model)
			rc = repository_no_memory(err);
		if (rc)
			goto out;
	}
	remove_temporaries(repository->root[0]);
	*ret_repository = repository;
	repository = NULL;
out:
	repository_destroy(repository);
	return rc;
}

void repository_destroy(struct repository *repository)
{
	if (!repository)
		return;
	for (size_t i = 0; i < repository->n_roots; i++)
		file_root_close(repository->root[i]);
	(void)pthread_mutex_destroy(&repository->publishing);
	mem_free(repository->root);
	mem_free(repository->bare_model);
	pack_store_unref(repository->packs);
	mem_free(repository);
}

const char *repository_dir(const struct repository *repository, size_t i)
{
	return i < repository->n_roots ? file_root_path(repository->root[i])
				       : NULL;
}

bool repository_is_sealed(struct repository *repository, const char *model,
			  int64_t version)
{
	char path[REPOSITORY_PATH_MAX], file[REPOSITORY_PATH_MAX + 32];
	const struct file_root *root;
	int fd;

	if (repository_locate(repository, model, version, &root, path, NULL))
		return false;
	(void)snprintf(file, sizeof(file), "%s/manifest.json", path);
	if (file_root_openat(root, file, 0, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

struct pack_store *repository_packs(const struct repository *repository)
{
	return repository->packs;
}
