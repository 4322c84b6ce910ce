/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch pad: calls of unequal lengths in one run.
 *
 * config.yaml names inputs whose open dimensions, but the first, may be filled
 * up at the end with a value, so that calls which differ there share a run:
 *
 *	pad_inputs: {ids: 0, mask: 0}
 *
 * Every extent grows to that of the longest call, and on to one of a few
 * lengths so that plans are few (at most a quarter more). Extents of outputs
 * that have the same symbol are cut back, so that a call's answer is as long
 * as the call. The model must not mind what stands behind the end.
 *
 * Ownership: create/destroy; borrows the signature. Threads: read only.
 */
#ifndef SERVER_BATCH_PAD_H
#define SERVER_BATCH_PAD_H

#include "models/signature.h"

struct doc;
struct batch_pad;

/** config: the map of inputs to values. ERR_INVALID names what is in the way:
 * an unknown input, one of strings, a dimension that another input has too and
 * does not fill up, an output that could not be cut back. */
MUST_USE enum err_code batch_pad_create(const struct model_signature *signature,
					const struct doc *config,
					struct batch_pad **ret_pad,
					struct err *err);
/** NULL is fine. */
void batch_pad_destroy(struct batch_pad *pad);

/** Whether dimension d >= 1 of an input may differ between calls of a run. pad
 * NULL: never. */
bool batch_pad_may_grow(const struct batch_pad *pad, unsigned input,
			unsigned d);
/** The length that an extent of so many is filled up to. */
int64_t batch_pad_length(int64_t extent);
/** Grows `shape`, an input's of a run, for one more call. */
void batch_pad_grow(const struct batch_pad *pad, unsigned input,
		    const struct shape *call, struct shape *shape);
/** Fills rows of an input with its value. */
void batch_pad_fill(const struct batch_pad *pad, unsigned input,
		    enum dtype dtype, void *to, size_t n);
/** The dimensions of an output, but the first, as the call whose inputs these
 * are sees them. */
void batch_pad_crop(const struct batch_pad *pad, unsigned output,
		    const struct tensor_view *inputs, struct shape *shape);
/** Copies rows whose other dimensions have other extents: what is there in
 * both. */
void batch_pad_copy(void *to, const struct shape *to_shape, const void *from,
		    const struct shape *from_shape, size_t size, int64_t rows);

#endif
