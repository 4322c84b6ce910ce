/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Generation, as it comes: an event of text for each token or more.
 *
 * The client's connection asks for the next event; where a run is under way
 * there is none, and its end wakes the connection. Runs go on while the client
 * reads, never more than one ahead.
 */
#include <pthread.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/generation_priv.h"

enum { EVENT_BYTES_MAX = 1 << 20 };

struct stream {
	struct generation *generation;
	struct api_request *request;
	void (*cleanup)(struct api_request *request);
	struct buf event;
	size_t sent; /* of the event */
	size_t told; /* of the text */
	bool is_over;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t idle;
	bool is_running, has_run;
};

/* How much of the text may be told: what could be the beginning of what must
 * not be made waits. */
static size_t tellable(const struct generation *g)
{
	const size_t held = g->sampling.stop.len ? g->sampling.stop.len - 1 : 0;

	return g->made.len < held
		   ? 0
		   : str_utf8_cut(g->made.data ? g->made.data : "", g->made.len,
				  g->made.len - held);
}

static void write_event(struct stream *stream, const char *text, size_t len,
			bool is_last)
{
	const struct inference *inference = stream->generation->inference;
	struct json_writer w;

	buf_puts(&stream->event, "data: ");
	json_write_init(&w, &stream->event);
	json_write_object(&w, NULL);
	if (inference->id.bytes)
		json_write_strn(&w, "id", inference->id.bytes,
				inference->id.len);
	json_write_string(&w, "model_name", inference->model->package->name);
	json_write_string(&w, "model_version", inference->model->version);
	json_write_strn(&w, "text_output", text, len);
	if (is_last)
		json_write_uint(&w, "tokens", stream->generation->n_tokens[0]);
	json_write_object_end(&w);
	buf_puts(&stream->event, "\n\n");
}

static void write_failure(struct stream *stream, const struct err *err)
{
	struct json_writer w;

	buf_puts(&stream->event, "data: ");
	json_write_init(&w, &stream->event);
	json_write_object(&w, NULL);
	json_write_string(&w, "error", err->msg);
	json_write_object_end(&w);
	buf_puts(&stream->event, "\n\n");
	stream->is_over = true;
}

/* What a run has made, or the end. */
static void tell(struct stream *stream)
{
	const struct generation *g = stream->generation;
	size_t most;

	if (g->row == g->n_rows) {
		const struct str *text = &g->text[0];

		write_event(stream, text->bytes + stream->told,
			    text->len - stream->told, true);
		stream->is_over = true;
		return;
	}
	most = tellable(g);
	if (most > stream->told)
		write_event(stream, g->made.data + stream->told,
			    most - stream->told, false);
	stream->told = most > stream->told ? most : stream->told;
}

/* On another thread. The lock keeps the request alive: close() waits for it. */
static void run_ended(struct infer_call *call)
{
	struct stream *stream = call->data;

	(void)pthread_mutex_lock(&stream->lock);
	stream->is_running = false;
	stream->has_run = true;
	api_wake(stream->request);
	(void)pthread_cond_signal(&stream->idle);
	(void)pthread_mutex_unlock(&stream->lock);
}

static enum err_code run_next(struct stream *stream, struct err *err)
{
	struct generation *g = stream->generation;
	enum err_code rc;

	generation_give(g);
	(void)pthread_mutex_lock(&stream->lock);
	stream->is_running = true;
	stream->has_run = false;
	(void)pthread_mutex_unlock(&stream->lock);
	rc = inference_submit(g->inference, g->scratch, run_ended, stream, err);
	if (rc) {
		(void)pthread_mutex_lock(&stream->lock);
		stream->is_running = false;
		(void)pthread_mutex_unlock(&stream->lock);
	}
	return rc;
}

/* Takes what a run left, tells it, and begins the next one. */
static void advance(struct stream *stream, bool has_run)
{
	struct infer_call *call = &stream->generation->inference->call;
	struct err err = { 0 };
	enum err_code rc = ERR_NONE;

	if (has_run && call->rc) {
		write_failure(stream, &call->err);
		return;
	}
	if (has_run)
		rc = generation_take(stream->generation, &err);
	if (!rc)
		tell(stream);
	if (!rc && !stream->is_over)
		rc = run_next(stream, &err);
	if (rc)
		write_failure(stream, &err);
}

static long stream_read(void *data, char *to, size_t max)
{
	struct stream *stream = data;
	size_t left = stream->event.len - stream->sent;
	bool is_running, has_run;

	if (!left && !stream->is_over) {
		(void)pthread_mutex_lock(&stream->lock);
		is_running = stream->is_running;
		has_run = stream->has_run;
		(void)pthread_mutex_unlock(&stream->lock);
		if (is_running)
			return 0;
		buf_reset(&stream->event);
		stream->sent = 0;
		advance(stream, has_run);
		left = stream->event.len;
	}
	if (!left)
		return stream->is_over ? -1 : 0;
	if (left > max)
		left = max;
	memcpy(to, stream->event.data + stream->sent, left);
	stream->sent += left;
	return (long)left;
}

static void stream_close(void *data)
{
	struct stream *stream = data;

	(void)pthread_mutex_lock(&stream->lock);
	while (stream->is_running)
		(void)pthread_cond_wait(&stream->idle, &stream->lock);
	(void)pthread_mutex_unlock(&stream->lock);
	(void)pthread_cond_destroy(&stream->idle);
	(void)pthread_mutex_destroy(&stream->lock);
	buf_finish(&stream->event);
	stream->cleanup(stream->request);
	mem_free(stream);
}

enum err_code generation_stream(struct generation *generation, struct err *err)
{
	struct api_request *request = generation->inference->request;
	struct api_response *response = &request->response;
	struct stream *stream;
	enum err_code rc = generation_start(generation, err);

	if (rc)
		return rc;
	stream = mem_zero(sizeof(*stream));
	if (!stream)
		return err_set(err, ERR_NO_MEMORY, "stream: out of memory");
	stream->generation = generation;
	stream->request = request;
	(void)pthread_mutex_init(&stream->lock, NULL);
	(void)pthread_cond_init(&stream->idle, NULL);
	buf_init(&stream->event, EVENT_BYTES_MAX);
	/* what the handler holds is the stream's from here on */
	stream->cleanup = request->cleanup;
	request->cleanup = NULL;
	response->status = 200;
	response->content_type = "text/event-stream; charset=utf-8";
	response->stream = (struct api_stream){ .read = stream_read,
						.close = stream_close,
						.data = stream };
	api_answer_header(request, "Cache-Control", "no-cache");
	return ERR_NONE;
}
