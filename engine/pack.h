/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Packs: constants in the forms that kernels want, made once a process.
 *
 * A kernel's prepare() asks for a form of a constant's elements with
 * pack_get(). Where the same elements were brought to the same form before, by
 * another plan or for another model, it gets those bytes; else its make() runs.
 * Elements are told apart by a fingerprint (base/fingerprint.h); forms by
 * make() and by bytes that the kernel chooses, which must say everything that
 * make() goes by. Forms of the same elements whose bytes come out equal share
 * the bytes. Who asks for a pack that another thread is making waits for it.
 *
 * A reader of models keeps large constants with packs_keep(): as they are, but
 * shared with other models, and their fingerprint is taken only once.
 *
 * Ownership: a pack is counted, each pack_get() wants a pack_put(), and lives
 *            as long as somebody has it: the states of plans' kernels. What is
 *            kept lives as long as the `struct packs`. A store is counted, too,
 *            by the `struct packs` and packs of it.
 * Threads:   every function may be called from any thread, but packs_keep(),
 *            packs_drop() and packs_destroy(): those by one, while no other is
 *            at it. Bytes of a pack are read only. make() runs without a lock
 *            and must not ask for packs.
 */
#ifndef ENGINE_PACK_H
#define ENGINE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pack_store; /* of a process */
struct packs;	   /* of a model, in a store */
struct pack;	   /* packed bytes */

/** Fills a pack's bytes, which are 64-byte aligned and not cleared. */
typedef enum err_code pack_make(const void *data, const void *plain, void *to,
				struct err *err);

struct pack_wish {
	const void *plain; /**< the constant's elements */
	size_t plain_bytes;
	const void *form; /**< of one make(): equal bytes give equal bytes */
	size_t form_bytes;
	size_t bytes; /**< of the packed form */
	pack_make *make;
	const void *data; /**< for make() */
};

struct pack_stats {
	uint64_t n_made, n_shared; /**< answers of pack_get() so far */
	size_t n, bytes;	   /**< packs that are there now */
};

MUST_USE enum err_code pack_store_create(struct pack_store **ret_store,
					 struct err *err);
struct pack_store *pack_store_ref(struct pack_store *store);
/** NULL is fine. */
void pack_store_unref(struct pack_store *store);
void pack_store_stats(struct pack_store *store, struct pack_stats *ret);

/** store NULL: one of its own. */
MUST_USE enum err_code packs_create(struct pack_store *store,
				    struct packs **ret_packs, struct err *err);
/** NULL is fine. Packs may live on. */
void packs_destroy(struct packs *packs);
/** Equal bytes, 64-byte aligned. */
MUST_USE enum err_code packs_keep(struct packs *packs, const void *bytes,
				  size_t n, const void **ret_bytes,
				  struct err *err);

/** Do these bytes begin what is kept? */
bool packs_has(struct packs *packs, const void *bytes);
/** Keeps them once less. */
void packs_drop(struct packs *packs, const void *bytes);

/** packs NULL: shared with nobody. */
MUST_USE enum err_code pack_get(struct packs *packs,
				const struct pack_wish *wish,
				struct pack **ret_pack, struct err *err);
/** NULL is fine. */
void pack_put(struct pack *pack);
const void *pack_bytes(const struct pack *pack);
/** What it takes beside others that are there: 0 where another has equal bytes.
 * NULL: 0. */
size_t pack_size(const struct pack *pack);

#endif
