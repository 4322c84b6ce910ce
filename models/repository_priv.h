/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the parts of the repository share.
 *
 * Threads: the roots are read only; the mutex guards publishing.
 */
#ifndef MODELS_REPOSITORY_PRIV_H
#define MODELS_REPOSITORY_PRIV_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/file.h"
#include "models/repository.h"

enum { REPOSITORY_PATH_MAX = 192 }; /* MODEL/VERSION/model.onnx and more */
#define REPOSITORY_TEMPORARY ".tmp-"

struct repository {
	struct file_root **root;
	size_t n_roots;
	char *bare_model;	  /* NULL: none */
	struct pack_store *packs; /* of all packages that it loads */
	pthread_mutex_t publishing;
};

enum err_code repository_no_memory(struct err *err);
bool repository_is_name(const char *name);
/** Is it the model of a repository that is one bare model? */
bool repository_is_bare(const struct repository *repository, const char *model);
/** A version as it is written in a path: "1", not "01". */
bool repository_parse_version(const char *name, int64_t *ret_version);

/** Versions of a model that have a file model.onnx, or (any) all folders with
 * a version's name, ascending and each once, over all roots. */
MUST_USE enum err_code repository_versions(struct repository *repository,
					   const char *model, bool any,
					   struct arena *arena,
					   int64_t **ret_version, size_t *ret_n,
					   struct err *err);
/** Where a version lies: beneath which root, and its path ("m/1", or of a bare
 * model "1" or "."). */
MUST_USE enum err_code repository_locate(struct repository *repository,
					 const char *model, int64_t version,
					 const struct file_root **ret_root,
					 char path[REPOSITORY_PATH_MAX],
					 struct err *err);
/** The path of what lies beside a model's versions, one of which is at `at`.
 * ERR_INVALID: the name would lead elsewhere. */
MUST_USE enum err_code repository_beside(const char *at, const char *name,
					 char path[PATH_MAX], struct err *err);
/** Names in a folder beneath a root that pass `keep`, sorted. */
MUST_USE enum err_code
repository_scan(const struct file_root *root, const char *path,
		bool (*keep)(const char *name), struct arena *arena,
		const char ***ret_names, size_t *ret_n, struct err *err);

#endif
