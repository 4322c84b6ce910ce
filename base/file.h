/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Files: confined reading, whole reads, maps, and writing that survives a
 * power cut.
 *
 * A name that comes from outside is opened beneath a root with openat2(2) and
 * RESOLVE_BENEATH, so neither ".." nor a symbolic link leads out. What must
 * last is written to a temporary name in the same folder, fsynced, renamed,
 * and the folder fsynced: after a crash the old content or the new one is
 * there. A failed fsync is an error at once and is never tried again, because
 * the kernel has dropped the pages by then. Every message says what was tried,
 * on which path, and strerror.
 *
 * Ownership: stated per function; plain descriptors are the caller's to close.
 * Threads:   safe from any thread; a root is read only once open.
 * Limits:    whole reads take a ceiling; trees are removed to 64 levels.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/** Records "cannot DID 'PATH': strerror" under the code that fits errno:
 * NOT_FOUND, NO_SPACE, FORBIDDEN, CONFLICT, NO_MEMORY or IO. */
enum err_code file_err(struct err *err, int error, const char *did,
		       const char *path);

/* --- beneath a root --- */
struct file_root;

/** Regular files (or folders with FILE_FOLDER) opened for reading. */
enum {
	FILE_SINGLE_LINK = 1, /**< refuse a file with several hard links */
	FILE_FOLDER = 2,      /**< open a folder instead of a regular file */
};

MUST_USE enum err_code
file_root_open(const char *path, struct file_root **ret_root, struct err *err);
/** A folder beneath a root as a root of its own. */
MUST_USE enum err_code file_root_enter(const struct file_root *root,
				       const char *path,
				       struct file_root **ret_root,
				       struct err *err);
const char *file_root_path(const struct file_root *root);
int file_root_fd(const struct file_root *root);
/** *ret_fd is the caller's. Refuses absolute paths, ways out, and devices,
 * pipes and sockets (without opening them). */
MUST_USE enum err_code file_root_openat(const struct file_root *root,
					const char *path, unsigned flags,
					int *ret_fd, struct err *err);
/** The part of a path that lies beneath the folder `root`, by their texts;
 * "." is the folder itself, NULL what lies elsewhere. */
const char *file_path_below(const char *path, const char *root);
/** Also by the root's real path; one that is not absolute: where it is there.
 */
const char *file_path_in(const char *path, const char *root);
/** NULL is fine. */
void file_root_close(struct file_root *root);

/* --- reading --- */
/** The whole file, followed by a NUL that is not counted; mem_free() it.
 * ERR_TOO_LARGE beyond max bytes. */
MUST_USE enum err_code file_read_all(const char *path, size_t max,
				     char **ret_data, size_t *ret_len,
				     struct err *err);
/** The same from a descriptor, which stays open; `name` is for messages. */
MUST_USE enum err_code file_read_fd(int fd, const char *name, size_t max,
				    char **ret_data, size_t *ret_len,
				    struct err *err);

/** Read-only view of a whole regular file; an empty file has NULL and 0. */
struct file_map {
	const unsigned char *data;
	size_t len;
};

MUST_USE enum err_code file_map_open(const char *path, struct file_map *ret_map,
				     struct err *err);
MUST_USE enum err_code file_map_fd(int fd, const char *name,
				   struct file_map *ret_map, struct err *err);
/** The pages that lie wholly in a part of a map need no memory until they are
 * read again. */
void file_map_rest(const void *part, size_t len);
/** Twice is fine. */
void file_map_close(struct file_map *map);

/* --- writing that lasts --- */
/** What temporary names begin with: left over only by a crash. */
#define FILE_TEMPORARY ".tmp-"

/** Replaces path as a whole: temporary file, fsync, rename, fsync folder. */
MUST_USE enum err_code file_write_atomic(const char *path, const void *data,
					 size_t len, struct err *err);
/** The same without waiting for the disk: whoever reads it sees the old file or
 * the new one, but after a loss of power it may be gone, or empty. */
MUST_USE enum err_code file_write_passing(const char *path, const void *data,
					  size_t len, struct err *err);
/** Creates dir_fd/name, which must not exist, and fsyncs it; the folder is
 * the caller's to sync (file_sync_dir) when all its files are written. */
MUST_USE enum err_code file_write_durable(int dir_fd, const char *name,
					  const void *data, size_t len,
					  struct err *err);
/** Pieces that follow each other in a file; written() (NULL: nobody) is told
 * of each once it has been. */
struct file_piece {
	const void *data;
	size_t len;
};
struct file_pieces {
	const struct file_piece *piece;
	size_t n;
	void (*written)(void *ctx, const struct file_piece *piece);
	void *ctx;
};
/** As file_write_durable(). */
MUST_USE enum err_code file_write_pieces(int dir_fd, const char *name,
					 const struct file_pieces *pieces,
					 struct err *err);
/** All bytes to a descriptor; `name` is for messages. */
MUST_USE enum err_code file_write_fd(int fd, const char *name, const void *data,
				     size_t len, struct err *err);
MUST_USE enum err_code file_sync_fd(int fd, const char *name, struct err *err);
MUST_USE enum err_code file_sync_dir(const char *path, struct err *err);

/** The n-th system call of this thread from now that writes fails with
 * `error` (an errno), once; 0 disarms. For tests. */
void file_fail_at(unsigned long n, int error);

/* --- folders --- */

/** ERR_CONFLICT when `to` exists. Syncs nothing. */
MUST_USE enum err_code file_rename_noreplace(const char *from, const char *to,
					     struct err *err);
/** The folder and those above it, existing ones are fine. */
MUST_USE enum err_code file_make_dirs(const char *path, struct err *err);
/** File or folder and all beneath; never follows a symbolic link. What is
 * not there is fine. */
MUST_USE enum err_code file_remove_tree(const char *path, struct err *err);
/** Names without "." and "..", in byte order, in the arena. At most max. */
MUST_USE enum err_code file_list_dir(const char *path, size_t max,
				     struct arena *arena,
				     const char ***ret_names, size_t *ret_n,
				     struct err *err);

#endif
