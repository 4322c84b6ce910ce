/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Unpack: archives that came from outside, into a folder; libarchive's door.
 *
 * tar (plain, or through gzip, bzip2, xz or zstd) and zip, told by their
 * content. Files and folders only: links, devices, absolute names and names
 * that lead upwards are errors, as nobody who uploads data means them. What
 * lies in one folder at the top lies at the top afterwards. Folders that
 * archivers of some systems add for themselves (__MACOSX) are left out.
 *
 * Ownership: nothing is kept. On an error files may be left; the folder is the
 *            caller's to remove.
 * Threads:   any. Run it in a process of its own: it reads what nobody checked.
 * Limits:    bytes and files by the caller; names of 32 folders, 4096 bytes.
 */
#ifndef DATA_UNPACK_H
#define DATA_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct unpack_limits {
	int64_t max_bytes; /**< of all files together */
	int64_t max_files;
};

struct unpack_result {
	int64_t n_bytes, n_files;
};

/** Whether the file is an archive; reads from its start. */
bool unpack_is_archive(const char *path);

/** Into the folder `into`, which exists and is empty. ERR_TOO_LARGE beyond a
 * limit, ERR_FORMAT for what is broken or not wanted. */
MUST_USE enum err_code unpack_archive(const char *path, const char *into,
				      const struct unpack_limits *limits,
				      struct unpack_result *ret,
				      struct err *err);

#endif
