/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <string.h>

#include "base/doc_priv.h"
#include "base/json_write_priv.h"
#include "base/str.h"

enum { SHOWN_MAX = 60 };

const struct doc *doc_find(const struct doc *doc, const char *key)
{
	if (!doc || doc->kind != DOC_MAP)
		return NULL;
	for (const struct doc *child = doc->first; child; child = child->next)
		if (str_equal(child->key, key))
			return child;
	return NULL;
}

static const char *describe_text(const char *text, struct arena *arena)
{
	const size_t len = strlen(text);
	const size_t shown = str_utf8_cut(text, len, SHOWN_MAX);

	return arena_printf(arena, "the text '%.*s%s'", (int)shown, text,
			    shown < len ? "..." : "");
}

static const char *describe_number(double number, struct arena *arena)
{
	char digits[JSON_NUMBER_MAX];
	const size_t n = json_number_double(number, digits);

	return arena_printf(arena, "the number %.*s", (int)n, digits);
}

static const char *kind_name(const struct doc *doc)
{
	static const char *const names[] = {
		[DOC_NULL] = "nothing (null)", [DOC_BOOL] = "a boolean",
		[DOC_INT] = "a number",	       [DOC_DOUBLE] = "a number",
		[DOC_STRING] = "a text",       [DOC_LIST] = "a list",
		[DOC_MAP] = "a map",
	};

	if (doc->kind == DOC_BOOL)
		return doc->boolean ? "the value true" : "the value false";
	return names[doc->kind];
}

const char *doc_describe(const struct doc *doc, struct arena *arena)
{
	const char *text = NULL;

	if (!doc)
		return "nothing";
	if (doc->kind == DOC_STRING)
		text = describe_text(doc->text, arena);
	else if (doc->kind == DOC_INT)
		text = arena_printf(arena, "the number %lld",
				    (long long)doc->integer);
	else if (doc->kind == DOC_DOUBLE && doc->number - doc->number == 0)
		text = describe_number(doc->number, arena);
	return text ? text : kind_name(doc);
}

struct doc *doc_new(struct arena *arena, enum doc_kind kind)
{
	struct doc *doc = arena_alloc(arena, sizeof(*doc));

	if (doc)
		doc->kind = kind;
	return doc;
}

struct doc *doc_new_text(struct arena *arena, const char *text)
{
	struct doc *doc = doc_new(arena, DOC_STRING);

	if (!doc)
		return NULL;
	doc->text = arena_strdup(arena, text);
	return doc->text ? doc : NULL;
}

struct doc *doc_new_double(struct arena *arena, double number)
{
	struct doc *doc = doc_new(arena, DOC_DOUBLE);

	if (doc)
		doc->number = number;
	return doc;
}

struct doc *doc_new_int(struct arena *arena, int64_t integer)
{
	struct doc *doc = doc_new(arena, DOC_INT);

	if (!doc)
		return NULL;
	doc->integer = integer;
	doc->number = (double)integer;
	return doc;
}

struct doc *doc_new_bool(struct arena *arena, bool boolean)
{
	struct doc *doc = doc_new(arena, DOC_BOOL);

	if (doc)
		doc->boolean = boolean;
	return doc;
}

void doc_add(struct doc *parent, const char *key, struct doc *child)
{
	struct doc **end = &parent->first;

	while (*end)
		end = &(*end)->next;
	child->key = key;
	*end = child;
	parent->n++;
}

/* --- the builder --- */

const char *doc_builder_where(const struct doc_builder *builder, int line)
{
	const char *where = NULL;

	if (line > 0)
		where = arena_printf(builder->arena, "%s line %d",
				     builder->name, line);
	return where ? where : builder->name;
}

static enum err_code no_memory(const struct doc_builder *builder,
			       struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "%s: out of memory (or beyond what it may take)",
		       builder->name);
}

enum err_code doc_builder_text(struct doc_builder *builder, const char *bytes,
			       size_t len, int line, const char **ret_text,
			       struct err *err)
{
	const char *text;

	if (len > DOC_STRING_MAX)
		return err_set(
		    err, ERR_TOO_LARGE,
		    "%s: a text of %zu bytes; at most %d are allowed",
		    doc_builder_where(builder, line), len, DOC_STRING_MAX);
	if (len && memchr(bytes, '\0', len))
		return err_set(err, ERR_INVALID,
			       "%s: a text holds the character NUL",
			       doc_builder_where(builder, line));
	text = arena_strndup(builder->arena, bytes, len);
	if (!text)
		return no_memory(builder, err);
	*ret_text = text;
	return ERR_NONE;
}

enum err_code doc_builder_add(struct doc_builder *builder, enum doc_kind kind,
			      const char *key, int line, struct doc **ret_doc,
			      struct err *err)
{
	struct doc *branch, *last, *doc;

	if (builder->n_nodes == DOC_NODES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: more than %d values",
			       builder->name, DOC_NODES_MAX);
	doc = doc_new(builder->arena, kind);
	if (!doc)
		return no_memory(builder, err);
	doc->key = key;
	doc->line = line;
	builder->n_nodes++;
	*ret_doc = doc;
	if (builder->depth == 0) {
		builder->root = doc;
		return ERR_NONE;
	}
	branch = builder->open[builder->depth - 1].branch;
	last = builder->open[builder->depth - 1].last;
	*(last ? &last->next : &branch->first) = doc;
	branch->n++;
	builder->open[builder->depth - 1].last = doc;
	return ERR_NONE;
}

enum err_code doc_builder_open(struct doc_builder *builder, struct doc *branch,
			       struct err *err)
{
	if (builder->depth == DOC_LEVELS)
		return err_set(
		    err, ERR_INVALID, "%s: nested deeper than %d levels",
		    doc_builder_where(builder, branch->line), DOC_LEVELS);
	builder->open[builder->depth].branch = branch;
	builder->open[builder->depth].last = NULL;
	builder->depth++;
	return ERR_NONE;
}

void doc_builder_close(struct doc_builder *builder)
{
	builder->depth--;
}
