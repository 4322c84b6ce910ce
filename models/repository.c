/* SPDX-License-Identifier: Apache-2.0 */
#include "models/repository_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/package.h"

enum { NAME_MAX_BYTES = 128, ENTRIES_MAX = 100000, CONFIG_MAX = 1 << 20 };

static const char *const model_file = "model.onnx";

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "model repository: out of memory");
}

/* --- names --- */

static bool is_name_char(char c, bool first)
{
	bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		     (c >= 'A' && c <= 'Z');

	return alnum || (!first && (c == '.' || c == '_' || c == '-'));
}

static bool is_model_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAME_MAX_BYTES || strstr(name, ".."))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_name_char(name[i], i == 0))
			return false;
	}
	return true;
}

enum err_code repository_check_name(const char *model, struct err *err)
{
	if (is_model_name(model))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "'%.64s' is no name of a model: expected 1 to %d "
		       "letters, digits, '.', '_' and '-', beginning with a "
		       "letter or digit and without '..'",
		       model, NAME_MAX_BYTES);
}

bool repository_parse_version(const char *name, int64_t *ret_version)
{
	int64_t version;

	if (*name < '1' || *name > '9' || !str_parse_int64(name, &version))
		return false;
	*ret_version = version;
	return true;
}

static bool is_version_name(const char *name)
{
	int64_t version;

	return repository_parse_version(name, &version);
}

/* --- folders --- */

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static enum err_code read_names(DIR *dir, bool (*keep)(const char *name),
				struct arena *arena, const char ***ret_names,
				size_t *ret_n, struct err *err)
{
	const struct dirent *entry;
	const char **names = NULL;
	size_t n = 0, cap = 0;

	/* the stream is this call's own */
	while ((entry = readdir(dir)) && n < ENTRIES_MAX) { /* NOLINT */
		if (!keep(entry->d_name))
			continue;
		if (n == cap) {
			const char **grown;

			cap = cap ? 2 * cap : 16;
			grown = arena_array(arena, cap, sizeof(*grown));
			if (!grown)
				return no_memory(err);
			if (n)
				memcpy(grown, names, n * sizeof(*grown));
			names = grown;
		}
		names[n] = arena_strdup(arena, entry->d_name);
		if (!names[n++])
			return no_memory(err);
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret_names = names;
	*ret_n = n;
	return ERR_NONE;
}

enum err_code repository_scan(const struct file_root *root, const char *path,
			      bool (*keep)(const char *name),
			      struct arena *arena, const char ***ret_names,
			      size_t *ret_n, struct err *err)
{
	DIR *dir;
	int fd;
	enum err_code rc;

	rc = file_root_openat(root, path, FILE_FOLDER, &fd, err);
	if (rc)
		return rc;
	dir = fdopendir(fd);
	if (!dir) {
		rc = file_err(err, errno, "list", path);
		(void)close(fd);
		return rc;
	}
	rc = read_names(dir, keep, arena, ret_names, ret_n, err);
	(void)closedir(dir);
	return rc;
}

static bool exists(const struct file_root *root, const char *path,
		   unsigned flags)
{
	int fd;

	if (file_root_openat(root, path, flags, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

static bool path_of(char path[REPOSITORY_PATH_MAX], const char *model,
		    int64_t version)
{
	int n = snprintf(path, REPOSITORY_PATH_MAX, "%s%s%lld", model,
			 *model ? "/" : "", (long long)version);

	return n > 0 && n < REPOSITORY_PATH_MAX;
}

/* A version is complete when its model.onnx is there. */
static bool is_complete(const struct file_root *root, const char *path)
{
	char file[REPOSITORY_PATH_MAX + 16];

	(void)snprintf(file, sizeof(file), "%s/%s", path, model_file);
	return exists(root, file, 0);
}

static bool is_bare(const struct repository *repository, const char *model)
{
	return str_equal(repository->bare_model, model);
}

static bool locate_in(const struct repository *repository,
		      const struct file_root *root, const char *model,
		      int64_t version, char path[REPOSITORY_PATH_MAX])
{
	if (path_of(path, model, version) && is_complete(root, path))
		return true;
	if (!is_bare(repository, model))
		return false;
	if (path_of(path, "", version) && is_complete(root, path))
		return true;
	(void)str_copy(path, REPOSITORY_PATH_MAX, ".");
	return version == 1 && is_complete(root, path);
}

enum err_code repository_locate(struct repository *repository,
				const char *model, int64_t version,
				const struct file_root **ret_root,
				char path[REPOSITORY_PATH_MAX], struct err *err)
{
	for (size_t i = 0; i < repository->n_roots; i++) {
		if (locate_in(repository, repository->root[i], model, version,
			      path)) {
			*ret_root = repository->root[i];
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "model '%s' has no version %lld",
		       model, (long long)version);
}

/* --- versions --- */

struct versions {
	int64_t *v;
	size_t n, cap;
};

static enum err_code add_version(struct versions *list, int64_t version,
				 struct arena *arena, struct err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i] == version)
			return ERR_NONE;
	}
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 8;
		int64_t *grown = arena_array(arena, cap, sizeof(*grown));

		if (!grown)
			return no_memory(err);
		if (list->n)
			memcpy(grown, list->v, list->n * sizeof(*grown));
		list->v = grown;
		list->cap = cap;
	}
	list->v[list->n++] = version;
	return ERR_NONE;
}

/* Folders named as versions in one folder; a folder that cannot be read has
 * none, and its model fails with the reason when it is loaded. */
static enum err_code add_versions(const struct file_root *root,
				  const char *model, bool any,
				  struct arena *arena, struct versions *list,
				  struct err *err)
{
	char path[REPOSITORY_PATH_MAX];
	const char **names;
	size_t n;
	enum err_code rc = ERR_NONE;

	if (repository_scan(root, *model ? model : ".", is_version_name, arena,
			    &names, &n, NULL))
		return ERR_NONE;
	for (size_t i = 0; i < n && !rc; i++) {
		int64_t version;

		if (!repository_parse_version(names[i], &version) ||
		    !path_of(path, model, version))
			continue;
		if (any || is_complete(root, path))
			rc = add_version(list, version, arena, err);
	}
	return rc;
}

static int compare_versions(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

enum err_code repository_versions(struct repository *repository,
				  const char *model, bool any,
				  struct arena *arena, int64_t **ret_version,
				  size_t *ret_n, struct err *err)
{
	struct versions list = { 0 };
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < repository->n_roots && !rc; i++) {
		const struct file_root *root = repository->root[i];

		rc = add_versions(root, model, any, arena, &list, err);
		if (rc || !is_bare(repository, model))
			continue;
		rc = add_versions(root, "", any, arena, &list, err);
		if (!rc && is_complete(root, "."))
			rc = add_version(&list, 1, arena, err);
	}
	if (rc)
		return rc;
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), compare_versions);
	*ret_version = list.v;
	*ret_n = list.n;
	return ERR_NONE;
}

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

		if (rc == ERR_NOT_FOUND && is_bare(repository, model->name))
			rc = read_config(root, "", arena, &model->config, &why);
		if (rc == ERR_NOT_FOUND)
			continue;
		if (rc)
			model->fault = arena_strdup(arena, why.msg);
		return rc && !model->fault ? no_memory(err) : ERR_NONE;
	}
	return ERR_NONE;
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
					    is_model_name, arena, &names, &more,
					    err);
		if (rc)
			return rc;
		grown = arena_array(arena, n + more + 1, sizeof(*grown));
		if (!grown)
			return no_memory(err);
		if (n)
			memcpy(grown, all, n * sizeof(*grown));
		for (size_t j = 0; j < more; j++)
			grown[n++] = bare ? repository->bare_model : names[j];
		all = grown;
	}
	qsort(all, n, sizeof(*all), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(all[i], all[kept - 1]))
			all[kept++] = all[i];
	}
	*ret_names = all;
	*ret_n = kept;
	return ERR_NONE;
}

enum err_code repository_list(struct repository *repository,
			      struct arena *arena,
			      struct repository_listing *ret, struct err *err)
{
	struct repository_listing listing = { 0 };
	const char **names;
	size_t n;
	enum err_code rc;

	rc = gather_models(repository, arena, &names, &n, err);
	if (rc)
		return rc;
	listing.model = arena_array(arena, n + 1, sizeof(*listing.model));
	if (!listing.model)
		return no_memory(err);
	for (size_t i = 0; i < n && !rc; i++) {
		struct repository_model *model = &listing.model[listing.n];

		model->name = arena_strdup(arena, names[i]);
		if (!model->name)
			return no_memory(err);
		rc = repository_versions(repository, names[i], false, arena,
					 &model->version, &model->n_versions,
					 err);
		if (rc || !model->n_versions)
			continue;
		rc = find_config(repository, model, arena, err);
		listing.n++;
	}
	if (!rc)
		*ret = listing;
	return rc;
}

/* --- loading --- */

enum err_code repository_load(struct repository *repository, const char *model,
			      int64_t version, struct package **ret_package,
			      struct err *err)
{
	char path[REPOSITORY_PATH_MAX];
	const struct file_root *root;
	struct arena *arena = NULL;
	int64_t *versions;
	size_t n;
	enum err_code rc = repository_check_name(model, err);

	if (rc)
		return rc;
	arena = arena_create(64 << 20);
	if (!arena)
		return no_memory(err);
	rc = repository_versions(repository, model, false, arena, &versions, &n,
				 err);
	if (!rc && !n)
		rc = err_set(err, ERR_NOT_FOUND,
			     "there is no model '%s' in the repository", model);
	if (!rc)
		rc = repository_locate(repository, model,
				       version ? version : versions[n - 1],
				       &root, path, err);
	if (!rc)
		rc = package_load(root, path, model,
				  version ? version : versions[n - 1],
				  ret_package, err);
	arena_destroy(arena);
	return rc;
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
	const char **names;
	size_t n;

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
		return no_memory(err);
	(void)pthread_mutex_init(&repository->publishing, NULL);
	repository->root =
	    mem_array(options->n_dirs + 1, sizeof(struct file_root *));
	if (!repository->root) {
		rc = no_memory(err);
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
			rc = no_memory(err);
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
	mem_free(repository);
}
