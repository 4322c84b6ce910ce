/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fields: a table of rows that says how a map of a document fills a struct.
 *
 * One table serves reading (defaults, types, ranges, "unknown key
 * 'lerning_rate' in trainer: did you mean 'learning_rate'?"), writing the
 * resolved form back, and documentation. Job specs, layers, optimizers,
 * schedules and features are all read this way.
 *
 * Ownership: strings and lists land in the arena handed in.
 * Threads:   tables are const; the rest is the caller's.
 */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"

struct json_writer;

/* the C type at `offset` is in the comment */
enum field_kind {
	FIELD_BOOL,    /* bool */
	FIELD_INT,     /* int64_t */
	FIELD_DOUBLE,  /* double */
	FIELD_STRING,  /* const char *, NULL when absent */
	FIELD_ENUM,    /* int: index into the row's names */
	FIELD_BYTES,   /* int64_t; 123, "2GiB", "64 MB" */
	FIELD_SECONDS, /* double; 90, "30m", "1.5h" */
	FIELD_INTS,    /* struct field_ints; one number is a list of one */
	FIELD_DOUBLES, /* struct field_doubles; the same */
	FIELD_STRINGS, /* struct field_strings; the same */
	FIELD_DOC,     /* const struct doc *, NULL when absent */
};

struct field_ints {
	size_t n;
	int64_t *v;
};
struct field_doubles {
	size_t n;
	double *v;
};
struct field_strings {
	size_t n;
	const char **v;
};

enum { FIELD_REQUIRED = 1, FIELD_HIDDEN = 2 };

struct field {
	const char *name, *help;
	size_t offset;
	enum field_kind kind;
	unsigned flags;
	double min, max;	  /**< numbers; both 0: no range */
	double def;		  /**< numbers, booleans, index of an enum */
	const char *def_text;	  /**< strings */
	const char *const *names; /**< enums: ends with NULL */
};

/** Fills `into` with the defaults of a table that ends with a NULL name. */
void field_defaults(const struct field *table, void *into);

/** Reads `map` (NULL: defaults only) into `into`. `where` names the map in
 * messages ("trainer.optimizer"). Unknown keys are refused with the nearest
 * valid one, unless `also` (ends with NULL; may be NULL) lists them. */
MUST_USE enum err_code field_read(const struct field *table,
				  const struct doc *map, const char *where,
				  const char *const *also, void *into,
				  struct arena *arena, struct err *err);

/** Writes every field as a member of the object that is open. */
void field_write(const struct field *table, const void *from,
		 struct json_writer *writer);

/** What a FIELD_DOC of that name is: a table, or what writes the members of its
 * schema. A list ends with a NULL name. */
struct field_sub {
	const char *name;
	const struct field *table; /* without maps of its own */
	void (*write)(struct json_writer *writer);
};
/** The members of a JSON Schema of a map, into the object that is open. type:
 * the value of a key `type` beside those of the table, or NULL. */
/** The same of its member "properties", which is open. */
void field_schema_properties(const struct field *table, const char *type,
			     const struct field_sub *sub,
			     struct json_writer *writer);
void field_schema(const struct field *table, const char *type,
		  const struct field_sub *sub, struct json_writer *writer);

/** The nearest of `names` (ends with NULL) by edit distance, or one that the
 * text begins or has in it; NULL when none is near. */
const char *field_nearest(const char *text, const char *const *names);

#endif
