/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Spill: memory that lies in a file, for what is large and seldom read.
 *
 * The file has no name from the beginning, so nothing is left behind however
 * the process ends; its room on the disk is taken at once, so that a full disk
 * is an error here and not a crash at a later write. Bytes are read and written
 * as any others; spill_rest() then lets go of the memory that they took, until
 * somebody reads them again.
 *
 * Ownership: create/destroy.
 * Threads:   as plain memory.
 */
#ifndef BASE_SPILL_H
#define BASE_SPILL_H

#include <stddef.h>

#include "base/err.h"

struct spill {
	char *data; /**< page-aligned, zeroed; NULL: none */
	size_t bytes;
};

/** In a file of the folder `dir`. */
MUST_USE enum err_code spill_create(const char *dir, size_t bytes,
				    struct spill *ret_spill, struct err *err);
/** Whole pages of the range [at, at + bytes) leave memory; their contents
 * stay. */
void spill_rest(const struct spill *spill, size_t at, size_t bytes);
/** A spill without data is fine. */
void spill_destroy(struct spill *spill);

#endif
