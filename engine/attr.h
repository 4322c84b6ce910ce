/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes: from whoever names them to a row's attrs struct.
 *
 * A source (the ONNX reader, graph text, a list in a test) tells its
 * attributes one by one as struct attr_value; op_attrs_read() puts them where
 * the row's table says, converts (an int where a float is wanted), fills in
 * defaults, checks ranges and required ones, and refuses unknown names with
 * the nearest valid one.
 *
 * Ownership: lists, strings and tensors' structs are copied into the arena;
 *            tensors' elements and strings of ATTR_STRINGS too.
 * Threads:   pure.
 */
#ifndef ENGINE_ATTR_H
#define ENGINE_ATTR_H

#include "engine/op.h"

/** Only the member of `kind` counts. Pointers are borrowed during the read. */
struct attr_value {
	enum attr_kind kind;
	int64_t i;		     /**< ATTR_INT */
	double f;		     /**< ATTR_FLOAT */
	struct str s;		     /**< ATTR_STRING */
	struct attr_ints ints;	     /**< ATTR_INTS */
	struct attr_floats floats;   /**< ATTR_FLOATS */
	struct attr_strings strings; /**< ATTR_STRINGS */
	const struct tensor_view *t; /**< ATTR_TENSOR */
};

/** Attributes number 0 to n - 1. at() names attribute i (NUL-terminated) and
 * gives its value; a list without members may come as any kind of list. It
 * returns ERR_UNSUPPORTED or ERR_FORMAT for one it cannot represent. */
struct attr_source {
	const void *ctx;
	size_t n;
	enum err_code (*at)(const void *ctx, size_t i, const char **ret_name,
			    struct attr_value *ret, struct err *err);
};

/** A list of them in memory: a source with ctx = the list, n = list.n,
 * at = attr_list_at. */
struct attr_named {
	const char *name;
	struct attr_value value;
};
struct attr_list {
	const struct attr_named *item;
	size_t n;
};
enum err_code attr_list_at(const void *ctx, size_t i, const char **ret_name,
			   struct attr_value *ret, struct err *err);
/** No attributes at all. */
extern const struct attr_source attr_source_none;

/** `where` begins every message ("node 'conv1' (Conv)"). table may be NULL
 * when size is 0. ret_attrs: size bytes in the arena, never NULL. */
MUST_USE enum err_code op_attrs_read(const struct op_attr *table, size_t size,
				     const struct attr_source *source,
				     const char *where, struct arena *arena,
				     const void **ret_attrs, struct err *err);
/** A struct that holds defaults already, and who asks. */
struct attr_target {
	const struct op_attr *table;
	const char *where;
	struct arena *arena;
	void *into;
};
/** One attribute of it. */
MUST_USE enum err_code op_attr_set(const struct attr_target *target,
				   const char *name,
				   const struct attr_value *value,
				   struct err *err);
/** False for a row whose member lies outside of the struct. */
bool op_attr_fits(const struct op_attr *row, size_t attrs_size);
/** Row of a table by name, or NULL. */
const struct op_attr *op_attr_find(const struct op_attr *table,
				   const char *name);
/** A node's attributes with their own lists, strings and tensors; attrs NULL:
 * the defaults. NULL: out of memory, or the row has none. */
const void *op_attrs_copy(const struct op *op, const void *attrs,
			  struct arena *arena);
/** The same members, lists and elements behind pointers included. */
bool op_attrs_equal(const struct op *op, const void *a, const void *b);
/** The same, but for numbers (not lists of them) within tolerance |a|. */
bool op_attrs_near(const struct op *op, const void *a, const void *b,
		   double tolerance);
/** Reads a member back; lists and strings are borrowed. False when a string
 * or tensor is absent (NULL). */
bool op_attr_get(const struct op_attr *row, const void *attrs,
		 struct attr_value *ret);

#endif
