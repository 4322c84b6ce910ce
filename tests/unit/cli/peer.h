/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Peer: a server on loopback that says what a test tells it to.
 *
 * Connections are taken one after the other, a step each: the request is read
 * whole and kept, the step's bytes are sent, the connection is closed.
 *
 * Ownership: start/stop. Threads: one of its own.
 * Limits:    PEER_STEPS steps, requests of 64 KiB.
 */
#ifndef TESTS_UNIT_CLI_PEER_H
#define TESTS_UNIT_CLI_PEER_H

#include <pthread.h>

#include "base/buf.h"

enum { PEER_STEPS = 16 };

struct peer_step {
	const char *answer; /**< all bytes of it; NULL: keep silent */
	int hold_ms;	    /**< before the connection is closed */
	int kill_pid;	    /**< gets SIGINT before the close; 0: nobody */
};

struct peer {
	struct peer_step step[PEER_STEPS]; /* the caller's may end before */
	int n_steps, n_taken;
	struct buf request[PEER_STEPS];
	char url[64];
	int fd;
	pthread_t thread;
};

void peer_start(struct peer *peer, const struct peer_step *steps, int n_steps);
/** Waits until every step was taken (or 5 s), then frees all. */
void peer_wait(struct peer *peer);
void peer_stop(struct peer *peer);

/** A whole answer with that status line's rest, type and body, in static
 * memory that the next PEER_STEPS calls leave alone. */
const char *peer_answer(const char *status, const char *type, const char *body);

#endif
