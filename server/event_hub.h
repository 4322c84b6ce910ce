/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Event hub: the events of jobs, to those who listen.
 *
 * A stream reads events from the store, from the number after the one that the
 * client had last, so nothing is lost or said twice, whoever dies in between;
 * the hub only wakes streams when there is something to read, and every 15 s
 * so that dead connections are noticed.
 *
 * Ownership: create/destroy; a stream belongs to its request.
 * Threads:   any.
 * Limits:    EVENT_HUB_STREAMS at once: ERR_BUSY beyond.
 */
#ifndef SERVER_EVENT_HUB_H
#define SERVER_EVENT_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { EVENT_HUB_STREAMS = 256 };

struct api_request;
struct event_hub;
struct store;

MUST_USE enum err_code event_hub_create(struct store *store,
					struct event_hub **ret_hub,
					struct err *err);
/** No stream may be open. NULL is fine. */
void event_hub_destroy(struct event_hub *hub);
/** Ends every stream after what it has to say. */
void event_hub_stop(struct event_hub *hub);
/** Something happened to the job. */
void event_hub_announce(struct event_hub *hub, const char *job_id);

/** Answers with the job's events with numbers above `after`, until the job is
 * over; as server-sent events, or as lines of JSON. */
MUST_USE enum err_code event_hub_answer(struct event_hub *hub,
					struct api_request *request,
					const char *job_id, int64_t after,
					bool is_ndjson, struct err *err);

#endif
