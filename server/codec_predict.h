/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Codec predict: the values of the simple doors as tensors, and back.
 *
 * A model with features takes rows: maps of feature to value, one or a list of
 * them. A model without takes whole tensors by name. Image bytes in JSON are
 * {"b64": "..."}.
 *
 * Ownership: tensors lie in the request's arena. Threads: as the request.
 * Limits:    100,000 rows.
 */
#ifndef SERVER_CODEC_PREDICT_H
#define SERVER_CODEC_PREDICT_H

#include "data/pipeline.h"
#include "server/inference.h"
#include "server/json_pull.h"

struct json_writer;

/** `inputs` of a model without features: {name: nested array}. */
MUST_USE enum err_code codec_read_tensors(struct inference *inference,
					  struct json_pull *pull,
					  struct err *err);
/** One nested array as input `port`; a lone value is one of one element, a lone
 * row a batch of one. */
MUST_USE enum err_code codec_read_tensor(struct inference *inference,
					 unsigned port, struct json_pull *pull,
					 struct err *err);
/** `inputs` of a model with features: a row or a list of rows. */
MUST_USE enum err_code codec_read_rows(struct inference *inference,
				       struct json_pull *pull, struct err *err);
/** One row whose one feature is the body itself. */
MUST_USE enum err_code codec_read_body(struct inference *inference,
				       const struct raw_value *value,
				       struct err *err);
/** The values of n rows, [n][pipeline_n_inputs], as the inputs. */
MUST_USE enum err_code codec_encode_rows(struct inference *inference,
					 const struct raw_value *const *rows,
					 size_t n, struct err *err);

/** {name: nested array} under key; where the name ends in "_bytes", strings
 * are base64, as TensorFlow Serving has it. */
MUST_USE enum err_code codec_write_tensors(struct inference *inference,
					   struct json_writer *writer,
					   const char *key, struct err *err);
/** A list of predictions, one a row, under key. */
MUST_USE enum err_code codec_write_rows(struct inference *inference,
					struct json_writer *writer,
					const char *key, struct err *err);

#endif
