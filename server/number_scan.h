/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Number scan: a JSON array straight into the elements of a tensor.
 *
 * Numbers never become objects: the digits of a `data` array are read once and
 * written as elements of the wanted type. The array may be nested or flat; only
 * the count of elements is checked, as other servers do. Floats are rounded
 * once, to nearest even (float16 and bfloat16 by way of double). NaN, Infinity
 * and -Infinity are read as bare words, which is what numpy and Triton write;
 * a finite number that overflows its type is refused. Integers must be written
 * without point and exponent and fit their type; true, false, 0 and 1 are
 * bools. Strings are checked to be UTF-8 and unescaped; {"b64": "..."} in a
 * string's place is its bytes, whatever they are.
 *
 * Ownership: strings without escapes point into the text, which must outlive
 *            the tensor; the others are copied into the arena.
 * Threads:   pure but for out and arena.
 * Limits:    32 levels; stops at count.
 */
#ifndef SERVER_NUMBER_SCAN_H
#define SERVER_NUMBER_SCAN_H

#include "base/arena.h"
#include "engine/tensor.h"

enum { NUMBER_SCAN_DEPTH = 32 };

struct number_target {
	const char *name; /**< begins messages: "input 'x'" */
	enum dtype dtype; /**< one that has a v2 name */
	size_t count;	  /**< elements that must come */
	void *out;	  /**< room for count elements */
	struct arena *arena;
};

/** Scans the value at the start of text: an array or a lone element.
 * *ret_used: the bytes it took; what follows is the caller's. */
MUST_USE enum err_code number_scan(const char *text, size_t len,
				   const struct number_target *target,
				   size_t *ret_used, struct err *err);

/** What an array holds, by its first element. */
enum number_kind {
	NUMBER_NONE, /**< no elements */
	NUMBER_NUMBER,
	NUMBER_BOOL,
	NUMBER_STRING,
	NUMBER_OTHER, /**< null or an object */
};

/** Measures a nested array without reading its elements; ERR_SHAPE when it is
 * ragged. A lone element has rank 0. */
MUST_USE enum err_code number_scan_shape(const char *text, size_t len,
					 const char *name,
					 struct shape *ret_shape,
					 enum number_kind *ret_kind,
					 struct err *err);

#endif
