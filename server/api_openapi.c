/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0): the routes as they are in
 * routes.def, with what api_docs.def says of their handlers.
 */
#include <ctype.h>

#include "base/json_write.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/route.h"
#include "server/web.h"
#include "training/job_schema.h"

enum { ID_MAX = 128, REF_MAX = 64, METHOD_MAX = 8, PARAM_MAX = 32 };

struct doc_row {
	api_handler *handler;
	const char *tag, *summary, *body, *answer;
};

static const struct doc_row docs[] = {
#define DOC(handler, tag, summary, body, answer) \
	{ handler, tag, summary, body, answer },
#include "server/api_docs.def"
#undef DOC
};

static const struct {
	const char *name, *about;
} tags[] = {
	{ "predict", "The simple door: rows, files or tensors in, "
		     "predictions out." },
	{ "inference",
	  "Open Inference Protocol v2, with Triton's extensions." },
	{ "tensorflow", "TensorFlow Serving's dialect, and KServe v1." },
	{ "models", "What is loaded, and which version answers." },
	{ "jobs", "Training." },
	{ "health", "For probes." },
	{ "operations", "For those who run the server." },
};

/* A route without a row has a summary that the tests look for. */
static const struct doc_row *find_doc(api_handler *handler)
{
	static const struct doc_row none = { .tag = "operations",
					     .summary = "?" };

	for (size_t i = 0; i < sizeof(docs) / sizeof(*docs); i++)
		if (docs[i].handler == handler)
			return &docs[i];
	return &none;
}

static void write_schema(struct json_writer *w, const char *name)
{
	char ref[REF_MAX];

	(void)snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
	json_write_object(w, "schema");
	json_write_string(w, "$ref", ref);
	json_write_object_end(w);
}

static void write_content(struct json_writer *w, const char *schema)
{
	const bool is_json = *schema != '=';

	json_write_object(w, "content");
	json_write_object(w, is_json ? "application/json" : schema + 1);
	if (is_json)
		write_schema(w, schema);
	json_write_object_end(w);
	json_write_object_end(w);
}

/* "post_v2_models_model_infer" */
static void write_id(struct json_writer *w, const struct route *route)
{
	char id[ID_MAX];
	size_t n = 0;

	for (const char *c = route->method; *c && n < METHOD_MAX; c++)
		id[n++] = (char)tolower(*c);
	for (const char *c = route->pattern; *c && n + 2 < sizeof(id); c++) {
		if (isalnum((unsigned char)*c))
			id[n++] = *c;
		else if (n && id[n - 1] != '_')
			id[n++] = '_';
	}
	while (n && id[n - 1] == '_')
		n--;
	json_write_strn(w, "operationId", id, n);
}

/* The parts in braces. */
static void write_parameters(struct json_writer *w, const char *pattern)
{
	const char *at = strchr(pattern, '{');

	if (!at)
		return;
	json_write_array(w, "parameters");
	for (; at; at = strchr(at, '{')) {
		const size_t len = strcspn(++at, "}");

		json_write_object(w, NULL);
		json_write_strn(w, "name", at, len);
		json_write_string(w, "in", "path");
		json_write_bool(w, "required", true);
		json_write_object(w, "schema");
		json_write_string(w, "type", "string");
		json_write_object_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static const char *scope_name(enum auth_scope scope)
{
	return scope == SCOPE_INFER   ? "infer"
	       : scope == SCOPE_TRAIN ? "train"
				      : "admin";
}

static void write_security(struct json_writer *w, enum auth_scope scope)
{
	if (scope == SCOPE_NONE)
		return;
	json_write_array(w, "security");
	json_write_object(w, NULL);
	json_write_array(w, "bearer");
	json_write_string(w, NULL, scope_name(scope));
	json_write_array_end(w);
	json_write_object_end(w);
	json_write_array_end(w);
}

static void write_responses(struct json_writer *w, const struct doc_row *doc)
{
	json_write_object(w, "responses");
	json_write_object(w, "2XX");
	json_write_string(w, "description", doc->summary);
	if (doc->answer)
		write_content(w, doc->answer);
	json_write_object_end(w);
	json_write_object(w, "default");
	json_write_string(w, "description", "what went wrong");
	write_content(w, "Error");
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_operation(struct json_writer *w, const struct route *route)
{
	const struct doc_row *doc = find_doc(route->handler);
	char method[METHOD_MAX] = "";

	for (size_t i = 0; route->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)tolower(route->method[i]);
	json_write_object(w, method);
	json_write_array(w, "tags");
	json_write_string(w, NULL, doc->tag);
	json_write_array_end(w);
	json_write_string(w, "summary", doc->summary);
	write_id(w, route);
	write_parameters(w, route->pattern);
	write_security(w, route->scope);
	if (doc->body && (str_equal(route->method, "POST") ||
			  str_equal(route->method, "PUT"))) {
		json_write_object(w, "requestBody");
		write_content(w, doc->body);
		json_write_object_end(w);
	}
	write_responses(w, doc);
	json_write_object_end(w);
}

/* A path once, with all its methods; nothing where its handler has no tag. */
static void write_paths(struct json_writer *w)
{
	const struct route *route, *other;

	json_write_object(w, "paths");
	for (size_t i = 0; (route = route_at(i)); i++) {
		size_t first = 0;

		while (!str_equal(route_at(first)->pattern, route->pattern))
			first++;
		if (first < i || !find_doc(route->handler)->tag)
			continue;
		json_write_object(w, route->pattern);
		for (size_t j = i; (other = route_at(j)); j++)
			if (str_equal(other->pattern, route->pattern))
				write_operation(w, other);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void write_head(struct json_writer *w)
{
	json_write_string(w, "openapi", "3.1.0");
	json_write_object(w, "info");
	json_write_string(w, "title", "predictd");
	json_write_string(w, "version", PREDICTD_VERSION);
	json_write_string(w, "description",
			  "One daemon that trains neural networks and serves "
			  "them.");
	json_write_object(w, "license");
	json_write_string(w, "name", "Apache-2.0");
	json_write_string(w, "identifier", "Apache-2.0");
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_array(w, "tags");
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", tags[i].name);
		json_write_string(w, "description", tags[i].about);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

enum err_code api_jobs_schema(struct api_request *request, struct err *err)
{
	struct json_writer w;

	(void)err;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	job_schema_write(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}

enum err_code api_openapi(struct api_request *request, struct err *err)
{
	struct json_writer w;

	(void)err;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	write_head(&w);
	write_paths(&w);
	json_write_object(&w, "components");
	json_write_object(&w, "securitySchemes");
	json_write_object(&w, "bearer");
	json_write_string(&w, "type", "http");
	json_write_string(&w, "scheme", "bearer");
	json_write_object_end(&w);
	json_write_object_end(&w);
	json_write_raw(&w, "schemas", (const char *)web_schemas,
		       web_schemas_len);
	json_write_object_end(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}
