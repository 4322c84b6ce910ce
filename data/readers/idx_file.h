/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * IDX file: one tensor, as the MNIST database defines the format: two zero
 * bytes, element type, rank, big-endian 32-bit extents, big-endian elements.
 *
 * Ownership: idx_parse() borrows the bytes and copies nothing; elements of
 *            more than one byte are swapped in place, so the bytes must be
 *            writable. Threads: pure.
 */
#ifndef DATA_READERS_IDX_FILE_H
#define DATA_READERS_IDX_FILE_H

#include "engine/tensor.h"

MUST_USE enum err_code idx_parse(void *bytes, size_t len, const char *name,
				 struct tensor_view *ret_view, struct err *err);

#endif
