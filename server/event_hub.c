/* SPDX-License-Identifier: Apache-2.0 */
#include "server/event_hub.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/api.h"
#include "store/store.h"
#include "training/job.h"

enum { JOB_ID_MAX = 64, PAGE = 64, PENDING_MAX = 64 << 20 };
enum { HEARTBEAT_S = 15 };

struct stream {
	struct event_hub *hub;
	struct api_request *request;
	char job_id[JOB_ID_MAX];
	bool is_ndjson;
	int64_t last;	    /* number of the last event read */
	struct buf pending; /* text that is not sent yet */
	size_t sent;
	bool is_over;
	bool beats; /* a sign of life is due; guarded by the hub's lock */
	struct stream *next;
};

struct event_hub {
	struct store *store;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct stream *first;
	unsigned n;
	bool stop;
};

/* --- one stream --- */

static void put_event(struct stream *stream, const struct store_event *event)
{
	struct buf *to = &stream->pending;

	if (stream->is_ndjson) {
		/* {"seq":1,"time_ms":..,"type":.. : the rest is the event's */
		buf_printf(to, "{\"seq\":%lld,\"time_ms\":%lld,%s\n",
			   (long long)event->seq, (long long)event->time_ms,
			   event->json + 1);
		return;
	}
	buf_printf(to, "id: %lld\nevent: %s\ndata: ", (long long)event->seq,
		   event->type);
	buf_puts(to, event->json);
	buf_puts(to, "\n\n");
}

static bool is_job_over(struct store *store, const char *id,
			struct arena *arena)
{
	struct store_job job;

	return store_job_find(store, id, arena, &job, NULL) ||
	       job_state_is_over(job_state_find(job.state));
}

/* Fills pending from the store. The state is read before the events: so what
 * is missing then was written after, and the job is not over. */
static void refill(struct stream *stream)
{
	struct store *store = stream->hub->store;
	struct arena *arena = arena_create(PENDING_MAX);
	const struct store_event_query query = { .job = stream->job_id,
						 .after = stream->last,
						 .limit = PAGE };
	struct store_events events = { 0 };
	bool is_over;

	buf_reset(&stream->pending);
	stream->sent = 0;
	if (!arena)
		return;
	is_over = is_job_over(store, stream->job_id, arena);
	if (store_event_list(store, &query, arena, &events, NULL))
		events.n = 0;
	for (size_t i = 0; i < events.n; i++) {
		put_event(stream, &events.event[i]);
		stream->last = events.event[i].seq;
	}
	if (events.n == 0 && is_over)
		stream->is_over = true;
	arena_destroy(arena);
}

static void add_heartbeat(struct stream *stream)
{
	struct event_hub *hub = stream->hub;
	bool beats;

	(void)pthread_mutex_lock(&hub->lock);
	beats = stream->beats;
	stream->beats = false;
	if (hub->stop)
		stream->is_over = true;
	(void)pthread_mutex_unlock(&hub->lock);
	if (beats && !stream->is_over)
		buf_puts(&stream->pending, stream->is_ndjson ? "\n" : ":\n\n");
}

static long stream_read(void *data, char *to, size_t max)
{
	struct stream *stream = data;
	size_t left = stream->pending.len - stream->sent;

	if (!left) {
		refill(stream);
		if (!stream->pending.len)
			add_heartbeat(stream);
		left = stream->pending.len;
	}
	if (!left)
		return stream->is_over ? -1 : 0;
	if (left > max)
		left = max;
	memcpy(to, stream->pending.data + stream->sent, left);
	stream->sent += left;
	return (long)left;
}

static void stream_close(void *data)
{
	struct stream *stream = data;
	struct event_hub *hub = stream->hub;

	(void)pthread_mutex_lock(&hub->lock);
	for (struct stream **at = &hub->first; *at; at = &(*at)->next) {
		if (*at == stream) {
			*at = stream->next;
			hub->n--;
			break;
		}
	}
	(void)pthread_mutex_unlock(&hub->lock);
	buf_finish(&stream->pending);
	mem_free(stream);
}

static enum err_code add_stream(struct event_hub *hub, struct stream *stream,
				struct err *err)
{
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&hub->lock);
	if (hub->n >= EVENT_HUB_STREAMS) {
		rc = err_set(err, ERR_BUSY,
			     "%d clients follow jobs already; try again later",
			     (int)EVENT_HUB_STREAMS);
	} else {
		stream->next = hub->first;
		hub->first = stream;
		hub->n++;
	}
	(void)pthread_mutex_unlock(&hub->lock);
	return rc;
}

enum err_code event_hub_answer(struct event_hub *hub,
			       struct api_request *request, const char *job_id,
			       int64_t after, bool is_ndjson, struct err *err)
{
	struct stream *stream = mem_zero(sizeof(*stream));
	struct api_response *response = &request->response;
	enum err_code rc;

	if (!stream)
		return err_set(err, ERR_NO_MEMORY, "events: out of memory");
	stream->hub = hub;
	stream->request = request;
	stream->last = after;
	stream->is_ndjson = is_ndjson;
	(void)str_copy(stream->job_id, sizeof(stream->job_id), job_id);
	buf_init(&stream->pending, PENDING_MAX);
	rc = add_stream(hub, stream, err);
	if (rc) {
		mem_free(stream);
		return rc;
	}
	response->status = 200;
	response->content_type = is_ndjson ? "application/x-ndjson"
					   : "text/event-stream; charset=utf-8";
	response->stream = (struct api_stream){ .read = stream_read,
						.close = stream_close,
						.data = stream };
	api_answer_header(request, "Cache-Control", "no-store");
	return ERR_NONE;
}

/* --- the hub --- */

/* Under the lock, which also keeps the requests alive: close() takes it. */
static void wake_all(struct event_hub *hub, const char *job_id, bool beats)
{
	for (struct stream *s = hub->first; s; s = s->next) {
		if (job_id && !str_equal(s->job_id, job_id))
			continue;
		s->beats = s->beats || beats;
		api_wake(s->request);
	}
}

void event_hub_announce(struct event_hub *hub, const char *job_id)
{
	(void)pthread_mutex_lock(&hub->lock);
	wake_all(hub, job_id, false);
	(void)pthread_mutex_unlock(&hub->lock);
}

static void *hub_main(void *arg)
{
	struct event_hub *hub = arg;

	(void)pthread_setname_np(pthread_self(), "event-hub");
	(void)pthread_mutex_lock(&hub->lock);
	while (!hub->stop) {
		struct timespec until;

		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += HEARTBEAT_S;
		if (pthread_cond_timedwait(&hub->changed, &hub->lock, &until))
			wake_all(hub, NULL, true);
	}
	(void)pthread_mutex_unlock(&hub->lock);
	return NULL;
}

enum err_code event_hub_create(struct store *store, struct event_hub **ret_hub,
			       struct err *err)
{
	struct event_hub *hub = mem_zero(sizeof(*hub));
	pthread_condattr_t attr;

	if (!hub)
		return err_set(err, ERR_NO_MEMORY, "events: out of memory");
	hub->store = store;
	(void)pthread_mutex_init(&hub->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&hub->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (pthread_create(&hub->thread, NULL, hub_main, hub)) {
		event_hub_destroy(hub);
		return err_set(err, ERR_NO_MEMORY, "events: no thread");
	}
	hub->has_thread = true;
	*ret_hub = hub;
	return ERR_NONE;
}

void event_hub_stop(struct event_hub *hub)
{
	(void)pthread_mutex_lock(&hub->lock);
	hub->stop = true;
	(void)pthread_cond_broadcast(&hub->changed);
	wake_all(hub, NULL, false);
	(void)pthread_mutex_unlock(&hub->lock);
}

void event_hub_destroy(struct event_hub *hub)
{
	if (!hub)
		return;
	event_hub_stop(hub);
	if (hub->has_thread)
		(void)pthread_join(hub->thread, NULL);
	(void)pthread_cond_destroy(&hub->changed);
	(void)pthread_mutex_destroy(&hub->lock);
	mem_free(hub);
}
