/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the files of base/file share.
 *
 * Threads: the fuse is per thread.
 */
#ifndef BASE_FILE_PRIV_H
#define BASE_FILE_PRIV_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

/** True (and errno set) when the fuse of file_fail_at() blows at this call. */
bool file_fuse_blows(void);

/** Opens the folder that holds `path`; *ret_name is path's last part. */
MUST_USE enum err_code file_open_parent(const char *path, int *ret_fd,
					const char **ret_name, struct err *err);

#endif
