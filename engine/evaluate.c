/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What evaluated operators share: numbers, cutting and joining tensors.
 */
#include "engine/evaluate.h"

#include <string.h>

#include "engine/node_call.h"

enum err_code evaluate_int(const struct evaluate *call, unsigned i,
			   int64_t *ret, struct err *err)
{
	const struct fact *fact = &call->in[i].fact;

	if (shape_count(&fact->shape) != 1)
		return err_set(err, ERR_SHAPE,
			       "input %u: expected one number, got %lld", i,
			       (long long)shape_count(&fact->shape));
	dtype_convert(fact->type.elem, fact->value, DTYPE_I64, ret, 1, false);
	return ERR_NONE;
}

enum err_code evaluate_scalar(struct run_heap *heap, enum dtype elem,
			      int64_t value, struct item *ret, struct err *err)
{
	struct item item = { .fact = { .type = { .elem = elem } } };
	enum err_code rc = item_alloc(heap, &item, err);

	if (rc)
		return rc;
	dtype_convert(DTYPE_I64, &value, elem, item_data(&item), 1, false);
	*ret = item;
	return ERR_NONE;
}

/* ---- joining ------------------------------------------------------------- */

struct join {
	const struct item *part;
	size_t n;
	int64_t axis;
	bool as_new;
};

/* The shape of part i with the axis that they are joined along. */
static enum err_code part_shape(const struct join *join, size_t i,
				struct shape *ret, unsigned *ret_axis,
				struct err *err)
{
	const struct shape *shape = &join->part[i].fact.shape;
	enum err_code rc;

	*ret = *shape;
	if (join->as_new && shape->rank == SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE, "a rank above %d",
			       SHAPE_MAX_RANK);
	rc = shape_axis(join->axis, shape->rank + join->as_new, "the axis",
			ret_axis, err);
	if (rc || !join->as_new)
		return rc;
	for (unsigned d = shape->rank; d > *ret_axis; d--)
		ret->dim[d] = shape->dim[d - 1];
	ret->dim[*ret_axis] = 1;
	ret->rank++;
	return ERR_NONE;
}

/* The joined shape; every part must agree but along the axis. */
static enum err_code join_shape(const struct join *join, struct shape *ret,
				unsigned *ret_axis, struct err *err)
{
	char want[128], got[128];
	enum err_code rc = part_shape(join, 0, ret, ret_axis, err);

	for (size_t i = 1; i < join->n && !rc; i++) {
		const int64_t so_far = ret->dim[*ret_axis];
		struct shape shape;
		unsigned other;

		rc = part_shape(join, i, &shape, &other, err);
		if (rc)
			break;
		ret->dim[*ret_axis] = shape.dim[*ret_axis];
		if (join->part[i].fact.type.elem !=
			join->part[0].fact.type.elem ||
		    !shape_equal(ret, &shape))
			return err_set(err, ERR_SHAPE,
				       "tensors of %s and %s cannot be joined",
				       shape_text(ret, want, sizeof(want)),
				       shape_text(&shape, got, sizeof(got)));
		ret->dim[*ret_axis] += so_far;
		rc = shape_check(ret, "the joined tensors", err);
	}
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): what joining needs */
enum err_code evaluate_join(struct run_heap *heap, const struct item *part,
			    size_t n, int64_t axis, bool as_new,
			    struct item *ret, struct err *err)
{
	const struct join join = { part, n, axis, as_new };
	struct item whole = { .fact = { .type = part[0].fact.type } };
	size_t size, outer, at = 0, row;
	unsigned place;
	enum err_code rc = join_shape(&join, &whole.fact.shape, &place, err);

	if (!rc)
		rc = item_alloc(heap, &whole, err);
	if (rc)
		return rc;
	size = dtype_info(whole.fact.type.elem)->size;
	outer = (size_t)shape_range(&whole.fact.shape, 0, place);
	row = (size_t)shape_range(&whole.fact.shape, place,
				  whole.fact.shape.rank) *
	      size;
	for (size_t i = 0; i < n; i++) {
		const char *from = part[i].fact.value;
		const size_t bytes =
		    outer ? fact_data_bytes(&part[i].fact) / outer : 0;

		for (size_t o = 0; o < outer && bytes; o++)
			memcpy((char *)item_data(&whole) + o * row + at,
			       from + o * bytes, bytes);
		at += bytes;
	}
	*ret = whole;
	return ERR_NONE;
}

/* ---- cutting ------------------------------------------------------------- */

enum err_code evaluate_cut(struct run_heap *heap, const struct item *from,
			   const struct evaluate_cut *cut, struct item *ret,
			   struct err *err)
{
	const struct shape *shape = &from->fact.shape;
	struct item part = { .fact = { .type = from->fact.type,
				       .shape = *shape } };
	const size_t outer = (size_t)shape_range(shape, 0, cut->axis);
	const size_t inner =
	    (size_t)shape_range(shape, cut->axis + 1, shape->rank) *
	    dtype_info(from->fact.type.elem)->size;
	const size_t bytes = (size_t)cut->n * inner;
	const char *data = from->fact.value;
	enum err_code rc;

	part.fact.shape.dim[cut->axis] = cut->n;
	if (cut->squeeze) {
		part.fact.shape.rank--;
		for (unsigned d = cut->axis; d < part.fact.shape.rank; d++)
			part.fact.shape.dim[d] = shape->dim[d + 1];
	}
	rc = item_alloc(heap, &part, err);
	if (rc)
		return rc;
	for (size_t o = 0; o < outer && bytes; o++)
		memcpy((char *)item_data(&part) + o * bytes,
		       data + (o * (size_t)shape->dim[cut->axis] +
			       (size_t)cut->first) *
				  inner,
		       bytes);
	*ret = part;
	return ERR_NONE;
}
