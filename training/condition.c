/* SPDX-License-Identifier: Apache-2.0 */
#include "training/condition.h"

#include <ctype.h>
#include <math.h>

#include "base/field.h"
#include "base/str.h"

enum { MAX_COMPARISONS = 64, WORD_MAX = 64 };

static const char *const compare_names[] = { ">=", "<=", "==", "!=",
					     ">",  "<",	 NULL };

struct comparison {
	const char *metric;
	int compare; /* index of compare_names */
	double number;
	bool begins_or; /* an `or` stands before it */
};

struct condition {
	size_t n;
	struct comparison comparison[MAX_COMPARISONS];
};

struct reader {
	const char *at, *where;
	struct err *err;
};

static void skip_space(struct reader *reader)
{
	while (isspace((unsigned char)*reader->at))
		reader->at++;
}

/* The next run of characters that are no space and no operator. */
static void read_word(struct reader *reader, char word[WORD_MAX])
{
	size_t n = 0;

	skip_space(reader);
	while (*reader->at && !isspace((unsigned char)*reader->at) &&
	       !strchr("<>=!", *reader->at) && n + 1 < WORD_MAX)
		word[n++] = *reader->at++;
	word[n] = '\0';
}

static enum err_code refuse(struct reader *reader, const char *expected)
{
	return err_set(reader->err, ERR_INVALID,
		       "%s: expected %s at '%.40s' (write comparisons such as "
		       "valid_accuracy >= 0.9, joined by and / or)",
		       reader->where, expected, reader->at);
}

static enum err_code read_compare(struct reader *reader, int *ret)
{
	skip_space(reader);
	for (int i = 0; compare_names[i]; i++) {
		if (str_starts_with(reader->at, compare_names[i])) {
			reader->at += strlen(compare_names[i]);
			*ret = i;
			return ERR_NONE;
		}
	}
	return refuse(reader, "one of >= <= == != > <");
}

static enum err_code check_metric(struct reader *reader, const char *name,
				  const char *const *metrics)
{
	const char *near;

	for (size_t i = 0; metrics[i]; i++) {
		if (str_equal(metrics[i], name))
			return ERR_NONE;
	}
	near = field_nearest(name, metrics);
	return err_set(reader->err, ERR_INVALID,
		       "%s: this job has no metric '%s'%s%s%s", reader->where,
		       name, near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static enum err_code read_comparison(struct reader *reader,
				     const char *const *metrics,
				     struct arena *arena,
				     struct comparison *ret)
{
	char word[WORD_MAX];
	enum err_code rc;

	read_word(reader, word);
	if (!word[0])
		return refuse(reader, "the name of a metric");
	rc = check_metric(reader, word, metrics);
	if (rc)
		return rc;
	ret->metric = arena_strdup(arena, word);
	if (!ret->metric)
		return err_set(reader->err, ERR_NO_MEMORY, "%s: out of memory",
			       reader->where);
	rc = read_compare(reader, &ret->compare);
	if (rc)
		return rc;
	read_word(reader, word);
	if (!str_parse_double(word, &ret->number))
		return refuse(reader, "a number");
	return ERR_NONE;
}

enum err_code condition_parse(const char *text, const char *where,
			      const char *const *metrics, struct arena *arena,
			      const struct condition **ret, struct err *err)
{
	struct reader reader = { .at = text, .where = where, .err = err };
	struct condition *condition = arena_alloc(arena, sizeof(*condition));
	char word[WORD_MAX];
	bool begins_or = true;
	enum err_code rc;

	if (!condition)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	for (;;) {
		struct comparison *next = &condition->comparison[condition->n];

		if (condition->n == MAX_COMPARISONS)
			return err_set(err, ERR_INVALID,
				       "%s: more than %d comparisons", where,
				       (int)MAX_COMPARISONS);
		rc = read_comparison(&reader, metrics, arena, next);
		if (rc)
			return rc;
		next->begins_or = begins_or;
		condition->n++;
		skip_space(&reader);
		if (!*reader.at)
			break;
		read_word(&reader, word);
		begins_or = str_equal(word, "or");
		if (!begins_or && !str_equal(word, "and"))
			return refuse(&reader, "'and' or 'or' before the end");
	}
	*ret = condition;
	return ERR_NONE;
}

static bool compares(const struct comparison *c, double value)
{
	if (isnan(value))
		return false;
	switch (c->compare) {
	case 0:
		return value >= c->number;
	case 1:
		return value <= c->number;
	case 2:
		return value >= c->number && value <= c->number;
	case 3:
		return value < c->number || value > c->number;
	case 4:
		return value > c->number;
	default:
		return value < c->number;
	}
}

bool condition_holds(const struct condition *condition,
		     double (*value)(const void *ctx, const char *name),
		     const void *ctx)
{
	bool all = false;

	for (size_t i = 0; i < condition->n; i++) {
		const struct comparison *c = &condition->comparison[i];

		if (c->begins_or) {
			if (all)
				return true;
			all = true;
		}
		all = all && compares(c, value(ctx, c->metric));
	}
	return all;
}
