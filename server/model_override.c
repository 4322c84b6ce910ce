/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_override.h"

#include <string.h>

#include "base/str.h"

/* Rows of config.yaml as they are found; `map` may be a list of them. */
struct override {
	const char *model;
	const struct doc *base; /* config.yaml; NULL: none */
	struct arena *arena;
	struct doc *map;
	bool is_full; /* no memory for one */
};

typedef enum err_code take_fn(struct override *o, const struct doc *value,
			      struct err *err);

/* A key of Triton's and what becomes of it. */
struct word {
	const char *key;
	take_fn *take;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "the configuration: out of memory");
}

static enum err_code unsupported(struct override *o, const struct doc *value,
				 const char *why, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "'%s' is %s: %s", value->key,
		       doc_describe(value, o->arena), why);
}

static void put(struct override *o, const char *key, struct doc *value)
{
	if (value)
		doc_add(o->map, key, value);
	else
		o->is_full = true;
}

static void put_copy(struct override *o, const char *key,
		     const struct doc *value)
{
	struct doc *copy = doc_new(o->arena, value->kind);

	if (copy) {
		*copy = *value;
		copy->next = NULL;
	}
	put(o, key, copy);
}

/* Triton's JSON has 64-bit numbers as text. */
static void put_number(struct override *o, const char *key,
		       const struct doc *value)
{
	int64_t number;

	if (value->kind == DOC_STRING && str_parse_int64(value->text, &number))
		put(o, key, doc_new_int(o->arena, number));
	else
		put_copy(o, key, value);
}

static void put_numbers(struct override *o, const char *key,
			const struct doc *list)
{
	struct doc *copy = doc_new(o->arena, DOC_LIST);
	struct override inner = { o->model, o->base, o->arena, copy, !copy };

	if (list->kind != DOC_LIST) {
		put_copy(o, key, list);
		return;
	}
	for (const struct doc *row = list->first; row && copy; row = row->next)
		put_number(&inner, NULL, row);
	o->is_full = o->is_full || inner.is_full;
	put(o, key, copy);
}

static enum err_code take_rows(struct override *o, const struct doc *map,
			       const struct word *words, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (map->kind != DOC_MAP)
		return err_set(err, ERR_INVALID, "'%s': expected a map, got %s",
			       map->key, doc_describe(map, o->arena));
	for (const struct doc *row = map->first; row && !rc; row = row->next) {
		const struct word *word = words;

		while (word->key && !str_equal(word->key, row->key))
			word++;
		if (!word->key)
			return err_set(err, ERR_INVALID,
				       "'%s': '%.64s' is not known here",
				       map->key, row->key);
		rc = word->take(o, row, err);
	}
	return rc;
}

static enum err_code leave_out(struct override *o, const struct doc *value,
			       struct err *err)
{
	(void)o;
	(void)value;
	(void)err;
	return ERR_NONE;
}

/* --- batching --- */

#define NUMBER(name, key)                                                      \
	static enum err_code name(struct override *o, const struct doc *value, \
				  struct err *err)                             \
	{                                                                      \
		(void)err;                                                     \
		put_number(o, key, value);                                     \
		return ERR_NONE;                                               \
	}
NUMBER(take_delay, "max_queue_delay_us")
NUMBER(take_levels, "priority_levels")
NUMBER(take_default_level, "default_priority")
NUMBER(take_queue_size, "max_queue_size")
#undef NUMBER

static enum err_code take_preferred(struct override *o, const struct doc *value,
				    struct err *err)
{
	(void)err;
	put_numbers(o, "preferred_batch_sizes", value);
	return ERR_NONE;
}

static enum err_code take_queue_policy(struct override *o,
				       const struct doc *value, struct err *err)
{
	static const struct word words[] = {
		{ "max_queue_size", take_queue_size }, { NULL, NULL }
	};

	return take_rows(o, value, words, err);
}

static enum err_code take_dynamic_batching(struct override *o,
					   const struct doc *value,
					   struct err *err)
{
	static const struct word words[] = {
		{ "preferred_batch_size", take_preferred },
		{ "max_queue_delay_microseconds", take_delay },
		{ "priority_levels", take_levels },
		{ "default_priority_level", take_default_level },
		{ "default_queue_policy", take_queue_policy },
		{ NULL, NULL },
	};

	return take_rows(o, value, words, err);
}

/* Triton's 0 is our 1: a model that does not batch. */
static enum err_code take_max_batch(struct override *o, const struct doc *value,
				    struct err *err)
{
	(void)err;
	if (value->kind == DOC_INT && value->integer == 0)
		put(o, value->key, doc_new_int(o->arena, 1));
	else
		put_number(o, value->key, value);
	return ERR_NONE;
}

/* --- instances --- */

static enum err_code take_instances(struct override *o, const struct doc *value,
				    struct err *err)
{
	int64_t n = 0;

	if (value->kind != DOC_LIST)
		return err_set(err, ERR_INVALID,
			       "'instance_group': expected a list, got %s",
			       doc_describe(value, o->arena));
	for (const struct doc *row = value->first; row; row = row->next) {
		const struct doc *kind = doc_find(row, "kind");
		const struct doc *count = doc_find(row, "count");

		if (kind && (kind->kind != DOC_STRING ||
			     (!str_equal(kind->text, "KIND_CPU") &&
			      !str_equal(kind->text, "KIND_AUTO"))))
			return unsupported(o, kind, "models run on KIND_CPU",
					   err);
		if (count && (count->kind != DOC_INT || count->integer < 1 ||
			      count->integer > 1024))
			return err_set(err, ERR_INVALID,
				       "'instance_group': 'count': expected 1 "
				       "to 1024, got %s",
				       doc_describe(count, o->arena));
		n += count ? count->integer : 1;
	}
	if (n)
		put(o, "instances", doc_new_int(o->arena, n));
	return ERR_NONE;
}

/* --- versions --- */

/* {"latest": {"num_versions": 2}}, {"all": {}}, {"specific": {"versions":
 * [1]}}; as config.yaml has them: 2, true, [1]. */
static enum err_code take_policy(struct override *o, const struct doc *value,
				 struct err *err)
{
	struct doc *policy = doc_new(o->arena, DOC_MAP);
	struct override inner = { o->model, o->base, o->arena, policy,
				  !policy };

	if (value->kind != DOC_MAP)
		return err_set(err, ERR_INVALID,
			       "'version_policy': expected a map, got %s",
			       doc_describe(value, o->arena));
	for (const struct doc *row = value->first; row && policy;
	     row = row->next) {
		const struct doc *number = doc_find(row, "num_versions");
		const struct doc *list = doc_find(row, "versions");

		const bool is_map = row->kind == DOC_MAP;

		if (is_map && str_equal(row->key, "all"))
			put(&inner, "all", doc_new_bool(o->arena, true));
		else if (is_map && number)
			put_number(&inner, row->key, number);
		else if (is_map && list)
			put_numbers(&inner, row->key, list);
		else if (is_map && str_equal(row->key, "latest"))
			/* Triton's default */
			put(&inner, row->key, doc_new_int(o->arena, 1));
		else
			put_copy(&inner, row->key, row);
	}
	o->is_full = o->is_full || inner.is_full;
	put(o, value->key, policy);
	return ERR_NONE;
}

/* --- the rest --- */

static enum err_code take_cache(struct override *o, const struct doc *value,
				struct err *err)
{
	const struct doc *enable = doc_find(value, "enable");

	(void)err;
	put_copy(o, value->key, enable ? enable : value);
	return ERR_NONE;
}

static enum err_code take_precision(struct override *o, const struct doc *value,
				    struct err *err)
{
	const struct doc *text = doc_find(value, "string_value");

	(void)err;
	put_copy(o, value->key, text ? text : value);
	return ERR_NONE;
}

static enum err_code take_parameters(struct override *o,
				     const struct doc *value, struct err *err)
{
	static const struct word words[] = {
		{ "precision", take_precision },
		{ "precision_deviation", leave_out }, /* what came of it */
		{ NULL, NULL },
	};

	return take_rows(o, value, words, err);
}

static enum err_code check_name(struct override *o, const struct doc *value,
				struct err *err)
{
	if (value->kind == DOC_STRING && str_equal(value->text, o->model))
		return ERR_NONE;
	return err_set(err, ERR_INVALID, "'name' is %s, and the model '%s'",
		       doc_describe(value, o->arena), o->model);
}

static enum err_code check_format(struct override *o, const struct doc *value,
				  struct err *err)
{
	static const char *const known[] = { "", "onnx_onnxv1",
					     "onnxruntime_onnx", "onnxruntime",
					     "predictd" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (value->kind == DOC_STRING &&
		    str_equal(value->text, known[i]))
			return ERR_NONE;
	return unsupported(o, value, "models are ONNX files", err);
}

static enum err_code
check_transactions(struct override *o, const struct doc *value, struct err *err)
{
	const struct doc *decoupled = doc_find(value, "decoupled");

	if (!decoupled || (decoupled->kind == DOC_BOOL && !decoupled->boolean))
		return ERR_NONE;
	return unsupported(o, decoupled, "a request has one answer", err);
}

static enum err_code refuse_here(struct override *o, const struct doc *value,
				 struct err *err)
{
	return unsupported(o, value,
			   "only config.yaml says it, as 'sequence', "
			   "'ensemble' or 'rollout'",
			   err);
}

/* What /config tells of `sequence` may come back. */
static enum err_code check_sequence(struct override *o, const struct doc *value,
				    struct err *err)
{
	return doc_find(o->base, "sequence") ? ERR_NONE
					     : refuse_here(o, value, err);
}

static const struct word words[] = {
	{ "name", check_name },
	{ "platform", check_format },
	{ "backend", check_format },
	{ "input", leave_out },
	{ "output", leave_out },
	{ "max_batch_size", take_max_batch },
	{ "dynamic_batching", take_dynamic_batching },
	{ "instance_group", take_instances },
	{ "version_policy", take_policy },
	{ "response_cache", take_cache },
	{ "parameters", take_parameters },
	{ "model_transaction_policy", check_transactions },
	{ "sequence_batching", check_sequence },
	{ "ensemble_scheduling", refuse_here },
	{ "ensemble", refuse_here },
	{ "rollout", refuse_here },
	{ NULL, NULL },
};

static enum err_code take_all(struct override *o, const struct doc *doc,
			      struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (const struct doc *row = doc->first; row && !rc; row = row->next) {
		const struct word *word = words;

		while (word->key && !str_equal(word->key, row->key))
			word++;
		if (word->key)
			rc = word->take(o, row, err);
		else
			put_copy(o, row->key, row);
	}
	return rc;
}

enum err_code model_override_apply(const char *text, const char *name,
				   const struct doc *base, struct arena *arena,
				   const struct doc **ret_doc, struct err *err)
{
	struct override o = { .model = name, .base = base, .arena = arena };
	struct doc *doc;
	enum err_code rc = doc_parse_json(
	    text, strlen(text), "parameter 'config'", arena, &doc, err);

	if (rc)
		return rc;
	if (doc->kind != DOC_MAP)
		return err_set(err, ERR_INVALID,
			       "parameter 'config': expected the text of one "
			       "JSON object, got %s",
			       doc_describe(doc, arena));
	o.map = doc_new(arena, DOC_MAP);
	if (!o.map)
		return no_memory(err);
	rc = take_all(&o, doc, err);
	if (rc)
		return err_prefix(err, "parameter 'config'");
	for (const struct doc *row = base ? base->first : NULL; row;
	     row = row->next)
		if (!doc_find(o.map, row->key))
			put_copy(&o, row->key, row);
	if (o.is_full)
		return no_memory(err);
	*ret_doc = o.map;
	return ERR_NONE;
}
