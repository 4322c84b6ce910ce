/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/doc_priv.h"
#include "base/mem.h"
#include "base/str.h"

/* One parse. `key` waits for its value in the map that is open. */
struct reading {
	struct doc_builder builder;
	const char *key;
	int key_line;
	size_t n_documents;
};

static enum err_code refuse(const struct reading *reading, int line,
			    const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: %s",
		       doc_builder_where(&reading->builder, line), what);
}

static int line_of(const yaml_mark_t *mark)
{
	return mark->line < INT32_MAX ? (int)mark->line + 1 : 0;
}

/* --- scalars: YAML 1.2, section 10.3 --- */

static bool is_one_of(const char *text, const char *const *names)
{
	for (; *names; names++)
		if (str_equal(text, *names))
			return true;
	return false;
}

static bool is_null(const char *text)
{
	static const char *const names[] = { "",     "~",    "null",
					     "Null", "NULL", NULL };
	return is_one_of(text, names);
}

static bool parse_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "true", "True", "TRUE", NULL };
	static const char *const no[] = { "false", "False", "FALSE", NULL };

	*ret_value = is_one_of(text, yes);
	return *ret_value || is_one_of(text, no);
}

static bool is_special_float(const char *text)
{
	static const char *const names[] = { ".inf", ".Inf", ".INF", ".nan",
					     ".NaN", ".NAN", NULL };

	text += (*text == '-' || *text == '+') && text[1] == '.';
	return is_one_of(text, names);
}

static bool is_all(const char *text, const char *set)
{
	return *text && text[strspn(text, set)] == '\0';
}

enum look { LOOKS_TEXT, LOOKS_INT, LOOKS_HEX, LOOKS_OCTAL, LOOKS_DOUBLE };

static enum look look_at(const char *text)
{
	const char *body = text + (*text == '-' || *text == '+');

	if (is_all(body, "0123456789"))
		return LOOKS_INT;
	if (str_starts_with(text, "0x") &&
	    is_all(text + 2, "0123456789abcdefABCDEF"))
		return LOOKS_HEX;
	if (str_starts_with(text, "0o") && is_all(text + 2, "01234567"))
		return LOOKS_OCTAL;
	/* digits lead, or a point and a digit: "e3" and "." are texts */
	if (is_all(body, "0123456789.eE+-") &&
	    (strspn(body, "0123456789") || body[0] == '.'))
		return LOOKS_DOUBLE;
	return LOOKS_TEXT;
}

static bool parse_int(const char *text, enum look look, int64_t *ret_value)
{
	const int base = look == LOOKS_HEX ? 16 : 8;
	long long value;
	char *end;

	if (look == LOOKS_INT)
		return str_parse_int64(text + (*text == '+'), ret_value);
	errno = 0;
	value = strtoll(text + 2, &end, base);
	if (errno || *end)
		return false;
	*ret_value = value;
	return true;
}

/* The form of a number is checked by str_parse_double(), which also refuses
 * what overflows; a text like "1-2" or "1.2.3" simply is none. */
static bool is_overflow(const char *text)
{
	char *end;
	const double value = strtod(text, &end);

	return *end == '\0' && isinf(value);
}

static enum err_code read_number(struct reading *reading, const char *text,
				 struct doc *doc, struct err *err)
{
	const enum look look = look_at(text);

	if (look == LOOKS_TEXT)
		return ERR_NONE;
	if (look == LOOKS_DOUBLE) {
		if (str_parse_double(text, &doc->number))
			doc->kind = DOC_DOUBLE;
		else if (is_overflow(text))
			return refuse(reading, doc->line,
				      "a number is too large", err);
		return ERR_NONE;
	}
	if (!parse_int(text, look, &doc->integer))
		return refuse(reading, doc->line,
			      "a whole number is too large (quote it if it is "
			      "a text)",
			      err);
	doc->kind = DOC_INT;
	doc->number = (double)doc->integer;
	return ERR_NONE;
}

static enum err_code resolve_plain(struct reading *reading, struct doc *doc,
				   struct err *err)
{
	const char *text = doc->text;

	if (is_null(text)) {
		doc->kind = DOC_NULL;
	} else if (parse_bool(text, &doc->boolean)) {
		doc->kind = DOC_BOOL;
	} else if (is_special_float(text)) {
		return refuse(reading, doc->line,
			      "infinities and NaN are not supported", err);
	} else {
		return read_number(reading, text, doc, err);
	}
	return ERR_NONE;
}

/* --- events --- */

static bool wants_key(const struct reading *reading)
{
	const struct doc_builder *builder = &reading->builder;

	return builder->depth && !reading->key &&
	       builder->open[builder->depth - 1].branch->kind == DOC_MAP;
}

static enum err_code check_properties(const struct reading *reading,
				      const yaml_char_t *anchor,
				      const yaml_char_t *tag, int line,
				      struct err *err)
{
	if (anchor)
		return refuse(reading, line, "anchors (&) are not supported",
			      err);
	if (tag)
		return refuse(reading, line, "tags (!) are not supported", err);
	return ERR_NONE;
}

/* Adds a node under the key that waits; a value stands where its key does. */
static enum err_code add(struct reading *reading, enum doc_kind kind, int line,
			 struct doc **ret_doc, struct err *err)
{
	const char *key = reading->key;

	reading->key = NULL;
	return doc_builder_add(&reading->builder, kind, key,
			       key ? reading->key_line : line, ret_doc, err);
}

static enum err_code on_scalar(struct reading *reading,
			       const yaml_event_t *event, struct err *err)
{
	const int line = line_of(&event->start_mark);
	const char *text;
	struct doc *doc;
	enum err_code rc;

	rc = check_properties(reading, event->data.scalar.anchor,
			      event->data.scalar.tag, line, err);
	if (rc)
		return rc;
	rc = doc_builder_text(&reading->builder,
			      (const char *)event->data.scalar.value,
			      event->data.scalar.length, line, &text, err);
	if (rc)
		return rc;
	if (wants_key(reading)) {
		reading->key = text;
		reading->key_line = line;
		return ERR_NONE;
	}
	rc = add(reading, DOC_STRING, line, &doc, err);
	if (rc)
		return rc;
	doc->text = text;
	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return ERR_NONE;
	return resolve_plain(reading, doc, err);
}

static enum err_code on_branch(struct reading *reading, enum doc_kind kind,
			       int line, struct err *err)
{
	struct doc *doc;
	enum err_code rc;

	if (wants_key(reading))
		return refuse(reading, line, "a key must be a plain text", err);
	rc = add(reading, kind, line, &doc, err);
	return rc ? rc : doc_builder_open(&reading->builder, doc, err);
}

static int compare_children(const void *a, const void *b)
{
	const struct doc *const *left = a, *const *right = b;
	const int order = strcmp((*left)->key, (*right)->key);

	if (order)
		return order;
	return (*left)->line < (*right)->line ? -1 : 1;
}

/* Sorting finds equal keys without a table, and at a cost that no input can
 * make quadratic. */
static enum err_code check_keys(const struct reading *reading,
				const struct doc *map, struct err *err)
{
	const struct doc **children;
	enum err_code rc = ERR_NONE;
	size_t n = 0;

	if (map->n < 2)
		return ERR_NONE;
	children = mem_array(map->n, sizeof(void *));
	if (!children)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
			       reading->builder.name);
	for (const struct doc *child = map->first; child; child = child->next)
		children[n++] = child;
	qsort(children, n, sizeof(void *), compare_children);
	for (size_t i = 1; i < n && !rc; i++)
		if (str_equal(children[i - 1]->key, children[i]->key))
			rc = err_set(err, ERR_INVALID,
				     "%s: duplicate key '%.60s' (first on line "
				     "%d)",
				     doc_builder_where(&reading->builder,
						       children[i]->line),
				     children[i]->key, children[i - 1]->line);
	mem_free(children);
	return rc;
}

static enum err_code on_branch_end(struct reading *reading, struct err *err)
{
	struct doc_builder *builder = &reading->builder;
	const struct doc *branch = builder->open[builder->depth - 1].branch;

	assert(branch); /* the parser ends only what it began */
	doc_builder_close(builder);
	if (branch->kind != DOC_MAP)
		return ERR_NONE;
	return check_keys(reading, branch, err);
}

static enum err_code on_event(struct reading *reading,
			      const yaml_event_t *event, struct err *err)
{
	const int line = line_of(&event->start_mark);
	enum err_code rc;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (reading->n_documents++)
			return refuse(reading, line,
				      "a second document begins; only one is "
				      "allowed",
				      err);
		return ERR_NONE;
	case YAML_ALIAS_EVENT:
		return refuse(reading, line, "aliases (*) are not supported",
			      err);
	case YAML_SCALAR_EVENT:
		return on_scalar(reading, event, err);
	case YAML_SEQUENCE_START_EVENT:
		rc =
		    check_properties(reading, event->data.sequence_start.anchor,
				     event->data.sequence_start.tag, line, err);
		return rc ? rc : on_branch(reading, DOC_LIST, line, err);
	case YAML_MAPPING_START_EVENT:
		rc = check_properties(reading, event->data.mapping_start.anchor,
				      event->data.mapping_start.tag, line, err);
		return rc ? rc : on_branch(reading, DOC_MAP, line, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_branch_end(reading, err);
	default:
		return ERR_NONE;
	}
}

static enum err_code explain(const struct reading *reading,
			     const yaml_parser_t *parser, struct err *err)
{
	const char *problem =
	    parser->problem ? parser->problem : "not well formed";

	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
			       reading->builder.name);
	if (parser->error == YAML_READER_ERROR)
		return err_set(err, ERR_INVALID, "%s byte %zu: %s",
			       reading->builder.name, parser->problem_offset,
			       problem);
	return err_set(err, ERR_INVALID, "%s line %d column %d: %s",
		       reading->builder.name, line_of(&parser->problem_mark),
		       (int)(parser->problem_mark.column % INT32_MAX) + 1,
		       problem);
}

static enum err_code read_events(struct reading *reading, yaml_parser_t *parser,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;
	bool is_over = false;

	while (!rc && !is_over) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return explain(reading, parser, err);
		rc = on_event(reading, &event, err);
		is_over = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return rc;
}

/* A text that says nothing is an empty map; "null" still is null. */
static enum err_code finish(struct reading *reading, struct doc **ret_doc,
			    struct err *err)
{
	struct doc *root = reading->builder.root;
	enum err_code rc = ERR_NONE;

	if (!root)
		rc = doc_builder_add(&reading->builder, DOC_MAP, NULL, 1, &root,
				     err);
	else if (root->kind == DOC_NULL && !*root->text)
		root->kind = DOC_MAP;
	if (!rc)
		*ret_doc = root;
	return rc;
}

enum err_code doc_parse_yaml(const char *text, size_t len, const char *name,
			     struct arena *arena, struct doc **ret_doc,
			     struct err *err)
{
	struct reading reading = {
		.builder = { .name = name, .arena = arena },
	};
	yaml_parser_t parser;
	enum err_code rc;

	if (!yaml_parser_initialize(&parser))
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &parser, (const unsigned char *)(len ? text : ""), len);
	rc = read_events(&reading, &parser, err);
	yaml_parser_delete(&parser);
	return rc ? rc : finish(&reading, ret_doc, err);
}
