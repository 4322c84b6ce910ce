/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

enum { TEXT_MAX = 160 }; /* 8 extents of 19 digits, in the worst case */

static enum err_code check_extents(unsigned rank, const int64_t *dim,
				   const char *what, struct err *err)
{
	int64_t count = 1;

	if (rank > SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE,
			       "%s has rank %u; at most %d is supported", what,
			       rank, SHAPE_MAX_RANK);
	for (unsigned i = 0; i < rank; i++) {
		if (dim[i] < 0 || dim[i] > SHAPE_MAX_EXTENT)
			return err_set(err, ERR_SHAPE,
				       "%s has extent %" PRId64 " at axis %u; "
				       "extents go from 0 to %" PRId64,
				       what, dim[i], i, SHAPE_MAX_EXTENT);
	}
	/* a zero counts as one: the product of any of the extents fits, too */
	for (unsigned i = 0; i < rank; i++) {
		if (dim[i] > (SHAPE_MAX_COUNT - 1) / count)
			return err_set(err, ERR_TOO_LARGE,
				       "%s has 2^40 elements or more", what);
		count *= dim[i] ? dim[i] : 1;
	}
	return ERR_NONE;
}

enum err_code shape_check(const struct shape *shape, const char *what,
			  struct err *err)
{
	return check_extents(shape->rank, shape->dim, what, err);
}

struct shape shape_of(const int64_t *dim, size_t n)
{
	struct shape shape = { .rank = (unsigned)n };

	for (size_t i = 0; i < n; i++)
		shape.dim[i] = dim[i];
	return shape;
}

int64_t shape_count(const struct shape *shape)
{
	return shape_range(shape, 0, shape->rank);
}

int64_t shape_range(const struct shape *shape, unsigned first, unsigned last)
{
	int64_t count = 1;

	for (unsigned i = first; i < last; i++)
		count *= shape->dim[i];
	return count;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	if (a->rank != b->rank)
		return false;
	for (unsigned i = 0; i < a->rank; i++)
		if (a->dim[i] != b->dim[i])
			return false;
	return true;
}

/* extent of axis i of the result's rank, counted from the end */
static int64_t dim_from_end(const struct shape *shape, unsigned i)
{
	return i < shape->rank ? shape->dim[shape->rank - 1 - i] : 1;
}

enum err_code shape_broadcast(const struct shape *a, const struct shape *b,
			      struct shape *ret, struct err *err)
{
	struct shape out = { .rank = a->rank > b->rank ? a->rank : b->rank };
	char text_a[TEXT_MAX], text_b[TEXT_MAX];

	for (unsigned i = 0; i < out.rank; i++) {
		int64_t x = dim_from_end(a, i), y = dim_from_end(b, i);

		if (x != y && x != 1 && y != 1)
			return err_set(err, ERR_SHAPE,
				       "shapes %s and %s do not broadcast",
				       shape_text(a, text_a, sizeof(text_a)),
				       shape_text(b, text_b, sizeof(text_b)));
		out.dim[out.rank - 1 - i] = x == 1 ? y : x;
	}
	*ret = out;
	return shape_check(ret, "the broadcast result", err);
}

enum err_code shape_axis(int64_t axis, unsigned rank, const char *what,
			 unsigned *ret_axis, struct err *err)
{
	if (axis < -(int64_t)rank || axis >= (int64_t)rank)
		return err_set(err, ERR_SHAPE,
			       "%s %" PRId64 " is outside of rank %u", what,
			       axis, rank);
	*ret_axis = (unsigned)(axis < 0 ? axis + (int64_t)rank : axis);
	return ERR_NONE;
}

const char *shape_text(const struct shape *shape, char *text, size_t cap)
{
	size_t len = 0;

	if (cap == 0)
		return "";
	for (unsigned i = 0; i < shape->rank && len < cap; i++)
		len += (size_t)snprintf(text + len, cap - len, "%s%" PRId64,
					i ? "," : "[", shape->dim[i]);
	if (len < cap)
		(void)snprintf(text + len, cap - len, shape->rank ? "]" : "[]");
	return text;
}

static bool copy_strings(struct str *list, size_t n, struct arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		list[i].bytes = arena_strndup(
		    arena, list[i].bytes ? list[i].bytes : "", list[i].len);
		if (!list[i].bytes)
			return false;
	}
	return true;
}

struct tensor_view *tensor_copy(const struct tensor_view *view,
				struct arena *arena)
{
	struct tensor_view *copy = arena_copy(arena, view, sizeof(*view));
	size_t bytes = tensor_bytes(view->dtype, &view->shape);

	if (!copy)
		return NULL;
	copy->data = arena_aligned(arena, bytes ? bytes : 1);
	if (!copy->data)
		return NULL;
	if (bytes)
		memcpy(copy->data, view->data, bytes);
	if (view->dtype == DTYPE_STRING &&
	    !copy_strings(copy->data, bytes / sizeof(struct str), arena))
		return NULL;
	return copy;
}

static bool equal_strings(const struct str *a, const struct str *b, size_t n)
{
	bool equal = true;

	for (size_t i = 0; i < n && equal; i++)
		equal =
		    a[i].len == b[i].len &&
		    (!a[i].len || !memcmp(a[i].bytes, b[i].bytes, a[i].len));
	return equal;
}

bool tensor_equal(const struct tensor_view *a, const struct tensor_view *b)
{
	const size_t bytes = tensor_bytes(a->dtype, &a->shape);

	if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape))
		return false;
	if (a->dtype == DTYPE_STRING)
		return equal_strings(a->data, b->data,
				     bytes / sizeof(struct str));
	return !bytes || !memcmp(a->data, b->data, bytes);
}

size_t tensor_bytes(enum dtype dtype, const struct shape *shape)
{
	return (size_t)shape_count(shape) * dtype_info(dtype)->size;
}

enum err_code tensor_bytes_checked(enum dtype dtype, unsigned rank,
				   const int64_t *dim, const char *what,
				   size_t *ret_bytes, struct err *err)
{
	size_t count = 1;
	enum err_code rc;

	if (dtype_info(dtype)->size == 0)
		return err_set(err, ERR_INVALID, "%s has unknown type %d", what,
			       (int)dtype);
	rc = check_extents(rank, dim, what, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < rank; i++)
		count *= (size_t)dim[i]; /* below 2^40, or 0 */
	*ret_bytes = count * dtype_info(dtype)->size;
	return ERR_NONE;
}
