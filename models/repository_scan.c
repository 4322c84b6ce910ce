/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "models/repository_priv.h"

enum { NAME_MAX_BYTES = 128, ENTRIES_MAX = 100000 };

static const char *const model_file = "model.onnx";

enum err_code repository_no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "model repository: out of memory");
}

/* --- names --- */

/* Hidden folders are no models, nor what would be an option to a command. */
static bool is_first_char(char c)
{
	return c != '.' && c != '-' && c != '_' && c != ' ';
}

/* A name stands in paths of files and of requests, in messages and labels of
 * metrics: any text but what is read otherwise in one of them. The last one is
 * made by the file system, where a repository is the root of one. */
bool repository_is_name(const char *name)
{
	const size_t n = strlen(name);

	if (!n || n > NAME_MAX_BYTES || !str_is_utf8(name, n) ||
	    !is_first_char(*name) || name[n - 1] == ' ' || strstr(name, "..") ||
	    strpbrk(name, "/\\'\""))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return !str_equal(name, "lost+found");
}

enum err_code repository_check_name(const char *model, struct err *err)
{
	if (repository_is_name(model))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "'%.64s' is no name of a model: expected 1 to %d "
		       "bytes of text that do not begin with '.', '_' or '-', "
		       "without '/', '\\', quotes and '..'",
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
				return repository_no_memory(err);
			if (n)
				memcpy(grown, names, n * sizeof(*grown));
			names = grown;
		}
		names[n] = arena_strdup(arena, entry->d_name);
		if (!names[n++])
			return repository_no_memory(err);
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret_names = names;
	*ret_n = n;
	return ERR_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): where, which, and two results */
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

bool repository_is_bare(const struct repository *repository, const char *model)
{
	return str_equal(repository->bare_model, model);
}

static bool locate_in(const struct repository *repository,
		      const struct file_root *root, const char *model,
		      int64_t version, char path[REPOSITORY_PATH_MAX])
{
	if (path_of(path, model, version) && is_complete(root, path))
		return true;
	if (!repository_is_bare(repository, model))
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

/* A name or a path, but none that climbs. */
static bool stays_beneath(const char *path)
{
	for (const char *part = path; part;) {
		const size_t len = strcspn(part, "/");

		if (!len || (len == 2 && !strncmp(part, "..", 2)))
			return false;
		part = part[len] ? part + len + 1 : NULL;
	}
	return true;
}

enum err_code repository_beside(const char *at, const char *name,
				char path[PATH_MAX], struct err *err)
{
	const char *slash = strrchr(at, '/');

	if (!stays_beneath(name) ||
	    snprintf(path, PATH_MAX, "%.*s%s",
		     slash ? (int)(slash + 1 - at) : 0, at, name) >= PATH_MAX)
		return err_set(err, ERR_INVALID,
			       "'%.100s': expected a path beneath the model's "
			       "folder",
			       name);
	return ERR_NONE;
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
			return repository_no_memory(err);
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
	const char **names = NULL;
	size_t n = 0;
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

/* NOLINTNEXTLINE(readability-function-size): which, and two results */
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
		if (rc || !repository_is_bare(repository, model))
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
