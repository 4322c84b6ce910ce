/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Datasets: data that was uploaded, in a folder each beneath STATE/datasets.
 *
 *   NAME/dataset.json  name, bytes, sha256, files, unpacked_bytes, created_at
 *   NAME/data/         the file, or what was in the archive
 *
 * An upload is written beside them, hashed as it comes. When it is whole, a
 * worker (`predictd worker --unpack`) looks whether it is an archive and
 * unpacks it: bytes that nobody checked are read by no process that serves.
 * Then the folder takes its name, by one rename; until then it is not there,
 * and after a crash it never was.
 *
 * Ownership: create/destroy; an upload borrows the datasets.
 * Threads:   any; an upload has one at a time.
 * Limits:    names of 1 to 128 letters, digits, '.', '_' and '-'; bytes by
 *            options, packed and unpacked; a million files.
 */
#ifndef TRAINING_DATASETS_H
#define TRAINING_DATASETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct datasets;
struct dataset_upload;

struct datasets_options {
	const char *dir;     /**< made if need be */
	const char *program; /**< predictd, for the worker */
	int64_t max_bytes;   /**< of an upload, and of what it unpacks to */
};

/** Removes what a crash left half uploaded. */
MUST_USE enum err_code datasets_create(const struct datasets_options *options,
				       struct datasets **ret_datasets,
				       struct err *err);
void datasets_destroy(struct datasets *datasets);
int64_t datasets_max_bytes(const struct datasets *datasets);

/** ERR_INVALID says what a name has. */
MUST_USE enum err_code datasets_check_name(const char *name, struct err *err);

/** extension: of the file where it is no archive and `name` has none, such as
 * ".csv"; "" for none. */
MUST_USE enum err_code dataset_upload_begin(struct datasets *datasets,
					    const char *name,
					    const char *extension,
					    struct dataset_upload **ret_upload,
					    struct err *err);
/** ERR_TOO_LARGE beyond the limit, ERR_NO_SPACE on a full disk. */
MUST_USE enum err_code dataset_upload_write(struct dataset_upload *upload,
					    const void *bytes, size_t len,
					    struct err *err);
/** Unpacks and gives it its name; one that had the name goes. want_sha256: hex
 * of what should have come, or NULL. May take long. */
MUST_USE enum err_code dataset_upload_finish(struct dataset_upload *upload,
					     const char *want_sha256,
					     bool *ret_replaced,
					     struct err *err);
/** Removes what was not finished. NULL is fine. */
void dataset_upload_destroy(struct dataset_upload *upload);

/** Names in order, in the arena. */
MUST_USE enum err_code datasets_list(const struct datasets *datasets,
				     struct arena *arena,
				     const char ***ret_names, size_t *ret_n,
				     struct err *err);
/** Its dataset.json in the arena; ERR_NOT_FOUND names it. */
MUST_USE enum err_code datasets_read(const struct datasets *datasets,
				     const char *name, struct arena *arena,
				     const char **ret_json, struct err *err);
MUST_USE enum err_code datasets_remove(struct datasets *datasets,
				       const char *name, struct err *err);

#endif
