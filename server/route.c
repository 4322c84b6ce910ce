/* SPDX-License-Identifier: Apache-2.0 */
#include "server/route.h"

#include "base/str.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"

static const struct route routes[] = {
#define ROUTE(method, pattern, handler, scope, body) \
	{ #method, pattern, handler, scope, body },
#include "server/routes.def"
#undef ROUTE
};

enum { N_ROUTES = sizeof(routes) / sizeof(*routes) };

size_t route_count(void)
{
	return N_ROUTES;
}

const struct route *route_at(size_t i)
{
	return i < N_ROUTES ? &routes[i] : NULL;
}

size_t route_number(const struct route *route)
{
	return (size_t)(route - routes);
}

/* One part of a pattern, of len bytes, against a segment; a brace takes what
 * stands before the literal rest of the part. */
static bool matches_part(const char *part, size_t len, const char *segment,
			 struct arena *arena, const char **ret_param)
{
	const char *close = *part == '{' ? memchr(part, '}', len) : NULL;
	const size_t n = strlen(segment);
	size_t rest;

	if (!close)
		return n == len && memcmp(part, segment, len) == 0;
	rest = len - (size_t)(close + 1 - part);
	if (n <= rest || memcmp(segment + n - rest, close + 1, rest) != 0)
		return false;
	*ret_param = rest ? arena_strndup(arena, segment, n - rest) : segment;
	return *ret_param != NULL;
}

static bool matches(const char *pattern, struct api_request *request)
{
	const struct url *url = &request->url;
	unsigned n_params = 0;

	for (unsigned i = 0; i < url->n; i++) {
		const char *param = NULL;
		size_t len;

		if (*pattern != '/')
			return false;
		len = strcspn(++pattern, "/");
		if (!matches_part(pattern, len, url->segment[i], request->arena,
				  &param))
			return false;
		if (param)
			request->param[n_params++] = param;
		pattern += len;
	}
	return !*pattern || (!url->n && str_equal(pattern, "/"));
}

static bool takes_method(const struct route *route, const char *method)
{
	return str_equal(route->method, method) ||
	       (str_equal(method, "HEAD") && str_equal(route->method, "GET"));
}

/* "GET, HEAD, POST": what the path could be asked with; NULL when nothing. */
static const char *allowed(struct api_request *request)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT",
					       "DELETE" };
	const char *list = NULL;

	for (size_t m = 0; m < sizeof(methods) / sizeof(*methods); m++) {
		size_t i = 0;

		while (i < N_ROUTES && (!takes_method(&routes[i], methods[m]) ||
					!matches(routes[i].pattern, request)))
			i++;
		if (i < N_ROUTES)
			list = list ? arena_printf(request->arena, "%s, %s",
						   list, methods[m])
				    : methods[m];
	}
	return list;
}

enum err_code route_find(struct api_request *request, struct err *err)
{
	const char *allow;

	request->route = NULL;
	for (size_t i = 0; i < N_ROUTES; i++)
		if (takes_method(&routes[i], request->method) &&
		    matches(routes[i].pattern, request)) {
			request->route = &routes[i];
			return ERR_NONE;
		}
	allow = allowed(request);
	if (!allow)
		return err_set(err, ERR_NOT_FOUND,
			       "there is nothing at this path");
	(void)err_set(err, ERR_METHOD, "the method here is %s, not %.16s",
		      allow, request->method);
	api_answer_error(request, err);
	api_answer_header(request, "Allow", allow);
	return ERR_METHOD;
}

void route_dispatch(struct api_request *request)
{
	api_handler *handler = request->then;
	struct err err;

	if (!handler)
		handler = request->route->handler;
	request->is_suspended = false;
	if (handler(request, &err)) {
		request->is_suspended = false;
		if (api_demand(request))
			return;
		api_answer_error(request, &err);
	}
}
