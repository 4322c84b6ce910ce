/* SPDX-License-Identifier: Apache-2.0 */
#include "training/rates.h"

#include <math.h>

#include "base/field.h"
#include "base/json_write.h"
#include "base/str.h"

#define MAX_RATE 1e30

static enum err_code refuse(const struct doc *doc, const char *where,
			    struct arena *arena, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "%s.learning_rate: expected a number above 0, a list of "
		       "them, {from, to} or auto, got %s",
		       where, doc_describe(doc, arena));
}

static enum err_code check(double rate, const char *where, struct err *err)
{
	if (rate > 0 && rate <= MAX_RATE)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "%s.learning_rate: expected a number above 0, got %g",
		       where, rate);
}

static enum err_code read_list(const struct doc *doc, const char *where,
			       struct rates *rates, struct arena *arena,
			       struct err *err)
{
	double *v = arena_array(arena, doc->n + 1, sizeof(*v));
	enum err_code rc = ERR_NONE;

	if (!v)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	for (const struct doc *at = doc->first; at && !rc; at = at->next) {
		if (at->kind != DOC_INT && at->kind != DOC_DOUBLE)
			return refuse(at, where, arena, err);
		rc = check(at->number, where, err);
		v[rates->n++] = at->number;
	}
	rates->v = v;
	return rc || rates->n ? rc : refuse(doc, where, arena, err);
}

static enum err_code read_map(const struct doc *doc, const char *where,
			      struct rates *rates, struct arena *arena,
			      struct err *err)
{
	static const struct field fields[] = {
		{ .name = "from",
		  .help = "rate of the first group; left out: a tenth of to",
		  .kind = FIELD_DOUBLE,
		  .offset = offsetof(struct rates, from),
		  .max = MAX_RATE },
		{ .name = "to",
		  .help = "rate of the last group",
		  .kind = FIELD_DOUBLE,
		  .offset = offsetof(struct rates, to),
		  .flags = FIELD_REQUIRED,
		  .max = MAX_RATE },
		{ 0 },
	};
	const char *path = arena_printf(arena, "%s.learning_rate", where);
	enum err_code rc;

	if (!path)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	rc = field_read(fields, doc, path, NULL, rates, arena, err);
	return rc ? rc : check(rates->to, where, err);
}

enum err_code rates_read(const struct doc *doc, const char *where, double usual,
			 struct rates *ret, struct arena *arena,
			 struct err *err)
{
	struct rates rates = { 0 };
	struct doc number = { .kind = DOC_DOUBLE, .number = usual };
	struct doc one = { .kind = DOC_LIST, .n = 1, .first = &number };
	enum err_code rc;

	if (doc && (doc->kind == DOC_INT || doc->kind == DOC_DOUBLE))
		number.number = doc->number;
	if (doc && doc->kind == DOC_MAP)
		rc = read_map(doc, where, &rates, arena, err);
	else if (doc && doc->kind == DOC_LIST)
		rc = read_list(doc, where, &rates, arena, err);
	else if (doc && doc->kind == DOC_STRING) {
		rates.is_auto = str_equal(doc->text, "auto");
		rc = rates.is_auto ? ERR_NONE : refuse(doc, where, arena, err);
	} else if (doc && doc->kind == DOC_BOOL) {
		rc = refuse(doc, where, arena, err);
	} else {
		rc = read_list(&one, where, &rates, arena, err);
	}
	if (!rc)
		*ret = rates;
	return rc;
}

void rates_write(const struct rates *rates, struct json_writer *writer)
{
	static const char key[] = "learning_rate";

	if (rates->is_auto) {
		json_write_string(writer, key, "auto");
	} else if (rates->n == 1) {
		json_write_double(writer, key, rates->v[0]);
	} else if (rates->n) {
		json_write_array(writer, key);
		for (size_t i = 0; i < rates->n; i++)
			json_write_double(writer, NULL, rates->v[i]);
		json_write_array_end(writer);
	} else {
		json_write_object(writer, key);
		if (rates->from > 0)
			json_write_double(writer, "from", rates->from);
		json_write_double(writer, "to", rates->to);
		json_write_object_end(writer);
	}
}

double rates_base(const struct rates *rates)
{
	if (rates->is_auto)
		return 1;
	return rates->n ? rates->v[rates->n - 1] : rates->to;
}

enum err_code rates_spread(const struct rates *rates, int32_t n_groups,
			   double *ret_factor, struct err *err)
{
	const double base = rates_base(rates);
	int32_t n = (int32_t)rates->n;

	if (n > n_groups)
		return err_set(err, ERR_INVALID,
			       "learning_rate: there are %d rates, but the "
			       "network has %d groups of layers",
			       (int)n, (int)n_groups);
	for (int32_t i = 0; i < n_groups; i++) {
		int32_t from_end = n_groups - 1 - i;

		if (rates->is_auto)
			ret_factor[i] = 1;
		else if (n)
			ret_factor[i] =
			    rates->v[from_end < n ? n - 1 - from_end : 0] /
			    base;
		else if (!(rates->from > 0))
			ret_factor[i] = from_end ? 0.1 : 1;
		else
			ret_factor[i] =
			    n_groups == 1
				? 1
				: pow(rates->from / base,
				      (double)from_end / (n_groups - 1));
	}
	return ERR_NONE;
}
