/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the parts of the package share.
 *
 * Ownership: a manifest lives in the arena handed in.
 * Threads:   one load a call.
 */
#ifndef MODELS_PACKAGE_PRIV_H
#define MODELS_PACKAGE_PRIV_H

#include "base/file.h"
#include "engine/facts.h"
#include "models/package.h"

struct manifest_file {
	const char *name, *sha256;
	int64_t size;
};

/** is_there false: the folder has none, and nothing is checked. */
struct manifest {
	bool is_there;
	size_t n;
	const struct manifest_file *file;
};

MUST_USE enum err_code manifest_read(const struct file_root *folder,
				     struct arena *arena, struct manifest *ret,
				     struct err *err);
/** Bytes that were read against the manifest: a file that it does not list,
 * or another size or sha256, is refused. */
MUST_USE enum err_code manifest_check(const struct manifest *manifest,
				      const char *name, const void *bytes,
				      size_t len, struct err *err);
/** All files that it lists, but those named in `done` (ends with NULL).
 * ret_bytes: the sizes of all. */
MUST_USE enum err_code manifest_check_rest(const struct manifest *manifest,
					   const struct file_root *folder,
					   const char *const *done,
					   size_t *ret_bytes, struct err *err);

/** An empty one, whose graph and signature the caller fills in. ret_arena: its
 * own, for strings and ports. */
MUST_USE enum err_code package_create(const char *name, int64_t version,
				      struct pack_store *store,
				      struct package **ret_package,
				      struct arena **ret_arena,
				      struct err *err);
/** Takes another package, also on failure, until this one ends. */
MUST_USE enum err_code package_hold(struct package *package,
				    struct package *member, struct err *err);
/** Once graph and signature are there: may it batch? */
void package_finish(struct package *package);

/** Large constants that passes made are kept in package->packs, those that
 * nobody reads any more end. */
MUST_USE enum err_code package_settle_constants(struct package *package,
						struct err *err);

/** Do the operators say that no row of an output sees another row of an input?
 * Only for as many rows as `input` says: ask for two numbers. */
bool package_rows_are_apart(const struct graph *graph,
			    const struct fact *input);

/** The shape of an input with so many rows, and `open` for its other open
 * extents. False: no tensor has it. */
bool package_input_shape(const struct signature_port *port, int64_t rows,
			 int64_t open, struct shape *ret);
/** Random elements, the same for the same stream: floats from 0 to 1, or
 * normal (mean 0, deviation 1); integers 0 and 1; empty texts. */
void package_fill_random(struct tensor_view *view, unsigned stream,
			 bool is_normal);

/** Do two rows together give what each gives alone? False also when no run is
 * possible. */
bool package_check_batch(const struct package *package);

#endif
