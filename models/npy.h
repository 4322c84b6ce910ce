/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * NPY: one tensor as numpy.save() writes it (NEP 1, versions 1 to 3).
 *
 * Little-endian numbers and booleans in C order; float16 to float64, signed
 * and unsigned integers, complex. What numpy has no type for is refused.
 *
 * Ownership: a parsed tensor's elements live in the arena.
 * Threads:   pure functions.
 * Limits:    a header of 64 KiB; the file must hold all elements.
 */
#ifndef MODELS_NPY_H
#define MODELS_NPY_H

#include <stddef.h>

#include "engine/tensor.h"

struct arena;
struct buf;

/** `name` begins every message. */
MUST_USE enum err_code npy_parse(const void *bytes, size_t len,
				 const char *name, struct arena *arena,
				 struct tensor_view *ret_view, struct err *err);
MUST_USE enum err_code npy_write(const struct tensor_view *view,
				 const char *name, struct buf *buf,
				 struct err *err);

#endif
