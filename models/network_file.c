/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The file of a model to train further: one that is published, or one beneath
 * a data root.
 */
#include <unistd.h>

#include "base/str.h"
#include "models/network_priv.h"
#include "models/onnx.h"
#include "models/repository_priv.h"

enum { NAME_CAP = 160, PATH_CAP = 4096 };

static const char *const path_prefix = "path:";

/* Reads FILE of an open folder; its bytes are copied. */
static enum err_code read_from(const struct file_root *folder, const char *file,
			       const char *shown, struct graph **ret_graph,
			       struct model_signature *ret_signature,
			       struct err *err)
{
	const struct onnx_options options = { .trainable = true,
					      .folder = folder,
					      .max_bytes = NETWORK_BYTES_MAX,
					      .copy = true,
					      .is_map = true };
	struct file_map map = { 0 };
	int fd;
	enum err_code rc = file_root_openat(folder, file, 0, &fd, err);

	if (rc)
		return rc;
	rc = file_map_fd(fd, file, &map, err);
	(void)close(fd);
	if (!rc)
		rc = onnx_read(map.data, map.len, shown, &options, ret_graph,
			       ret_signature, err);
	file_map_close(&map);
	return rc;
}

/* "resnet/3" is version 3 of resnet, "resnet" its newest. */
static enum err_code split_name(const char *where, char name[NAME_CAP],
				int64_t *ret_version, struct err *err)
{
	const char *slash = strchr(where, '/');
	const size_t len = slash ? (size_t)(slash - where) : strlen(where);

	*ret_version = 0;
	if (len >= NAME_CAP ||
	    (slash && !repository_parse_version(slash + 1, ret_version)))
		return err_set(
		    err, ERR_INVALID,
		    "expected MODEL, MODEL/VERSION or path:FILE, got "
		    "'%.100s'",
		    where);
	memcpy(name, where, len);
	name[len] = '\0';
	return repository_check_name(name, err);
}

static enum err_code newest(struct repository *repository, const char *model,
			    int64_t *version, struct err *err)
{
	struct arena *arena = arena_create(NETWORK_SCRATCH_MAX);
	int64_t *versions = NULL;
	size_t n = 0;
	enum err_code rc;

	if (!arena)
		return network_no_memory(err);
	rc = repository_versions(repository, model, false, arena, &versions, &n,
				 err);
	if (!rc && !n)
		rc = err_set(err, ERR_NOT_FOUND,
			     "there is no model '%s' in the repository", model);
	if (!rc && !*version)
		*version = versions[n - 1];
	arena_destroy(arena);
	return rc;
}

static enum err_code read_published(const char *where, const char *dir,
				    struct graph **ret_graph,
				    struct model_signature *ret_signature,
				    struct err *err)
{
	const struct repository_options options = { .dirs = &dir, .n_dirs = 1 };
	char name[NAME_CAP], path[REPOSITORY_PATH_MAX];
	struct repository *repository = NULL;
	const struct file_root *root = NULL;
	struct file_root *folder = NULL;
	int64_t version;
	enum err_code rc = split_name(where, name, &version, err);

	if (!rc && !dir)
		rc =
		    err_set(err, ERR_NOT_FOUND, "there is no model repository");
	if (!rc)
		rc = repository_create(&options, &repository, err);
	if (!rc)
		rc = newest(repository, name, &version, err);
	if (!rc)
		rc = repository_locate(repository, name, version, &root, path,
				       err);
	if (!rc)
		rc = file_root_enter(root, path, &folder, err);
	if (!rc)
		rc = read_from(folder, "model.onnx", where, ret_graph,
			       ret_signature, err);
	file_root_close(folder);
	repository_destroy(repository);
	return rc;
}

/* The folder of a path beneath a root, and the file in it. */
static enum err_code read_beneath(const char *path, const char *root_path,
				  struct graph **ret_graph,
				  struct model_signature *ret_signature,
				  struct err *err)
{
	struct file_root *root = NULL, *folder = NULL;
	const char *slash = strrchr(path, '/');
	char dir[PATH_CAP] = ".";
	enum err_code rc;

	if (slash && snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path),
			      path) >= (int)sizeof(dir))
		return err_set(err, ERR_INVALID, "the path is too long");
	rc = file_root_open(root_path, &root, err);
	if (!rc)
		rc = file_root_enter(root, dir, &folder, err);
	if (!rc)
		rc = read_from(folder, slash ? slash + 1 : path, path,
			       ret_graph, ret_signature, err);
	file_root_close(folder);
	file_root_close(root);
	return rc;
}

static enum err_code read_path(const char *path,
			       const struct network_places *places,
			       struct graph **ret_graph,
			       struct model_signature *ret_signature,
			       struct err *err)
{
	for (size_t i = 0; i < places->n_roots; i++) {
		const char *below = file_path_in(path, places->roots[i]);

		if (below)
			return read_beneath(below, places->roots[i], ret_graph,
					    ret_signature, err);
	}
	return err_set(err, ERR_INVALID, "'%.200s' is not beneath a data root",
		       path);
}

enum err_code network_read_file(const char *where,
				const struct network_places *places,
				struct graph **ret_graph,
				struct model_signature *ret_signature,
				struct err *err)
{
	static const struct network_places nowhere = { .repository = NULL };
	enum err_code rc;

	if (!places)
		places = &nowhere;
	if (str_starts_with(where, path_prefix))
		rc = read_path(where + strlen(path_prefix), places, ret_graph,
			       ret_signature, err);
	else
		rc = read_published(where, places->repository, ret_graph,
				    ret_signature, err);
	if (rc)
		(void)err_prefix(err, "model.onnx");
	return rc;
}
