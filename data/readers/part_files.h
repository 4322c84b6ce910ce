/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Part files: which files a source of texts or tables means. One file, or a
 * folder with a training part (its name ends with train and a suffix) and,
 * where there, a part to validate on (valid, else test); a folder may also hold
 * just one file of the kind. Each may be gzipped.
 *
 * Ownership: paths are the arena's. Threads: pure.
 * Limits:    4,096 entries of a folder.
 */
#ifndef DATA_READERS_PART_FILES_H
#define DATA_READERS_PART_FILES_H

#include <stdbool.h>

#include "base/arena.h"
#include "data/reader.h"

enum { PART_FILES = 2 };

struct part_files {
	const char *const *suffix; /**< ends with NULL; without .gz */
	const char *what;	   /**< for messages: "tables (.csv)" */
	const char *parts;	   /**< "train.csv and test.csv" */
};

bool part_files_detect(const struct part_files *kind,
		       const struct file_root *root, const char *path);
/** Paths beneath the root: what is trained on, then what is validated on or
 * NULL. */
MUST_USE enum err_code part_files_find(const struct part_files *kind,
				       const struct reader_source *source,
				       struct arena *arena,
				       const char *ret_path[PART_FILES],
				       struct err *err);
/** All of one of them, unpacked. */
MUST_USE enum err_code part_files_read(const struct file_root *root,
				       const char *path, size_t max,
				       char **ret_text, size_t *ret_len,
				       struct err *err);

#endif
