/* SPDX-License-Identifier: Apache-2.0 */
#include "server/access_log.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "server/route.h"

enum { NUMBER_TEXT = 24, FIELDS_MAX = 24, TEXT_SHOWN = 256 };

/* Fields of one line, and the room for their numbers. */
struct line {
	struct log_field field[FIELDS_MAX];
	char text[FIELDS_MAX][NUMBER_TEXT];
	size_t n;
};

static void put(struct line *line, const char *key, const char *value)
{
	if (value && *value)
		line->field[line->n++] = (struct log_field){ key, value };
}

static void put_number(struct line *line, const char *key, int64_t value)
{
	char *text = line->text[line->n];

	(void)snprintf(text, NUMBER_TEXT, "%" PRId64, value);
	put(line, key, text);
}

static void put_ms(struct line *line, const char *key, int64_t ns)
{
	char *text = line->text[line->n];

	(void)snprintf(text, NUMBER_TEXT, "%.3f", (double)ns * 1e-6);
	put(line, key, text);
}

/* Our own span in the caller's trace: made from the request's id, so that
 * both find each other. */
static void put_trace(struct line *line, const struct api_request *request)
{
	char *text = line->text[line->n];
	uint64_t hash;

	if (!*request->trace.trace)
		return;
	hash = hash_mix(HASH_BEGIN, request->id, strlen(request->id));
	(void)snprintf(text, NUMBER_TEXT, "%016" PRIx64, hash);
	put(line, "span_id", text);
	put(line, "trace_id", request->trace.trace);
	put(line, "parent_id", request->trace.parent);
}

/* The model that ran; of a request that came to none, the one it asked for. */
static void put_model(struct line *line, const struct api_request *request)
{
	const struct api_served *served = &request->served;
	const char *pattern = request->route ? request->route->pattern : "";

	if (served->model)
		put(line, "model", served->model);
	else if (strstr(pattern, "{model}"))
		put(line, "model", request->param[0]);
	if (served->version)
		put(line, "version", served->version);
	else if (strstr(pattern, "{version}") || strstr(pattern, "{label}"))
		put(line, "version", request->param[1]);
	if (!served->n_rows)
		return;
	put_number(line, "rows", served->n_rows);
	put_ms(line, "queue_ms", served->queue_ns);
	put_ms(line, "run_ms", served->run_ns);
}

/* What the client wrote, which may be any bytes, as ASCII and not without end;
 * NULL stays NULL. */
static const char *shown(const char *from, char to[TEXT_SHOWN])
{
	size_t n = 0;

	if (!from)
		return NULL;
	for (; from[n] && n + 1 < TEXT_SHOWN; n++)
		to[n] = (char)((unsigned char)from[n] < 0x80 ? from[n] : '?');
	to[n] = '\0';
	return to;
}

void access_log_write(enum access_log which, const struct api_request *request,
		      int status, int64_t ns)
{
	const struct route *route = request->route;
	struct line line = { .n = 0 };
	char path[TEXT_SHOWN], agent[TEXT_SHOWN];

	if (which == ACCESS_OFF || !log_is_on(LOG_LEVEL_INFO) ||
	    (which == ACCESS_FAILURES && status < 400))
		return;
	put(&line, "method", request->method);
	put(&line, "path", shown(request->path, path));
	put(&line, "route", route ? route->pattern : "");
	put_number(&line, "status", status);
	if (request->code)
		put(&line, "code", err_wire(request->code));
	put_ms(&line, "ms", ns);
	put_number(&line, "bytes_in", (int64_t)request->body_len);
	put_number(&line, "bytes_out", (int64_t)request->response.body.len);
	put(&line, "request_id", request->id);
	put(&line, "peer", request->peer);
	put(&line, "user_agent",
	    shown(api_header(request, "User-Agent"), agent));
	put_model(&line, request);
	put_trace(&line, request);
	log_event(LOG_LEVEL_INFO, "access", "request", line.field, line.n);
}
