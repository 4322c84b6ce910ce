/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/field.h"
#include "base/json_write.h"
#include "base/str.h"

static void write_kind(struct json_writer *w, const char *type)
{
	json_write_object(w, NULL);
	json_write_string(w, "type", type);
	json_write_object_end(w);
}

static void write_either(struct json_writer *w, const char *a, const char *b)
{
	json_write_array(w, "type");
	json_write_string(w, NULL, a);
	json_write_string(w, NULL, b);
	json_write_array_end(w);
}

/* One of them, or a list. */
static void write_list(struct json_writer *w, const char *type)
{
	json_write_array(w, "anyOf");
	write_kind(w, type);
	json_write_object(w, NULL);
	json_write_string(w, "type", "array");
	json_write_object(w, "items");
	json_write_string(w, "type", type);
	json_write_object_end(w);
	json_write_object_end(w);
	json_write_array_end(w);
}

static void write_range(const struct field *f, struct json_writer *w)
{
	const bool has_range = f->min < f->max;

	if (f->kind == FIELD_INT) {
		if (has_range) {
			json_write_int(w, "minimum", (int64_t)f->min);
			json_write_int(w, "maximum", (int64_t)f->max);
		}
		json_write_int(w, "default", (int64_t)f->def);
		return;
	}
	if (has_range) {
		json_write_double(w, "minimum", f->min);
		json_write_double(w, "maximum", f->max);
	}
	json_write_double(w, "default", f->def);
}

static void write_enum(const struct field *f, struct json_writer *w)
{
	json_write_array(w, "enum");
	for (size_t i = 0; f->names[i]; i++)
		json_write_string(w, NULL, f->names[i]);
	json_write_array_end(w);
	json_write_string(w, "default", f->names[(size_t)f->def]);
}

static void write_type(const struct field *f, struct json_writer *w)
{
	switch (f->kind) {
	case FIELD_BOOL:
		json_write_string(w, "type", "boolean");
		json_write_bool(w, "default", f->def > 0);
		break;
	case FIELD_INT:
		json_write_string(w, "type", "integer");
		write_range(f, w);
		break;
	case FIELD_DOUBLE:
		json_write_string(w, "type", "number");
		write_range(f, w);
		break;
	case FIELD_STRING:
		json_write_string(w, "type", "string");
		if (f->def_text)
			json_write_string(w, "default", f->def_text);
		break;
	case FIELD_ENUM:
		write_enum(f, w);
		break;
	case FIELD_BYTES:
		write_either(w, "integer", "string");
		break;
	case FIELD_SECONDS:
		write_either(w, "number", "string");
		break;
	case FIELD_INTS:
		write_list(w, "integer");
		break;
	case FIELD_DOUBLES:
		write_list(w, "number");
		break;
	case FIELD_STRINGS:
		write_list(w, "string");
		break;
	case FIELD_DOC:
		break;
	}
}

static void write_leaf(const struct field *f, struct json_writer *w)
{
	json_write_object(w, f->name);
	if (f->help)
		json_write_string(w, "description", f->help);
	write_type(f, w);
	json_write_object_end(w);
}

static void write_required(const struct field *table, struct json_writer *w)
{
	bool has_required = false;

	for (const struct field *f = table; f->name; f++)
		has_required = has_required || f->flags & FIELD_REQUIRED;
	if (has_required) {
		json_write_array(w, "required");
		for (const struct field *f = table; f->name; f++) {
			if (f->flags & FIELD_REQUIRED)
				json_write_string(w, NULL, f->name);
		}
		json_write_array_end(w);
	}
	json_write_bool(w, "additionalProperties", false);
}

/* A map in a map. */
static void write_table(const struct field *table, struct json_writer *w)
{
	json_write_string(w, "type", "object");
	json_write_object(w, "properties");
	for (const struct field *f = table; f->name; f++) {
		if (!(f->flags & FIELD_HIDDEN))
			write_leaf(f, w);
	}
	json_write_object_end(w);
	write_required(table, w);
}

static void write_property(const struct field *f, const struct field_sub *sub,
			   struct json_writer *w)
{
	while (sub && sub->name && !str_equal(sub->name, f->name))
		sub++;
	if (!sub || !sub->name) {
		write_leaf(f, w);
		return;
	}
	json_write_object(w, f->name);
	if (f->help)
		json_write_string(w, "description", f->help);
	if (sub->write)
		sub->write(w);
	else
		write_table(sub->table, w);
	json_write_object_end(w);
}

void field_schema_properties(const struct field *table, const char *type,
			     const struct field_sub *sub,
			     struct json_writer *writer)
{
	if (type) {
		json_write_object(writer, "type");
		json_write_string(writer, "const", type);
		json_write_object_end(writer);
	}
	for (const struct field *f = table; f->name; f++) {
		if (!(f->flags & FIELD_HIDDEN))
			write_property(f, sub, writer);
	}
}

void field_schema(const struct field *table, const char *type,
		  const struct field_sub *sub, struct json_writer *writer)
{
	json_write_string(writer, "type", "object");
	json_write_object(writer, "properties");
	field_schema_properties(table, type, sub, writer);
	json_write_object_end(writer);
	write_required(table, writer);
}
