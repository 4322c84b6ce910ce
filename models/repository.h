/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Repository: folders of models, DIR/MODEL/VERSION, and how one is published.
 *
 * Every complete folder can be served, whoever put it there. A version is
 * written by the protocol of durable publishing: files into DIR/.tmp-*, each
 * synced, manifest.json last, verified by loading it, then renamed without
 * replacing and the parent synced. Packages that one repository has loaded
 * share packed constants (engine/pack.h).
 *
 * Ownership: create/destroy. Threads: any; publishing is serialized inside.
 * Limits:    model names match [A-Za-z0-9][A-Za-z0-9._-]{0,127} without "..";
 *            versions are positive integers.
 */
#ifndef MODELS_REPOSITORY_H
#define MODELS_REPOSITORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct repository;
struct package;

struct repository_options {
	const char *const *dirs; /**< the first one is written to */
	size_t n_dirs;
	const char *bare_model; /**< name of a repository that is one bare model
				   (DIR/model.onnx or DIR/1/model.onnx); NULL */
};

struct repository_model {
	const char *name;
	size_t n_versions;
	int64_t *version;	  /**< ascending */
	const struct doc *config; /**< DIR/MODEL/config.yaml, or NULL */
	const char *fault; /**< why config.yaml cannot be read, or NULL */
};

struct repository_listing {
	size_t n;
	struct repository_model *model; /**< by name */
};

/** Removes .tmp-* left by a crash in the first folder; those that a living
 * process writes (it holds a lock on them) stay. */
MUST_USE enum err_code
repository_create(const struct repository_options *options,
		  struct repository **ret_repository, struct err *err);
void repository_destroy(struct repository *repository);
/** Its folders, for who watches them; NULL beyond the last one. */
const char *repository_dir(const struct repository *repository, size_t i);
/** A version is sealed when it has a manifest, which comes last: nothing that
 * is written later belongs to it. */
bool repository_is_sealed(struct repository *repository, const char *model,
			  int64_t version);
struct pack_store;
/** For its figures. */
struct pack_store *repository_packs(const struct repository *repository);

MUST_USE enum err_code repository_list(struct repository *repository,
				       struct arena *arena,
				       struct repository_listing *ret,
				       struct err *err);
/** Loads a version (0: the highest). ERR_NOT_FOUND names model and version. */
MUST_USE enum err_code repository_load(struct repository *repository,
				       const char *model, int64_t version,
				       struct package **ret_package,
				       struct err *err);

/** The highest version that is complete. */
MUST_USE enum err_code repository_highest(struct repository *repository,
					  const char *model,
					  int64_t *ret_version,
					  struct err *err);

/** A number that is another one when a file of the version was written, added
 * or removed. */
MUST_USE enum err_code repository_stamp(struct repository *repository,
					const char *model, int64_t version,
					uint64_t *ret_stamp, struct err *err);

struct calibration;
/** Rows of calibration (models/calibration.h) at DIR/MODEL/path, for a package
 * that was loaded from here. */
MUST_USE enum err_code
repository_calibration(struct repository *repository, const char *path,
		       const struct package *package, struct arena *arena,
		       struct calibration *ret, struct err *err);
/** A number that is another one when they were written, or lie elsewhere. */
uint64_t repository_calibration_stamp(struct repository *repository,
				      const char *model, int64_t version,
				      const char *path);

/** One file of a version to publish. */
struct repository_file {
	const char *name; /**< no '/' */
	const void *bytes;
	size_t len;
};

/** version 0: the next free one. On any error nothing remains and nothing
 * that is served is touched; a full disk gives ERR_NO_SPACE. */
MUST_USE enum err_code repository_publish(struct repository *repository,
					  const char *model, int64_t version,
					  const struct repository_file *files,
					  size_t n_files, int64_t *ret_version,
					  struct err *err);
/** ERR_INVALID says what a name may be. */
MUST_USE enum err_code repository_check_name(const char *model,
					     struct err *err);

#endif
