/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <jansson.h>
#include <string.h>

#include "base/doc_priv.h"
#include "base/mem.h"

/* A branch half way through. */
struct level {
	json_t *branch;
	void *iter; /* of an object */
	size_t i;   /* of an array */
};

/* jansson calls a failed allocation now this, now that syntax error. */
static _Thread_local bool ran_out; /* NOLINT(*-global-variables) */

static void *allocate(size_t size)
{
	void *block = mem_alloc(size);

	ran_out = ran_out || !block;
	return block;
}

void doc_init(void)
{
	json_set_alloc_funcs(allocate, mem_free);
	json_object_seed(0);
}

/* What the parser would spend on nesting and on values is bounded before it
 * runs. Brackets and commas inside strings do not count. */
static enum err_code scan(const char *text, size_t len,
			  const struct doc_builder *builder, struct err *err)
{
	size_t depth = 0, n_values = 1;
	bool is_string = false;

	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (c == '"')
			is_string = !is_string;
		else if (is_string)
			i += c == '\\';
		else if (c == '[' || c == '{')
			depth++, n_values++;
		else if ((c == ']' || c == '}') && depth)
			depth--;
		else if (c == ',')
			n_values++;
		if (depth > DOC_LEVELS)
			return err_set(err, ERR_INVALID,
				       "%s: nested deeper than %d levels",
				       builder->name, DOC_LEVELS);
		if (n_values / 2 > DOC_NODES_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "%s: more than %d values", builder->name,
				       DOC_NODES_MAX);
	}
	return ERR_NONE;
}

static enum err_code explain(const char *name, const json_error_t *error,
			     struct err *err)
{
	if (ran_out || !error->text[0])
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
	return err_set(err, ERR_INVALID, "%s line %d column %d: %s", name,
		       error->line > 0 ? error->line : 1,
		       error->column > 0 ? error->column : 1, error->text);
}

static enum doc_kind kind_of(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return DOC_MAP;
	case JSON_ARRAY:
		return DOC_LIST;
	case JSON_STRING:
		return DOC_STRING;
	case JSON_INTEGER:
		return DOC_INT;
	case JSON_REAL:
		return DOC_DOUBLE;
	case JSON_TRUE:
	case JSON_FALSE:
		return DOC_BOOL;
	default:
		return DOC_NULL;
	}
}

static enum err_code add_value(struct doc_builder *builder, const json_t *json,
			       const char *key, struct doc **ret_doc,
			       struct err *err)
{
	enum err_code rc;
	struct doc *doc;

	rc = doc_builder_add(builder, kind_of(json), key, 0, &doc, err);
	if (rc)
		return rc;
	doc->boolean = json_is_true(json);
	doc->number = json_number_value(json);
	doc->integer = json_integer_value(json);
	if (doc->kind == DOC_STRING)
		rc = doc_builder_text(builder, json_string_value(json),
				      json_string_length(json), 0, &doc->text,
				      err);
	*ret_doc = doc;
	return rc;
}

static struct level level_of(json_t *branch)
{
	return (struct level){ .branch = branch,
			       .iter = json_object_iter(branch) };
}

/* The next child of a level and its key; NULL at the end. */
static json_t *step(struct level *level, const char **ret_key)
{
	json_t *child;

	*ret_key = NULL;
	if (!json_is_object(level->branch))
		return json_array_get(level->branch, level->i++);
	if (!level->iter)
		return NULL;
	*ret_key = json_object_iter_key(level->iter);
	child = json_object_iter_value(level->iter);
	level->iter = json_object_iter_next(level->branch, level->iter);
	return child;
}

static enum err_code add_child(struct doc_builder *builder, const json_t *json,
			       const char *key, struct doc **ret_doc,
			       struct err *err)
{
	const char *copy = NULL;
	enum err_code rc = ERR_NONE;

	if (key)
		rc = doc_builder_text(builder, key, strlen(key), 0, &copy, err);
	return rc ? rc : add_value(builder, json, copy, ret_doc, err);
}

static bool is_branch(const json_t *json)
{
	return json_is_object(json) || json_is_array(json);
}

static enum err_code convert(struct doc_builder *builder, json_t *root,
			     struct err *err)
{
	struct level levels[DOC_LEVELS];
	enum err_code rc;
	struct doc *doc;

	rc = add_value(builder, root, NULL, &doc, err);
	if (rc || !is_branch(root))
		return rc;
	rc = doc_builder_open(builder, doc, err);
	levels[0] = level_of(root);
	while (!rc && builder->depth) {
		const char *key;
		json_t *json = step(&levels[builder->depth - 1], &key);

		if (!json) {
			doc_builder_close(builder);
			continue;
		}
		rc = add_child(builder, json, key, &doc, err);
		if (rc || !is_branch(json))
			continue;
		rc = doc_builder_open(builder, doc, err);
		if (!rc)
			levels[builder->depth - 1] = level_of(json);
	}
	return rc;
}

enum err_code doc_parse_json(const char *text, size_t len, const char *name,
			     struct arena *arena, struct doc **ret_doc,
			     struct err *err)
{
	struct doc_builder builder = { .name = name, .arena = arena };
	json_error_t error = { 0 };
	enum err_code rc;
	json_t *root;

	rc = scan(text, len, &builder, err);
	if (rc)
		return rc;
	ran_out = false;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &error);
	if (!root)
		return explain(name, &error, err);
	rc = convert(&builder, root, err);
	json_decref(root);
	if (!rc)
		*ret_doc = builder.root;
	return rc;
}
