/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sequences: state that a model carries from one request of a client to the
 * next.
 *
 * config.yaml says which output becomes which input of the next request:
 *
 *	sequence:
 *	  state: {state: stateN}   # input: output
 *	  idle_timeout: 60s
 *	  max: 1024
 *
 * A sequence begins with zeros, where a request says so, and ends where one
 * says so, or when nobody asked for idle_timeout. One request of a sequence is
 * under way at a time.
 *
 * Ownership: counted; versions of a model share them where their states are of
 *            the same kind. What enter gives belongs to the request until it
 *            leaves.
 * Threads:   any.
 * Limits:    max sequences (ERR_BUSY); ids of 128 bytes.
 */
#ifndef SERVER_SEQUENCES_H
#define SERVER_SEQUENCES_H

#include "models/signature.h"

struct arena;
struct doc;

enum { SEQUENCE_STATES = 16, SEQUENCE_ID_MAX = 128 };

struct sequence;
struct sequences;

/** An input and the output that it is in the next request. */
struct sequence_port {
	unsigned input, output;
};

/** config: the map above. `name` of the model is copied. */
MUST_USE enum err_code sequences_create(const struct model_signature *signature,
					const struct doc *config,
					const char *name,
					struct sequences **ret_sequences,
					struct err *err);
struct sequences *sequences_ref(struct sequences *sequences);
/** NULL is fine. */
void sequences_unref(struct sequences *sequences);
/** Do two models carry the same states? */
bool sequences_alike(const struct sequences *a, const struct sequences *b);
/** From now on idle_timeout and max are those of `terms`. */
void sequences_adopt(struct sequences *sequences, struct sequences *terms);

unsigned sequences_n_states(const struct sequences *sequences);
struct sequence_port sequences_port(const struct sequences *sequences,
				    unsigned k);
/** How long one lasts when nobody asks, and how many there may be. */
int64_t sequences_idle_ns(struct sequences *sequences);
size_t sequences_max(struct sequences *sequences);

/** is_start: anew. ERR_INVALID when it was not started, ERR_CONFLICT while
 * another request is under way. */
MUST_USE enum err_code sequences_enter(struct sequences *sequences,
				       struct str id, bool is_start,
				       struct sequence **ret_sequence,
				       struct err *err);
/** State k as the last request left it; data NULL at the start. */
const struct tensor_view *sequence_state(const struct sequence *sequence,
					 unsigned k);
/** Copies a new state; the old one stays when there is no memory. */
MUST_USE enum err_code sequence_keep(struct sequence *sequence, unsigned k,
				     const struct tensor_view *view,
				     struct err *err);
void sequences_leave(struct sequences *sequences, struct sequence *sequence,
		     bool is_end);
/** How many there are, after those that were idle too long have gone. */
size_t sequences_count(struct sequences *sequences);

#endif
