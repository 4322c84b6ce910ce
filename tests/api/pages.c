/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/doc.h"
#include "server/api_handlers.h"
#include "server/route.h"
#include "tests/api/loopback.h"

/* Every "$ref" below a node is a schema that is there. */
static void check_refs(const struct doc *node, const struct doc *schemas)
{
	static const char prefix[] = "#/components/schemas/";
	const struct doc *ref = doc_find(node, "$ref");

	if (ref) {
		cr_assert_eq(strncmp(ref->text, prefix, strlen(prefix)), 0);
		cr_assert_not_null(
		    doc_find(schemas, ref->text + strlen(prefix)), "%s",
		    ref->text);
	}
	for (const struct doc *child = node->first; child; child = child->next)
		check_refs(child, schemas);
}

static const struct doc *operation_of(const struct doc *paths,
				      const struct route *route)
{
	const struct doc *path = doc_find(paths, route->pattern);
	char method[8] = "";

	if (!path)
		return NULL;
	for (size_t i = 0; route->method[i]; i++)
		method[i] = (char)(route->method[i] | 0x20);
	return doc_find(path, method);
}

Test(api_pages, describe_every_route_once)
{
	struct arena *arena = arena_create(32 << 20);
	const struct doc *paths, *schemas, *op;
	const struct route *route;
	struct doc *api = NULL;
	struct loopback l;
	struct err err;

	loopback_begin(&l);
	loopback_get(&l, "/openapi.json");
	cr_assert_eq(l.status, 200);
	cr_assert_eq(
	    doc_parse_json(l.body, l.len, "openapi.json", arena, &api, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_str_eq(doc_find(api, "openapi")->text, "3.1.0");
	paths = doc_find(api, "paths");
	schemas = doc_find(doc_find(api, "components"), "schemas");
	for (size_t i = 0; (route = route_at(i)); i++) {
		op = operation_of(paths, route);
		if (route->handler == api_shared_memory ||
		    route->handler == api_tfs_examples) {
			cr_assert_null(op, "%s", route->pattern);
			continue;
		}
		cr_assert_not_null(op, "%s %s", route->method, route->pattern);
		cr_assert_str_neq(doc_find(op, "summary")->text, "?",
				  "%s %s: api_docs.def has no row for its "
				  "handler",
				  route->method, route->pattern);
	}
	check_refs(api, schemas);
	op = doc_find(doc_find(paths, "/v2/models/{model}/versions/{version}"
				      "/infer"),
		      "post");
	cr_assert_eq(doc_find(op, "parameters")->n, 2);
	cr_assert_str_eq(doc_find(op, "operationId")->text,
			 "post_v2_models_model_versions_version_infer");
	cr_assert_not_null(doc_find(op, "security"));
	loopback_end(&l);
	arena_destroy(arena);
}

Test(api_pages, are_whole_and_load_nothing_from_elsewhere)
{
	static const char *const pages[] = { "/", "/docs" };
	struct loopback l;

	loopback_begin(&l);
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		loopback_get(&l, pages[i]);
		cr_assert_eq(l.status, 200);
		cr_assert_str_eq(l.request.response.content_type,
				 "text/html; charset=utf-8");
		cr_assert_not_null(memmem(l.body, l.len, "</html>", 7));
		cr_assert_null(memmem(l.body, l.len, "://", 3));
		cr_assert_null(memmem(l.body, l.len, "innerHTML", 9));
		cr_assert_not_null(
		    loopback_answer_header(&l, "Content-Security-Policy"));
	}
	loopback_ask(&l, "POST", "/", "", 0);
	loopback_expect_error(&l, 405, "GET");
	loopback_end(&l);
}
