/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attr.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/field.h"

enum { NAMES_MAX = 64 }; /* rows of a table that a message looks through */

const struct attr_source attr_source_none = { .n = 0 };

enum err_code attr_list_at(const void *ctx, size_t i, const char **ret_name,
			   struct attr_value *ret, struct err *err)
{
	const struct attr_list *list = ctx;

	(void)err;
	*ret_name = list->item[i].name;
	*ret = list->item[i].value;
	return ERR_NONE;
}

static const char *const kind_names[] = {
	[ATTR_INT] = "an integer",
	[ATTR_FLOAT] = "a number",
	[ATTR_STRING] = "a text",
	[ATTR_INTS] = "a list of integers",
	[ATTR_FLOATS] = "a list of numbers",
	[ATTR_STRINGS] = "a list of texts",
	[ATTR_TENSOR] = "a tensor",
};

static size_t kind_size(enum attr_kind kind)
{
	switch (kind) {
	case ATTR_INT:
		return sizeof(int64_t);
	case ATTR_FLOAT:
		return sizeof(double);
	case ATTR_STRING:
		return sizeof(const char *);
	case ATTR_INTS:
		return sizeof(struct attr_ints);
	case ATTR_FLOATS:
		return sizeof(struct attr_floats);
	case ATTR_STRINGS:
		return sizeof(struct attr_strings);
	case ATTR_TENSOR:
		return sizeof(void *);
	}
	return 0;
}

bool op_attr_fits(const struct op_attr *row, size_t attrs_size)
{
	return row->offset + kind_size(row->kind) <= attrs_size;
}

/* memcpy: members are of any type, and the struct is seen as bytes */
static void put(const struct op_attr *row, void *into, const void *member)
{
	memcpy((char *)into + row->offset, member, kind_size(row->kind));
}

void op_attr_defaults(const struct op_attr *attrs, void *into)
{
	for (const struct op_attr *row = attrs; row && row->name; row++) {
		const int64_t whole =
		    row->kind == ATTR_INT ? (int64_t)row->def : 0;

		if (row->kind == ATTR_INT)
			put(row, into, &whole);
		else if (row->kind == ATTR_FLOAT)
			put(row, into, &row->def);
		else if (row->kind == ATTR_STRING)
			put(row, into, &row->def_text);
		else
			memset((char *)into + row->offset, 0,
			       kind_size(row->kind));
	}
}

const struct op_attr *op_attr_find(const struct op_attr *table,
				   const char *name)
{
	for (const struct op_attr *row = table; row && row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

bool op_attr_get(const struct op_attr *row, const void *attrs,
		 struct attr_value *ret)
{
	const void *member = (const char *)attrs + row->offset;
	const char *text = NULL;

	*ret = (struct attr_value){ .kind = row->kind };
	switch (row->kind) {
	case ATTR_INT:
		memcpy(&ret->i, member, sizeof(ret->i));
		return true;
	case ATTR_FLOAT:
		memcpy(&ret->f, member, sizeof(ret->f));
		return true;
	case ATTR_STRING:
		memcpy(&text, member, sizeof(text));
		ret->s = (struct str){ text, text ? strlen(text) : 0 };
		return text;
	case ATTR_INTS:
		memcpy(&ret->ints, member, sizeof(ret->ints));
		return true;
	case ATTR_FLOATS:
		memcpy(&ret->floats, member, sizeof(ret->floats));
		return true;
	case ATTR_STRINGS:
		memcpy(&ret->strings, member, sizeof(ret->strings));
		return true;
	case ATTR_TENSOR:
		memcpy(&ret->t, member, sizeof(void *));
		return ret->t;
	}
	return false;
}

static enum err_code no_memory(const char *where, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
}

/* ---- conversion and checks ----------------------------------------------- */

static bool is_empty_list(const struct attr_value *value)
{
	return (value->kind == ATTR_INTS && value->ints.n == 0) ||
	       (value->kind == ATTR_FLOATS && value->floats.n == 0) ||
	       (value->kind == ATTR_STRINGS && value->strings.n == 0);
}

static bool ints_to_floats(struct attr_value *value, struct arena *arena)
{
	size_t n = value->ints.n;
	float *list = arena_array(arena, n + 1, sizeof(*list));

	if (!list)
		return false;
	for (size_t i = 0; i < n; i++)
		list[i] = (float)value->ints.v[i];
	value->floats = (struct attr_floats){ n, list };
	return true;
}

/* To the kind of the row, where that loses nothing. */
static enum err_code convert(const struct op_attr *row,
			     struct attr_value *value, const char *where,
			     struct arena *arena, struct err *err)
{
	enum attr_kind from = value->kind;

	value->kind = row->kind;
	if (from == row->kind)
		return ERR_NONE;
	if (from == ATTR_INT && row->kind == ATTR_FLOAT) {
		value->f = (double)value->i;
		return ERR_NONE;
	}
	value->kind = from;
	if (is_empty_list(value) &&
	    (row->kind == ATTR_INTS || row->kind == ATTR_FLOATS ||
	     row->kind == ATTR_STRINGS)) {
		*value = (struct attr_value){ .kind = row->kind };
		return ERR_NONE;
	}
	if (from == ATTR_INTS && row->kind == ATTR_FLOATS) {
		value->kind = row->kind;
		return ints_to_floats(value, arena) ? ERR_NONE
						    : no_memory(where, err);
	}
	return err_set(err, ERR_INVALID,
		       "%s: attribute '%s' must be %s, but is %s", where,
		       row->name, kind_names[row->kind], kind_names[from]);
}

static enum err_code check_number(const struct op_attr *row, double number,
				  const char *where, struct err *err)
{
	if ((row->min == 0 && row->max == 0) ||
	    (number >= row->min && number <= row->max))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "%s: attribute '%s' must be from %g to %g, but is %g",
		       where, row->name, row->min, row->max, number);
}

/* Files hold floats: a bound that is none is met by the float next to it. */
static double settle(const struct op_attr *row, double number)
{
	if (fabs(number) > (double)FLT_MAX)
		return number;
	if ((float)number == (float)row->max)
		return row->max;
	return (float)number == (float)row->min ? row->min : number;
}

static enum err_code check_range(const struct op_attr *row,
				 const struct attr_value *value,
				 const char *where, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (row->kind == ATTR_INT)
		return check_number(row, (double)value->i, where, err);
	if (row->kind == ATTR_FLOAT)
		return check_number(row, settle(row, value->f), where, err);
	if (row->kind == ATTR_INTS)
		for (size_t i = 0; i < value->ints.n && !rc; i++)
			rc = check_number(row, (double)value->ints.v[i], where,
					  err);
	else if (row->kind == ATTR_FLOATS)
		for (size_t i = 0; i < value->floats.n && !rc; i++)
			rc = check_number(
			    row, settle(row, (double)value->floats.v[i]), where,
			    err);
	else if (row->kind == ATTR_STRING &&
		 memchr(value->s.bytes ? value->s.bytes : "", 0, value->s.len))
		rc = err_set(err, ERR_INVALID,
			     "%s: attribute '%s' holds a NUL byte", where,
			     row->name);
	return rc;
}

/* ---- storing ------------------------------------------------------------- */

static bool store_strings(const struct op_attr *row,
			  const struct attr_strings *from, struct arena *arena,
			  void *into)
{
	struct str *list = arena_array(arena, from->n + 1, sizeof(*list));
	struct attr_strings member = { from->n, list };

	for (size_t i = 0; list && i < from->n; i++) {
		list[i].len = from->v[i].len;
		list[i].bytes =
		    arena_strndup(arena, from->v[i].bytes, from->v[i].len);
		if (!list[i].bytes)
			return false;
	}
	put(row, into, &member);
	return list;
}

/* Stores a copy of what the value points to; false: out of memory. */
static bool store(const struct op_attr *row, const struct attr_value *value,
		  struct arena *arena, void *into)
{
	struct attr_ints ints = { value->ints.n, NULL };
	struct attr_floats floats = { value->floats.n, NULL };
	const struct tensor_view *tensor;
	const char *text;

	switch (row->kind) {
	case ATTR_INT:
		put(row, into, &value->i);
		return true;
	case ATTR_FLOAT:
		put(row, into, &value->f);
		return true;
	case ATTR_STRING:
		text = arena_strndup(arena, value->s.bytes, value->s.len);
		put(row, into, &text);
		return text;
	case ATTR_INTS:
		if (ints.n)
			ints.v = arena_copy(arena, value->ints.v,
					    ints.n * sizeof(*ints.v));
		put(row, into, &ints);
		return ints.v || !ints.n;
	case ATTR_FLOATS:
		if (floats.n)
			floats.v = arena_copy(arena, value->floats.v,
					      floats.n * sizeof(*floats.v));
		put(row, into, &floats);
		return floats.v || !floats.n;
	case ATTR_STRINGS:
		return store_strings(row, &value->strings, arena, into);
	case ATTR_TENSOR:
		tensor = tensor_copy(value->t, arena);
		put(row, into, &tensor);
		return tensor;
	}
	return false;
}

static enum err_code unknown(const struct op_attr *table, const char *name,
			     const char *where, struct err *err)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < NAMES_MAX && table && table[i].name; i++)
		names[i] = table[i].name;
	near = field_nearest(name, names);
	if (near)
		return err_set(err, ERR_INVALID,
			       "%s: unknown attribute '%s'; did you mean '%s'?",
			       where, name, near);
	return err_set(err, ERR_INVALID, "%s: unknown attribute '%s'", where,
		       name);
}

enum err_code op_attr_set(const struct attr_target *target, const char *name,
			  const struct attr_value *value, struct err *err)
{
	const struct op_attr *row = op_attr_find(target->table, name);
	const char *where = target->where;
	struct attr_value own = *value;
	enum err_code rc;

	if (!row)
		return unknown(target->table, name, where, err);
	rc = convert(row, &own, where, target->arena, err);
	if (!rc)
		rc = check_range(row, &own, where, err);
	if (!rc && !store(row, &own, target->arena, target->into))
		rc = no_memory(where, err);
	return rc;
}

/* One attribute of a source; seen: bit i for row i of the table. */
static enum err_code read_one(const struct attr_target *target,
			      const struct attr_source *source, size_t i,
			      uint64_t *seen, struct err *err)
{
	struct attr_value value = { 0 };
	const char *name = "";
	enum err_code rc = source->at(source->ctx, i, &name, &value, err);
	uint64_t bit;

	if (!rc)
		rc = op_attr_set(target, name, &value, err);
	if (rc)
		return rc;
	bit = 1ULL << (op_attr_find(target->table, name) - target->table);
	if (*seen & bit)
		return err_set(err, ERR_INVALID,
			       "%s: attribute '%s' is given twice",
			       target->where, name);
	*seen |= bit;
	return ERR_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): the parts of a table, and err */
enum err_code op_attrs_read(const struct op_attr *table, size_t size,
			    const struct attr_source *source, const char *where,
			    struct arena *arena, const void **ret_attrs,
			    struct err *err)
{
	struct attr_target target = { table, where, arena,
				      arena_alloc(arena, size ? size : 1) };
	uint64_t seen = 0;
	enum err_code rc = ERR_NONE;

	if (!target.into)
		return no_memory(where, err);
	op_attr_defaults(table, target.into);
	for (size_t i = 0; i < source->n && !rc; i++)
		rc = read_one(&target, source, i, &seen, err);
	for (const struct op_attr *row = table; !rc && row && row->name; row++)
		if ((row->flags & ATTR_REQUIRED) &&
		    !(seen >> (row - table) & 1))
			rc = err_set(err, ERR_INVALID,
				     "%s: attribute '%s' is missing", where,
				     row->name);
	if (!rc)
		*ret_attrs = target.into;
	return rc;
}

const void *op_attrs_copy(const struct op *op, const void *attrs,
			  struct arena *arena)
{
	void *copy;

	if (!op->attrs_size)
		return NULL;
	copy = arena_alloc(arena, op->attrs_size);
	if (!copy)
		return NULL;
	if (!attrs) {
		op_attr_defaults(op->attrs, copy);
		return copy;
	}
	memcpy(copy, attrs, op->attrs_size);
	for (const struct op_attr *row = op->attrs; row && row->name; row++) {
		struct attr_value value;

		if (op_attr_get(row, attrs, &value) &&
		    !store(row, &value, arena, copy))
			return NULL;
	}
	return copy;
}
