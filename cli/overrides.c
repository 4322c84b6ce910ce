/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/overrides.h"

#include "base/json_write.h"
#include "base/str.h"
#include "cli/content.h"

enum { JSON_MAX = 16 << 20 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "--set: out of memory");
}

static struct doc *child_of(struct doc *map, const char *key)
{
	struct doc *d = map->first;

	while (d && !str_equal(d->key, key))
		d = d->next;
	return d;
}

/* The map under key, made where there is nothing. */
static enum err_code enter(struct doc **map, const char *key,
			   struct arena *arena, struct err *err)
{
	struct doc *child = child_of(*map, key);

	if (!child) {
		child = doc_new(arena, DOC_MAP);
		if (!child)
			return no_memory(err);
		doc_add(*map, key, child);
	}
	if (child->kind != DOC_MAP)
		return err_set(err, ERR_INVALID, "--set: '%s' is %s, not a map",
			       key, doc_describe(child, arena));
	*map = child;
	return ERR_NONE;
}

static void put(struct doc *map, const char *key, struct doc *value)
{
	struct doc *there = child_of(map, key);

	if (!there) {
		doc_add(map, key, value);
		return;
	}
	value->key = there->key;
	value->next = there->next;
	*there = *value;
}

static enum err_code apply_one(struct doc *job, const char *setting,
			       struct arena *arena, struct err *err)
{
	const char *equals = strchr(setting, '='), *at = setting;
	struct doc *value = NULL;
	enum err_code rc;

	if (!equals || equals == setting)
		return err_set(err, ERR_INVALID,
			       "--set: expected KEY.KEY=VALUE, got '%s'",
			       setting);
	rc = doc_parse_yaml(equals + 1, strlen(equals + 1), setting, arena,
			    &value, err);
	while (!rc) {
		size_t n = strcspn(at, ".=");
		const char *key = arena_strndup(arena, at, n);

		if (!key)
			return no_memory(err);
		if (!n)
			return err_set(err, ERR_INVALID,
				       "--set: an empty key in '%s'", setting);
		at += n + 1;
		if (at[-1] == '=') {
			put(job, key, value);
			break;
		}
		rc = enter(&job, key, arena, err);
	}
	return rc;
}

/* The document as JSON. */
static enum err_code write_job(const struct doc *job, struct arena *arena,
			       struct overrides_job *ret, struct err *err)
{
	struct json_writer writer;
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, JSON_MAX);
	json_write_init(&writer, &buf);
	json_write_doc(&writer, NULL, job);
	rc = buf_check(&buf, "the job", err);
	if (!rc) {
		ret->text = arena_strdup(arena, buf.data);
		ret->len = buf.len;
		rc = ret->text ? ERR_NONE : no_memory(err);
	}
	buf_finish(&buf);
	return rc;
}

enum err_code overrides_apply(const struct args *args, struct arena *arena,
			      struct overrides_job *job, struct err *err)
{
	struct doc *doc = NULL;
	enum err_code rc;

	rc = content_is_json(job->text)
		 ? doc_parse_json(job->text, job->len, job->name, arena, &doc,
				  err)
		 : doc_parse_yaml(job->text, job->len, job->name, arena, &doc,
				  err);
	if (!rc && doc->kind != DOC_MAP)
		rc = err_set(err, ERR_INVALID, "%s: expected a map, got %s",
			     job->name, doc_describe(doc, arena));
	for (unsigned i = 0; i < args->n_given && !rc; i++) {
		if (str_equal(args->given[i].flag->name, "set"))
			rc = apply_one(doc, args->given[i].value, arena, err);
	}
	return rc ? rc : write_job(doc, arena, job, err);
}
