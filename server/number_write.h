/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Number write: the elements of a tensor as a JSON array.
 *
 * Floats have the shortest digits that read back to the same value. NaN and
 * the infinities are the bare words NaN, Infinity and -Infinity, as Triton and
 * numpy's users write and read them; who needs strict JSON asks for binary
 * tensors. JSON has no form for strings that are not UTF-8: flat arrays refuse
 * them, nested ones have {"b64": "..."} in their place.
 *
 * Ownership: borrows the buffer and the tensor. Threads: one at a time.
 */
#ifndef SERVER_NUMBER_WRITE_H
#define SERVER_NUMBER_WRITE_H

#include <stdbool.h>

#include "base/buf.h"
#include "engine/tensor.h"

/** "[1,2,3]": row by row, not nested. `name` begins messages. A fault of the
 * buffer sticks there. */
MUST_USE enum err_code number_write_flat(struct buf *buf,
					 const struct tensor_view *tensor,
					 const char *name, struct err *err);
/** "[[1,2],[3,4]]": nested by the shape; a scalar without brackets.
 * as_bytes: every string is {"b64": "..."}. */
MUST_USE enum err_code number_write_nested(struct buf *buf,
					   const struct tensor_view *tensor,
					   const char *name, bool as_bytes,
					   struct err *err);

#endif
