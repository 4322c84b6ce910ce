/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * safetensors: named tensors in one file, read by mapping, written durably.
 *
 * Format: 8-byte little-endian header length, JSON header, then the data.
 * Accepted only when offsets are contiguous from 0, without holes or overlap,
 * and end exactly at the end; duplicate keys, unknown dtypes and sizes that do
 * not match shape are refused.
 *
 * Ownership: views point into the bytes that were handed in.
 * Limits:    header of 16 MiB, rank 8.
 */
#ifndef MODELS_SAFETENSORS_H
#define MODELS_SAFETENSORS_H

#include "base/arena.h"
#include "engine/tensor.h"

struct buf;

struct safetensors_entry {
	const char *name;
	struct tensor_view view;
};

struct safetensors {
	size_t n;
	struct safetensors_entry *entry; /**< in file order */
	size_t n_metadata;
	const char **metadata; /**< key, value, key, value ... */
};

MUST_USE enum err_code safetensors_parse(const void *bytes, size_t len,
					 const char *name, struct arena *arena,
					 struct safetensors *ret,
					 struct err *err);
/** NULL when absent. */
const struct tensor_view *safetensors_find(const struct safetensors *file,
					   const char *name);
/** Appends what stands before the data in a file: its tensors follow, each as
 * it is, in the order given. */
MUST_USE enum err_code safetensors_write_header(const struct safetensors *file,
						struct buf *buf,
						struct err *err);
/** Appends a whole file to buf; entries are written in the order given. */
MUST_USE enum err_code safetensors_write(const struct safetensors *file,
					 struct buf *buf, struct err *err);

#endif
