/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field_priv.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json_write_priv.h"
#include "base/str.h"

enum { TEXT_MAX = 160 };

/* No int64_t beyond this: a range that ends here is open. */
static const double int_limit = 9.2e18;

static bool has_range(const struct field *field)
{
	return field->min != 0 || field->max != 0;
}

static void put_number(double value, char to[JSON_NUMBER_MAX + 1])
{
	to[json_number_double(value, to)] = '\0';
}

/* " from 1 to 9", " of at least 1", " of at most 9" or nothing */
static void put_range(const struct field *field, char to[TEXT_MAX])
{
	const bool has_min = field->min > -int_limit;
	const bool has_max = field->max < int_limit;
	char min[JSON_NUMBER_MAX + 1] = "", max[JSON_NUMBER_MAX + 1] = "";

	to[0] = '\0';
	if (!has_range(field))
		return;
	if (has_min)
		put_number(field->min, min);
	if (has_max)
		put_number(field->max, max);
	if (has_min && has_max)
		(void)snprintf(to, TEXT_MAX, " from %s to %s", min, max);
	else if (has_min)
		(void)snprintf(to, TEXT_MAX, " of at least %s", min);
	else if (has_max)
		(void)snprintf(to, TEXT_MAX, " of at most %s", max);
}

static const char *noun_of(enum field_kind kind)
{
	switch (kind) {
	case FIELD_BOOL:
		return "true or false";
	case FIELD_INT:
	case FIELD_INTS:
		return "a whole number";
	case FIELD_DOUBLE:
	case FIELD_DOUBLES:
		return "a number";
	case FIELD_BYTES:
		return "a size such as 64MiB";
	case FIELD_SECONDS:
		return "a time such as 90, 30m or 1.5h";
	default:
		return "a text";
	}
}

/* " (line 7)" where the notation has lines */
const char *field_line_note(const struct doc *doc, struct arena *arena)
{
	const char *note = NULL;

	if (doc->line > 0)
		note = arena_printf(arena, " (line %d)", doc->line);
	return note ? note : "";
}

enum err_code field_no_memory(const char *path, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
}

static enum err_code mismatch(const struct field_reading *reading,
			      const struct doc *doc, struct err *err)
{
	char range[TEXT_MAX];

	put_range(reading->field, range);
	return err_set(err, ERR_INVALID, "%s: expected %s%s, got %s%s",
		       reading->path, noun_of(reading->field->kind), range,
		       doc_describe(doc, reading->arena),
		       field_line_note(doc, reading->arena));
}

/* --- one value --- */

static bool is_in_range(const struct field *field, double value)
{
	return !has_range(field) ||
	       (value >= field->min && value <= field->max);
}

/* 1e6 is a whole number, too */
static bool whole_of(const struct doc *doc, int64_t *ret_value)
{
	if (doc->kind == DOC_INT) {
		*ret_value = doc->integer;
		return true;
	}
	if (doc->kind != DOC_DOUBLE || fabs(doc->number) > 0x1p53 ||
	    doc->number != floor(doc->number))
		return false;
	*ret_value = (int64_t)doc->number;
	return true;
}

static enum err_code read_int(const struct field_reading *reading,
			      const struct doc *doc, int64_t *to,
			      struct err *err)
{
	int64_t value;

	if (!whole_of(doc, &value) ||
	    !is_in_range(reading->field, (double)value))
		return mismatch(reading, doc, err);
	*to = value;
	return ERR_NONE;
}

static enum err_code read_double(const struct field_reading *reading,
				 const struct doc *doc, double *to,
				 struct err *err)
{
	if ((doc->kind != DOC_INT && doc->kind != DOC_DOUBLE) ||
	    !is_in_range(reading->field, doc->number))
		return mismatch(reading, doc, err);
	*to = doc->number;
	return ERR_NONE;
}

static enum err_code read_string(const struct field_reading *reading,
				 const struct doc *doc, const char **to,
				 struct err *err)
{
	if (doc->kind != DOC_STRING)
		return mismatch(reading, doc, err);
	*to = arena_strdup(reading->arena, doc->text);
	return *to ? ERR_NONE : field_no_memory(reading->path, err);
}

static enum err_code read_bytes(const struct field_reading *reading,
				const struct doc *doc, int64_t *to,
				struct err *err)
{
	int64_t value = 0;
	double number;

	if (doc->kind == DOC_STRING) {
		if (!field_parse_bytes(doc->text, &number) ||
		    number > int_limit || !is_in_range(reading->field, number))
			return mismatch(reading, doc, err);
		*to = (int64_t)number;
		return ERR_NONE;
	}
	if (!whole_of(doc, &value) || value < 0)
		return mismatch(reading, doc, err);
	return read_int(reading, doc, to, err);
}

static enum err_code read_seconds(const struct field_reading *reading,
				  const struct doc *doc, double *to,
				  struct err *err)
{
	double seconds;

	if (doc->kind != DOC_STRING) {
		if (doc->number < 0)
			return mismatch(reading, doc, err);
		return read_double(reading, doc, to, err);
	}
	if (!field_parse_seconds(doc->text, &seconds) ||
	    !is_in_range(reading->field, seconds))
		return mismatch(reading, doc, err);
	*to = seconds;
	return ERR_NONE;
}

const char *field_join(const char *const *names, struct arena *arena)
{
	const char *text = "";

	for (; *names && text; names++)
		text = arena_printf(arena, "%s%s'%s'", text, *text ? ", " : "",
				    *names);
	return text ? text : "its names";
}

/* ", did you mean 'sgd'?" or nothing */
const char *field_hint(const char *text, const char *const *names,
		       struct arena *arena)
{
	const char *nearest = field_nearest(text, names), *note = NULL;

	if (nearest)
		note = arena_printf(arena, ", did you mean '%s'?", nearest);
	return note ? note : "";
}

static enum err_code read_enum(const struct field_reading *reading,
			       const struct doc *doc, int *to, struct err *err)
{
	const char *const *names = reading->field->names;
	const bool is_text = doc->kind == DOC_STRING;

	for (int i = 0; is_text && names[i]; i++)
		if (str_equal(doc->text, names[i])) {
			*to = i;
			return ERR_NONE;
		}
	return err_set(err, ERR_INVALID, "%s: expected one of %s, got %s%s%s",
		       reading->path, field_join(names, reading->arena),
		       doc_describe(doc, reading->arena),
		       is_text ? field_hint(doc->text, names, reading->arena)
			       : "",
		       field_line_note(doc, reading->arena));
}

/* --- lists: one value stands for a list of one --- */

static size_t item_size(enum field_kind kind)
{
	switch (kind) {
	case FIELD_INTS:
		return sizeof(int64_t);
	case FIELD_DOUBLES:
		return sizeof(double);
	default:
		return sizeof(const char *);
	}
}

static enum err_code read_item(const struct field_reading *reading,
			       const struct doc *doc, void *items, size_t i,
			       struct err *err)
{
	switch (reading->field->kind) {
	case FIELD_INTS:
		return read_int(reading, doc, (int64_t *)items + i, err);
	case FIELD_DOUBLES:
		return read_double(reading, doc, (double *)items + i, err);
	default:
		return read_string(reading, doc, (const char **)items + i, err);
	}
}

/* The path of an item is only written down when it has something to say. */
static enum err_code read_items(const struct field_reading *reading,
				const struct doc *doc, void *items,
				struct err *err)
{
	struct field_reading item = *reading;
	enum err_code rc = ERR_NONE;
	size_t i = 0;

	if (doc->kind != DOC_LIST)
		return read_item(reading, doc, items, 0, err);
	for (const struct doc *d = doc->first; d && !rc; d = d->next, i++) {
		rc = read_item(&item, d, items, i, NULL);
		if (!rc)
			continue;
		item.path =
		    arena_printf(reading->arena, "%s[%zu]", reading->path, i);
		if (!item.path)
			return field_no_memory(reading->path, err);
		rc = read_item(&item, d, items, i, err);
	}
	return rc;
}

static enum err_code read_list(const struct field_reading *reading,
			       const struct doc *doc, void *to, struct err *err)
{
	const enum field_kind kind = reading->field->kind;
	const size_t n = doc->kind == DOC_LIST ? doc->n : 1;
	enum err_code rc;
	void *items;

	items = arena_array(reading->arena, n, item_size(kind));
	if (!items)
		return field_no_memory(reading->path, err);
	rc = read_items(reading, doc, items, err);
	if (rc)
		return rc;
	if (kind == FIELD_INTS)
		*(struct field_ints *)to = (struct field_ints){ n, items };
	else if (kind == FIELD_DOUBLES)
		*(struct field_doubles *)to =
		    (struct field_doubles){ n, items };
	else
		*(struct field_strings *)to =
		    (struct field_strings){ n, items };
	return ERR_NONE;
}

enum err_code field_read_value(const struct field_reading *reading,
			       const struct doc *doc, void *to, struct err *err)
{
	switch (reading->field->kind) {
	case FIELD_BOOL:
		if (doc->kind != DOC_BOOL)
			return mismatch(reading, doc, err);
		*(bool *)to = doc->boolean;
		return ERR_NONE;
	case FIELD_INT:
		return read_int(reading, doc, to, err);
	case FIELD_DOUBLE:
		return read_double(reading, doc, to, err);
	case FIELD_STRING:
		return read_string(reading, doc, to, err);
	case FIELD_ENUM:
		return read_enum(reading, doc, to, err);
	case FIELD_BYTES:
		return read_bytes(reading, doc, to, err);
	case FIELD_SECONDS:
		return read_seconds(reading, doc, to, err);
	case FIELD_DOC:
		*(const struct doc **)to = doc;
		return ERR_NONE;
	default:
		return read_list(reading, doc, to, err);
	}
}
