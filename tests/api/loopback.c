/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/loopback.h"

#include <strings.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/auth.h"
#include "server/metrics.h"
#include "server/response_cache.h"
#include "server/route.h"
#include "server/trace.h"
#include "tests/unit/models/make_onnx.h"

enum { MAX_BODY = 8 << 20, WAIT_S = 20 };

/* --- models --- */

static void put(struct loopback *l, const char *name, int64_t version,
		struct make *m)
{
	char path[128];

	make_end(m);
	make_note(m, "made for", name);
	(void)snprintf(path, sizeof(path), "%s/%lld", name, (long long)version);
	scratch_dir(&l->scratch, path);
	(void)snprintf(path, sizeof(path), "%s/%lld/model.onnx", name,
		       (long long)version);
	scratch_file(&l->scratch, path, m->buf.data, m->buf.len);
	make_finish(m);
}

void loopback_put_linear(struct loopback *l, int64_t version)
{
	struct make m;
	float w[12];

	for (int i = 0; i < 12; i++)
		w[i] = (float)version * (float)(i + 1);
	make_begin(&m, 8, 17);
	make_node(&m, "MatMul", "x w", "y");
	make_floats(&m, "w", "4 3", w, 12);
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "n 4");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "n 3");
	put(l, "linear", version, &m);
}

static void put_others(struct loopback *l)
{
	struct make m;

	make_begin(&m, 8, 17);
	make_node(&m, "Add", "a b", "s");
	make_node(&m, "Sub", "a b", "d");
	make_port(&m, MAKE_INPUT, "a", DTYPE_I64, "n 2");
	make_port(&m, MAKE_INPUT, "b", DTYPE_I64, "n 2");
	make_port(&m, MAKE_OUTPUT, "s", DTYPE_I64, "n 2");
	make_port(&m, MAKE_OUTPUT, "d", DTYPE_I64, "n 2");
	put(l, "add", 1, &m);
	make_begin(&m, 8, 17);
	make_node(&m, "Identity", "t", "u");
	make_port(&m, MAKE_INPUT, "t", DTYPE_STRING, "n");
	make_port(&m, MAKE_OUTPUT, "u", DTYPE_STRING, "n");
	put(l, "text", 1, &m);
	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x x", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F16, "n 4");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F16, "n 4");
	put(l, "half", 1, &m);
	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x x", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "2 2");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "2 2");
	put(l, "fixed", 1, &m);
	scratch_dir(&l->scratch, "broken/1");
	scratch_file(&l->scratch, "broken/1/model.onnx", "\x08\x07not a model",
		     13);
}

/* --- the transport --- */

static struct loopback *loopback_of(struct api_request *request)
{
	return (struct loopback *)(void *)((char *)request -
					   offsetof(struct loopback, request));
}

static void finish(struct api_request *request)
{
	struct loopback *l = loopback_of(request);

	(void)pthread_mutex_lock(&l->lock);
	l->is_done = true;
	(void)pthread_cond_signal(&l->done);
	(void)pthread_mutex_unlock(&l->lock);
}

static void wake(struct api_request *request)
{
	(void)request;
}

static const struct api_transport transport = { .finish = finish,
						.wake = wake };

static void wait_done(struct loopback *l)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&l->lock);
	while (!l->is_done)
		cr_assert_eq(pthread_cond_timedwait(&l->done, &l->lock, &until),
			     0, "the request was not finished");
	l->is_done = false;
	(void)pthread_mutex_unlock(&l->lock);
}

/* --- questions --- */

void loopback_header(struct loopback *l, const char *name, const char *value)
{
	l->header[l->request.n_headers++] = (struct http_pair){ name, value };
}

/* Splits "?a=b&c=d" off the path; texts live in the arena. */
static char *split_query(struct loopback *l, const char *path)
{
	struct api_request *request = &l->request;
	char *copy = arena_strdup(request->arena, path);
	char *at = strchr(copy, '?');

	while (at) {
		char *name = at + 1, *value;

		*at = '\0';
		at = strchr(name, '&');
		value = strchr(name, '=');
		if (value)
			*value++ = '\0';
		l->query[request->n_query++] =
		    (struct http_pair){ name, value };
	}
	return copy;
}

static void reset(struct loopback *l)
{
	struct api_request *request = &l->request;

	buf_reset(&request->response.body);
	request->response =
	    (struct api_response){ .body = request->response.body };
	request->n_query = request->held_bytes = 0;
	request->route = NULL;
	request->then = NULL;
	request->state = NULL;
	request->cleanup = NULL;
	request->demanded = request->demanded_version = NULL;
	request->granted = NULL;
	request->has_demanded = request->is_demanding = false;
	request->is_admitted = false;
	request->retry_s = 0;
	request->code = ERR_NONE;
	request->is_suspended = request->is_counted = false;
	request->query = l->query;
	request->headers = l->header;
	request->served = (struct api_served){ .n_rows = 0 };
	memset(request->param, 0, sizeof(request->param));
	arena_reset(request->arena);
	(void)snprintf(request->id, sizeof(request->id), "test-1");
	request->start_ns = clock_monotonic_ns();
}

static void dispatch(struct loopback *l)
{
	struct api_request *request = &l->request;
	struct err err;

	if (url_parse(request->path, request->arena, &request->url, &err) ||
	    server_begin(&l->context, request, &err)) {
		if (!request->response.status)
			api_answer_error(request, &err);
	} else if (request->body_len > request->body_max) {
		(void)err_set(&err, ERR_TOO_LARGE, "too large");
		api_answer_error(request, &err);
	} else {
		server_dispatch(request);
		while (request->is_suspended) {
			wait_done(l);
			server_dispatch(request);
		}
	}
	server_end(request);
	limit_give(&l->context.limit, request->held_bytes);
}

void loopback_ask(struct loopback *l, const char *method, const char *path,
		  const void *body, size_t len)
{
	struct api_request *request = &l->request;
	char *copy;

	reset(l);
	copy = mem_alloc(len + 1);
	memcpy(copy, body, len);
	copy[len] = '\0';
	request->method = method;
	request->path = split_query(l, path);
	request->body = copy;
	request->body_len = len;
	metrics_begin(l->context.metrics);
	dispatch(l);
	/* an answer that borrowed from the body would be seen to */
	mem_free(copy);
	l->status = request->response.status;
	l->body = request->response.body.len ? request->response.body.data : "";
	l->len = request->response.body.len;
	request->n_headers = 0;
}

void loopback_get(struct loopback *l, const char *path)
{
	loopback_ask(l, "GET", path, "", 0);
}

void loopback_post(struct loopback *l, const char *path, const char *body)
{
	loopback_ask(l, "POST", path, body, strlen(body));
}

const char *loopback_answer_header(const struct loopback *l, const char *name)
{
	const struct api_response *response = &l->request.response;

	for (unsigned i = 0; i < response->n_extra; i++)
		if (strcasecmp(response->extra[i].name, name) == 0)
			return response->extra[i].value;
	return NULL;
}

void loopback_expect_error(const struct loopback *l, int status,
			   const char *word)
{
	struct arena *arena = arena_create(1 << 20);
	struct doc *doc = NULL;
	struct err err;

	cr_assert_eq(l->status, status, "%d: %s", l->status, l->body);
	cr_assert_eq(
	    doc_parse_json(l->body, l->len, "answer", arena, &doc, &err),
	    ERR_NONE, "%s", l->body);
	cr_assert_eq(doc_find(doc, "error")->kind, DOC_STRING);
	cr_assert_eq(doc_find(doc, "code")->kind, DOC_STRING);
	cr_assert_str_eq(doc_find(doc, "request_id")->text, "test-1");
	cr_assert(strstr(doc_find(doc, "error")->text, word), "'%s' in %s",
		  word, l->body);
	arena_destroy(arena);
}

/* --- birth and death --- */

static void make_context(struct loopback *l, struct model_cache_options models)
{
	const char *dirs[] = { l->scratch.path };
	const struct repository_options repository = { dirs, 1, NULL };
	struct api_context *context = &l->context;
	struct err err;
	enum err_code rc;

	rc = repository_create(&repository, &l->repository, &err);
	cr_assert_eq(rc, ERR_NONE, "%s", err.msg);
	models.repository = l->repository;
	models.serving = &l->serving;
	l->serving.threads = 2;
	rc = run_pool_create(2, "run", &l->serving.runners, &err);
	if (!rc)
		rc = run_pool_create(1, "timer", &l->serving.timer, &err);
	if (!rc)
		rc = run_pool_create(1, "background", &context->background,
				     &err);
	if (!rc)
		rc = response_cache_create(1 << 20, &l->serving.cache, &err);
	if (!rc)
		rc = model_cache_create(&models, &context->models, &err);
	if (!rc)
		rc = metrics_create(&context->metrics, &err);
	if (!rc)
		rc = trace_create(&context->trace, &err);
	if (!rc)
		rc = auth_create(NULL, "", &context->auth, &err);
	cr_assert_eq(rc, ERR_NONE, "%s", err.msg);
	limit_init(&context->limit, (size_t)1 << 30);
	context->max_body = MAX_BODY;
	context->deadline_ms = 10000;
	atomic_store(&context->is_ready, true);
}

void loopback_begin(struct loopback *l)
{
	const struct model_cache_options models = { 0 };

	loopback_begin_with(l, &models);
}

void loopback_begin_with(struct loopback *l,
			 const struct model_cache_options *models)
{
	struct err err;

	memset(l, 0, sizeof(*l));
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	doc_init();
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->done, NULL);
	scratch_begin(&l->scratch);
	loopback_put_linear(l, 1);
	loopback_put_linear(l, 2);
	put_others(l);
	make_context(l, *models);
	cr_assert_eq(model_cache_load_all(l->context.models, &err), ERR_NONE,
		     "%s", err.msg);
	l->request.arena = arena_create((size_t)256 << 20);
	l->request.transport = &transport;
	buf_init(&l->request.response.body, MAX_BODY);
}

void loopback_end(struct loopback *l)
{
	struct api_context *context = &l->context;

	cr_assert_eq(atomic_load(&context->limit.held_bytes), 0);
	cr_assert_eq(metrics_in_flight(context->metrics), 0);
	model_cache_stop(context->models);
	run_pool_destroy(context->background);
	run_pool_destroy(l->serving.runners);
	run_pool_destroy(l->serving.timer);
	model_cache_destroy(context->models);
	response_cache_destroy(l->serving.cache);
	metrics_destroy(context->metrics);
	trace_destroy(context->trace);
	auth_destroy(context->auth);
	repository_destroy(l->repository);
	buf_finish(&l->request.response.body);
	arena_destroy(l->request.arena);
	scratch_end(&l->scratch);
}
