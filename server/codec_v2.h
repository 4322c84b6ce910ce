/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Codec v2: inference requests and answers of the Open Inference Protocol,
 * JSON with or without binary tensors behind it.
 *
 * Ownership: tensors lie in the request's arena, or in its body where they can
 *            be used as they came.
 * Threads:   as the request.
 * Limits:    64 inputs and outputs.
 */
#ifndef SERVER_CODEC_V2_H
#define SERVER_CODEC_V2_H

#include "server/inference.h"

/** Binary tensors behind the JSON, taken one after another. */
struct codec_blob {
	const char *at;
	size_t len;
};

/** Reads the whole request into the inference. */
MUST_USE enum err_code codec_v2_read(struct inference *inference,
				     const char *json, size_t len,
				     struct codec_blob blob, struct err *err);
/** The whole body is the one input; outputs are binary. */
MUST_USE enum err_code codec_v2_read_raw(struct inference *inference,
					 const char *body, size_t len,
					 struct err *err);
/** Writes the answer, status 200. */
MUST_USE enum err_code codec_v2_write(struct inference *inference,
				      struct err *err);

/* --- binary tensors (codec_v2_binary.c) --- */

/** The next `size` bytes become input `port`, whose shape is set. */
MUST_USE enum err_code codec_blob_take(struct inference *inference,
				       unsigned port, size_t size,
				       struct codec_blob *blob,
				       struct err *err);
/** Bytes of a tensor in its binary form. */
size_t codec_blob_size(const struct tensor_view *tensor);
void codec_blob_write(struct buf *buf, const struct tensor_view *tensor);

/* --- classification.c --- */

/** The n largest of each row as "value:index[:label]", in a tensor of strings;
 * the model's labels are used where it has them. */
MUST_USE enum err_code codec_classify(struct inference *inference,
				      unsigned output, uint64_t n,
				      struct tensor_view *ret_tensor,
				      struct err *err);

#endif
