/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api.h"

#include <strings.h>

#include "base/json_write.h"
#include "base/str.h"
#include "server/server_priv.h"

const char *api_header(const struct api_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (http_is_named(&request->headers[i], name))
			return request->headers[i].value
				   ? request->headers[i].value
				   : "";
	return NULL;
}

bool api_client_waits(const struct api_request *request)
{
	const char *expect = api_header(request, "Expect");

	return expect && strcasecmp(expect, "100-continue") == 0;
}

const char *api_query(const struct api_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_query; i++) {
		const char *value = request->query[i].value;
		const char *text;

		if (!str_equal(request->query[i].name, name))
			continue;
		if (!value)
			return "";
		if (url_decode(value, strlen(value), name, request->arena,
			       &text, NULL))
			return NULL;
		return text;
	}
	return NULL;
}

enum err_code api_hold(struct api_request *request, size_t bytes,
		       struct err *err)
{
	enum err_code rc = limit_take(&request->context->limit, bytes, err);

	if (!rc)
		request->held_bytes += bytes;
	return rc;
}

void api_answer_empty(struct api_request *request, int status)
{
	request->response.status = status;
	request->response.content_type = NULL;
	buf_reset(&request->response.body);
}

void api_answer_json(struct api_request *request, int status,
		     struct json_writer *ret_writer)
{
	request->response.status = status;
	request->response.content_type = "application/json";
	buf_reset(&request->response.body);
	json_write_init(ret_writer, &request->response.body);
}

void api_answer_header(struct api_request *request, const char *name,
		       const char *value)
{
	struct api_response *response = &request->response;

	if (response->n_extra < API_EXTRA_MAX)
		response->extra[response->n_extra++] =
		    (struct http_pair){ name, value };
}

/* Between 1 and 3 seconds, spread by the request's id, so that refused clients
 * do not all come back at once. */
static const char *retry_after(struct api_request *request)
{
	static const char *const seconds[] = { "1", "2", "3" };
	unsigned sum = 0;

	if (request->retry_s)
		return arena_printf(request->arena, "%lld",
				    (long long)request->retry_s);
	for (const char *c = request->id; *c; c++)
		sum = sum * 31 + (unsigned char)*c;
	return seconds[sum % 3];
}

void api_answer_error(struct api_request *request, const struct err *err)
{
	struct api_response *response = &request->response;
	const int status = err_http(err->code);
	struct json_writer writer;

	request->code = err->code;
	response->n_extra = 0;
	response->stream = (struct api_stream){ 0 };
	api_answer_json(request, status, &writer);
	json_write_object(&writer, NULL);
	json_write_string(&writer, "error", err->msg);
	json_write_string(&writer, "code", err_wire(err->code));
	json_write_string(&writer, "request_id", request->id);
	json_write_object_end(&writer);
	if (status == 503 || status == 429)
		api_answer_header(request, "Retry-After", retry_after(request));
	if (status == 401)
		api_answer_header(request, "WWW-Authenticate",
				  "Bearer realm=\"predictd\"");
	if (status == 415)
		api_answer_header(request, "Accept-Encoding", "gzip, deflate");
}

void api_suspend(struct api_request *request, api_handler *then)
{
	request->is_suspended = true;
	request->then = then;
}

void api_finish(struct api_request *request)
{
	request->transport->finish(request);
}

void api_wake(struct api_request *request)
{
	request->transport->wake(request);
}
