/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Response cache: answers to inputs that come again.
 *
 * Requests are told apart by 128 bits of the model, its wanted outputs and the
 * bytes of its inputs (base/fingerprint.h), under a key of the process: nobody
 * outside can make two that agree.
 *
 * Ownership: create/destroy; what is found is copied into the caller's arena.
 * Threads:   any.
 * Limits:    max_bytes together, those not asked for longest go first; an
 *            answer of more than an eighth of that is not kept.
 */
#ifndef SERVER_RESPONSE_CACHE_H
#define SERVER_RESPONSE_CACHE_H

#include "base/arena.h"
#include "base/fingerprint.h"
#include "engine/tensor.h"

struct response_cache;

/** What an answer is an answer to. */
struct response_question {
	uint64_t model; /**< one loaded version has one number */
	unsigned n_inputs, n_outputs;
	const struct tensor_view *input;
	const bool *is_wanted; /**< by output; NULL: all */
};

MUST_USE enum err_code response_cache_create(size_t max_bytes,
					     struct response_cache **ret_cache,
					     struct err *err);
/** NULL is fine. */
void response_cache_destroy(struct response_cache *cache);
struct fingerprint response_cache_key(const struct response_cache *cache,
				      const struct response_question *question);
/** True: output[] is filled, its bytes are in the arena. */
bool response_cache_find(struct response_cache *cache, struct fingerprint key,
			 struct arena *arena, struct tensor_view *output,
			 unsigned n_outputs);
/** data NULL: an output that is not wanted. Where there is no memory nothing is
 * kept. */
void response_cache_keep(struct response_cache *cache, struct fingerprint key,
			 uint64_t model, const struct tensor_view *output,
			 unsigned n_outputs);
/** Forgets the answers of a model that has gone. */
void response_cache_forget(struct response_cache *cache, uint64_t model);
size_t response_cache_bytes(struct response_cache *cache);

#endif
