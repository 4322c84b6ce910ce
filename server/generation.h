/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Generation: texts that a language model goes on with, one token a run.
 *
 * The model carries a state (models/network.h), so that each run takes what is
 * new only. Runs of many requests meet in the batcher, which joins those of
 * the same length. Rows of one request follow one another.
 *
 * Ownership: lives in the request's arena, with an arena of its own for the
 *            numbers of one run, which ends with the request.
 * Threads:   as the request.
 * Limits:    GENERATION_ROWS texts a request.
 */
#ifndef SERVER_GENERATION_H
#define SERVER_GENERATION_H

#include "data/pipeline.h"
#include "server/inference.h"
#include "server/sampling.h"

enum { GENERATION_ROWS = 64 };

struct generation {
	struct inference *inference;
	api_handler *answer;
	struct sampling sampling;
	struct rng rng;
	struct raw_value *rows; /**< [n_rows], one text each */
	struct str *text;	/**< [n_rows]: what was made */
	size_t *n_tokens;	/**< [n_rows] */
	size_t n_rows, row;
	struct arena *scratch; /**< of one run */
	struct buf made;       /**< of the row under way */
	int64_t *token;	       /**< its text's, then the last one made */
	size_t n_given, at;
	float *state;
	size_t state_bytes;
	void (*cleanup)(struct api_request *request);
};

/** Keeps copies of the rows' first values for it: codec_encode_rows() of a
 * language model. The texts are borrowed until the request is answered. */
MUST_USE enum err_code generation_begin(struct inference *inference,
					const struct raw_value *const *rows,
					size_t n, struct err *err);
/** inference_run() of it. */
MUST_USE enum err_code generation_run(struct generation *generation,
				      api_handler *answer, struct err *err);
/** Answers with the first row's text as server-sent events, as it comes. */
MUST_USE enum err_code generation_stream(struct generation *generation,
					 struct err *err);
/** A list of {"text", "tokens"}, one a row, under key. */
void generation_write(const struct generation *generation,
		      struct json_writer *writer, const char *key);

#endif
