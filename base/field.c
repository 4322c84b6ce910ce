/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"

#include <stdbool.h>

#include "base/field_priv.h"
#include "base/json_write.h"
#include "base/str.h"

static void *at(void *into, const struct field *field)
{
	return (char *)into + field->offset;
}

static const void *at_const(const void *from, const struct field *field)
{
	return (const char *)from + field->offset;
}

/* --- defaults --- */

static void set_default(const struct field *field, void *to)
{
	switch (field->kind) {
	case FIELD_BOOL:
		*(bool *)to = field->def != 0;
		break;
	case FIELD_INT:
	case FIELD_BYTES:
		*(int64_t *)to = (int64_t)field->def;
		break;
	case FIELD_DOUBLE:
	case FIELD_SECONDS:
		*(double *)to = field->def;
		break;
	case FIELD_STRING:
		*(const char **)to = field->def_text;
		break;
	case FIELD_ENUM:
		*(int *)to = (int)field->def;
		break;
	case FIELD_INTS:
		*(struct field_ints *)to = (struct field_ints){ 0 };
		break;
	case FIELD_DOUBLES:
		*(struct field_doubles *)to = (struct field_doubles){ 0 };
		break;
	case FIELD_STRINGS:
		*(struct field_strings *)to = (struct field_strings){ 0 };
		break;
	case FIELD_DOC:
		*(const struct doc **)to = NULL;
		break;
	}
}

void field_defaults(const struct field *table, void *into)
{
	for (const struct field *field = table; field->name; field++)
		set_default(field, at(into, field));
}

/* --- the map --- */

static size_t count_fields(const struct field *table)
{
	size_t n = 0;

	while (table[n].name)
		n++;
	return n;
}

static const char **known_names(const struct field *table,
				const char *const *also, struct arena *arena)
{
	const char **names;
	size_t n_also = 0, n = 0;

	while (also && also[n_also])
		n_also++;
	names = arena_array(arena, count_fields(table) + n_also + 1,
			    sizeof(*names));
	if (!names)
		return NULL;
	for (const struct field *field = table; field->name; field++)
		if (!(field->flags & FIELD_HIDDEN))
			names[n++] = field->name;
	for (size_t i = 0; i < n_also; i++)
		names[n++] = also[i];
	return names;
}

static enum err_code unknown_key(const struct field *table,
				 const struct doc *child, const char *where,
				 const char *const *also, struct arena *arena,
				 struct err *err)
{
	const char **names = known_names(table, also, arena);
	const char *help;

	if (!names)
		return field_no_memory(where, err);
	help = field_hint(child->key, names, arena);
	if (!*help)
		help = arena_printf(arena, "; known are %s",
				    *names ? field_join(names, arena) : "none");
	return err_set(err, ERR_INVALID, "%s%sunknown key '%.80s'%s%s", where,
		       *where ? ": " : "", child->key, help ? help : "",
		       field_line_note(child, arena));
}

static const struct field *find_field(const struct field *table,
				      const char *key)
{
	for (; table->name; table++)
		if (str_equal(table->name, key))
			return table;
	return NULL;
}

static bool is_listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (str_equal(*names, name))
			return true;
	return false;
}

static enum err_code check_required(const struct field *table,
				    const struct doc *map, const char *where,
				    struct err *err)
{
	for (const struct field *field = table; field->name; field++) {
		const struct doc *child = doc_find(map, field->name);

		if (!(field->flags & FIELD_REQUIRED) ||
		    (child && child->kind != DOC_NULL))
			continue;
		return err_set(
		    err, ERR_INVALID, "%s%s'%s' is missing%s%s%s", where,
		    *where ? ": " : "", field->name, field->help ? " (" : "",
		    field->help ? field->help : "", field->help ? ")" : "");
	}
	return ERR_NONE;
}

static enum err_code read_child(const struct field *field,
				const struct doc *child, const char *where,
				void *into, struct arena *arena,
				struct err *err)
{
	struct field_reading reading = { .field = field, .arena = arena };

	reading.path = arena_printf(arena, "%s%s%s", where, *where ? "." : "",
				    field->name);
	if (!reading.path)
		return field_no_memory(where, err);
	return field_read_value(&reading, child, at(into, field), err);
}

/* NOLINTNEXTLINE(readability-function-size): input, table, output, context */
enum err_code field_read(const struct field *table, const struct doc *map,
			 const char *where, const char *const *also, void *into,
			 struct arena *arena, struct err *err)
{
	enum err_code rc = ERR_NONE;

	field_defaults(table, into);
	if (map && map->kind != DOC_MAP && map->kind != DOC_NULL)
		return err_set(err, ERR_INVALID, "%s%sexpected a map, got %s%s",
			       where, *where ? ": " : "",
			       doc_describe(map, arena),
			       field_line_note(map, arena));
	for (const struct doc *child = map ? map->first : NULL; child && !rc;
	     child = child->next) {
		const struct field *field = find_field(table, child->key);

		if (!field && !is_listed(also, child->key))
			rc = unknown_key(table, child, where, also, arena, err);
		else if (field && child->kind != DOC_NULL)
			rc = read_child(field, child, where, into, arena, err);
	}
	return rc ? rc : check_required(table, map, where, err);
}

/* --- writing --- */

static void write_ints(struct json_writer *writer, const char *key,
		       const struct field_ints *list)
{
	json_write_array(writer, key);
	for (size_t i = 0; i < list->n; i++)
		json_write_int(writer, NULL, list->v[i]);
	json_write_array_end(writer);
}

static void write_doubles(struct json_writer *writer, const char *key,
			  const struct field_doubles *list)
{
	json_write_array(writer, key);
	for (size_t i = 0; i < list->n; i++)
		json_write_double(writer, NULL, list->v[i]);
	json_write_array_end(writer);
}

static void write_strings(struct json_writer *writer, const char *key,
			  const struct field_strings *list)
{
	json_write_array(writer, key);
	for (size_t i = 0; i < list->n; i++)
		json_write_string(writer, NULL, list->v[i]);
	json_write_array_end(writer);
}

/* A negative index means that none was chosen. */
static void write_enum(const struct field *field, int i,
		       struct json_writer *writer)
{
	json_write_string(writer, field->name, i >= 0 ? field->names[i] : NULL);
}

static void write_value(const struct field *field, const void *from,
			struct json_writer *writer)
{
	const char *key = field->name;

	switch (field->kind) {
	case FIELD_BOOL:
		json_write_bool(writer, key, *(const bool *)from);
		break;
	case FIELD_INT:
	case FIELD_BYTES:
		json_write_int(writer, key, *(const int64_t *)from);
		break;
	case FIELD_DOUBLE:
	case FIELD_SECONDS:
		json_write_double(writer, key, *(const double *)from);
		break;
	case FIELD_STRING:
		json_write_string(writer, key, *(const char *const *)from);
		break;
	case FIELD_ENUM:
		write_enum(field, *(const int *)from, writer);
		break;
	case FIELD_INTS:
		write_ints(writer, key, from);
		break;
	case FIELD_DOUBLES:
		write_doubles(writer, key, from);
		break;
	case FIELD_STRINGS:
		write_strings(writer, key, from);
		break;
	case FIELD_DOC:
		json_write_doc(writer, key, *(const struct doc *const *)from);
		break;
	}
}

void field_write(const struct field *table, const void *from,
		 struct json_writer *writer)
{
	for (const struct field *field = table; field->name; field++)
		write_value(field, at_const(from, field), writer);
}
