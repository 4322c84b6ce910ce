/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Lookup: finds an element among the elements of a list, by hashing.
 *
 * Keys are of any type a tensor may have, strings too. Of equal keys the last
 * one added is found. Every NaN is the same key, and so are 0 and -0.
 *
 * Ownership: create/destroy; keys are borrowed.
 * Threads:   find() from any number of threads.
 */
#ifndef ENGINE_OPS_LOOKUP_H
#define ENGINE_OPS_LOOKUP_H

#include "engine/tensor.h"

struct lookup;

/** Room for n keys, none of them added yet. */
MUST_USE enum err_code lookup_create(enum dtype elem, const void *keys,
				     size_t n, struct lookup **ret,
				     struct err *err);
/** The same with all of them. */
MUST_USE enum err_code lookup_create_full(enum dtype elem, const void *keys,
					  size_t n, struct lookup **ret,
					  struct err *err);
/** Adds key number i. */
void lookup_add(struct lookup *lookup, size_t i);
/** Number of the key equal to that element, or -1. */
int64_t lookup_find(const struct lookup *lookup, const void *element);
/** NULL is fine. */
void lookup_destroy(struct lookup *lookup);

#endif
