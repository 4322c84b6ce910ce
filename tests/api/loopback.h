/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loopback: asks the server's handlers without a socket.
 *
 *	struct loopback l;
 *
 *	loopback_begin(&l);
 *	loopback_post(&l, "/v2/models/linear/infer", "{...}");
 *	cr_assert_eq(l.status, 200);
 *	loopback_end(&l);
 *
 * Models: "linear" 1 and 2 (y = x * w, float [n,4] to [n,3], w scaled by the
 * version), "add" (int64 [n,2] twice to s and d), "text" (strings through),
 * "half" (float16), "fixed" (float [2,2], does not batch), "broken" (no model).
 *
 * Ownership: the answer is good until the next question.
 * Threads:   one at a time.
 */
#ifndef TESTS_API_LOOPBACK_H
#define TESTS_API_LOOPBACK_H

#include <pthread.h>

#include "server/model_cache.h"
#include "server/server_priv.h"
#include "tests/unit/models/scratch.h"

enum { LOOPBACK_HEADERS = 8 };

struct loopback {
	struct scratch scratch;
	struct repository *repository;
	struct serving serving;
	struct api_context context;
	struct api_request request;
	struct http_pair header[LOOPBACK_HEADERS], query[LOOPBACK_HEADERS];
	pthread_mutex_t lock; /* guards is_done */
	pthread_cond_t done;
	bool is_done;

	int status; /**< of the last answer */
	const char *body;
	size_t len;
};

void loopback_begin(struct loopback *l);
/** repository and serving of the options are filled in. */
void loopback_begin_with(struct loopback *l,
			 const struct model_cache_options *models);
void loopback_end(struct loopback *l);
/** Adds a header to the next question. */
void loopback_header(struct loopback *l, const char *name, const char *value);
void loopback_get(struct loopback *l, const char *path);
void loopback_post(struct loopback *l, const char *path, const char *body);
void loopback_ask(struct loopback *l, const char *method, const char *path,
		  const void *body, size_t len);
/** A header of the answer, or NULL. */
const char *loopback_answer_header(const struct loopback *l, const char *name);
/** Fails the test unless the last answer is that error with that word. */
void loopback_expect_error(const struct loopback *l, int status,
			   const char *word);
/** Writes linear/VERSION/model.onnx. */
void loopback_put_linear(struct loopback *l, int64_t version);

#endif
