/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Peer: a server on a port of its own, and raw bytes to it.
 *
 * Ownership: begin/end; sockets are the test's.
 * Threads:   dial, say and hear from any thread.
 */
#ifndef TESTS_API_PEER_H
#define TESTS_API_PEER_H

#include "models/repository.h"
#include "server/server.h"
#include "tests/api/loopback.h"

enum { PEER_ANSWER = 64 << 10, PEER_WAIT_MS = 8000 };

struct peer {
	struct scratch scratch;
	struct repository *repository;
	struct server *server;
};

/** Time limits of seconds. */
extern const struct server_options peer_usual;

/** A server of two threads without a model. */
void peer_begin(struct peer *peer, struct server_options options);
void peer_end(struct peer *peer);
/** Loads the model that loopback_put_linear() makes. */
void peer_load_linear(struct peer *peer, const char *config);
/** What that model's batcher tells behind a key, written as in its page. */
long peer_batcher(const struct peer *peer, const char *key);

int peer_dial(const struct peer *peer);
void peer_say_bytes(int fd, const char *bytes, size_t len);
void peer_say(int fd, const char *text);
/** Adds what comes to `answer` [PEER_ANSWER] until the peer closes, or nothing
 * comes for ms; true when it closed. */
bool peer_hear(int fd, char *answer, int ms);
/** Of the first answer; 0: there is none. */
int peer_status(const char *answer);

#endif
