/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Unique: the different elements, or slices along an axis.
 *
 *   Y               each once: sorted, or in the order they came
 *   indices         where each came first
 *   inverse_indices which of Y each is
 *   counts          how often each came
 *
 * A stable merge sort of places, so that the first of equals comes first. The
 * elements decide the shape: infer() sorts to count, the kernel sorts again.
 * NaN is the last and equals itself. Source: ONNX, Unique 11.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel.h"

enum { AXIS_NONE = INT32_MIN };

struct unique_attrs {
	int64_t axis, sorted;
};

static const struct op_attr unique_attrs[] = {
	{ .name = "axis",
	  .help = "the axis of slices; by itself the flat tensor",
	  .offset = offsetof(struct unique_attrs, axis),
	  .kind = ATTR_INT,
	  .def = AXIS_NONE },
	{ .name = "sorted",
	  .help = "1: in ascending order; 0: as they came",
	  .offset = offsetof(struct unique_attrs, sorted),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

/* n items of [outer, n, inner] elements */
struct items {
	enum dtype elem;
	const char *data;
	size_t size;
	int64_t outer, n, inner;
	unsigned axis;
};

static enum err_code items_of(const struct fact *x, int64_t axis,
			      struct items *ret, struct err *err)
{
	const struct shape *shape = &x->shape;
	enum err_code rc;

	*ret = (struct items){ .elem = x->type.elem,
			       .size = dtype_info(x->type.elem)->size,
			       .outer = 1,
			       .n = shape_count(shape),
			       .inner = 1 };
	if (axis == AXIS_NONE)
		return ERR_NONE;
	rc = shape_axis(axis, shape->rank, "attribute 'axis'", &ret->axis, err);
	if (rc)
		return rc;
	ret->outer = shape_range(shape, 0, ret->axis);
	ret->n = shape->dim[ret->axis];
	ret->inner = shape_range(shape, ret->axis + 1, shape->rank);
	return ERR_NONE;
}

static int compare_text(const struct str *a, const struct str *b)
{
	const size_t n = a->len < b->len ? a->len : b->len;
	const int order = n ? memcmp(a->bytes, b->bytes, n) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_floats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	return (a > b) - (a < b);
}

static int compare(const struct items *items, int64_t i, int64_t j)
{
	const void *a = items->data + (size_t)i * items->size;
	const void *b = items->data + (size_t)j * items->size;
	int64_t x, y;
	double f, g;

	if (items->elem == DTYPE_STRING)
		return compare_text(a, b);
	if (dtype_is_float(items->elem)) {
		dtype_convert(items->elem, a, DTYPE_F64, &f, 1, false);
		dtype_convert(items->elem, b, DTYPE_F64, &g, 1, false);
		return compare_floats(f, g);
	}
	if (items->elem == DTYPE_U64) {
		uint64_t u, v;

		memcpy(&u, a, sizeof(u));
		memcpy(&v, b, sizeof(v));
		return (u > v) - (u < v);
	}
	dtype_convert(items->elem, a, DTYPE_I64, &x, 1, false);
	dtype_convert(items->elem, b, DTYPE_I64, &y, 1, false);
	return (x > y) - (x < y);
}

static int compare_items(const struct items *items, int64_t i, int64_t j)
{
	int order = 0;

	for (int64_t o = 0; o < items->outer && !order; o++) {
		const int64_t row = o * items->n;

		for (int64_t e = 0; e < items->inner && !order; e++)
			order = compare(items, (row + i) * items->inner + e,
					(row + j) * items->inner + e);
	}
	return order;
}

/* from[first..end) is two sorted runs that meet at middle. */
static void merge(const struct items *items, const int64_t *from, int64_t *to,
		  int64_t first, int64_t middle, int64_t end)
{
	int64_t i = first, j = middle;

	for (int64_t at = first; at < end; at++) {
		const bool left =
		    j >= end ||
		    (i < middle && compare_items(items, from[i], from[j]) <= 0);

		to[at] = left ? from[i++] : from[j++];
	}
}

/* Sorted places; either of the two buffers of n is returned. */
static int64_t *sort(const struct items *items, int64_t *a, int64_t *b)
{
	const int64_t n = items->n;

	for (int64_t i = 0; i < n; i++)
		a[i] = i;
	for (int64_t width = 1; width < n; width *= 2) {
		int64_t *other = a;

		for (int64_t i = 0; i < n; i += 2 * width) {
			const int64_t middle = i + width < n ? i + width : n;
			const int64_t end =
			    i + 2 * width < n ? i + 2 * width : n;

			merge(items, a, b, i, middle, end);
		}
		a = b;
		b = other;
	}
	return a;
}

static enum err_code unique_infer(struct infer *infer, struct err *err)
{
	const struct unique_attrs *a = infer->attrs;
	struct items items;
	int64_t *buffer, *order, count = 0;
	enum err_code rc = items_of(&infer->in[0], a->axis, &items, err);

	if (rc)
		return rc;
	items.data = infer->in[0].value;
	buffer = mem_array(2 * (size_t)items.n + 1, sizeof(*buffer));
	if (!buffer)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	order = sort(&items, buffer, buffer + items.n);
	for (int64_t i = 0; i < items.n; i++)
		count += !i || compare_items(&items, order[i - 1], order[i]);
	mem_free(buffer);
	infer->out[0].shape = (struct shape){ 1, { count } };
	if (a->axis != AXIS_NONE) {
		infer->out[0].shape = infer->in[0].shape;
		infer->out[0].shape.dim[items.axis] = count;
	}
	for (unsigned i = 0; i < infer->n_out; i++) {
		const int64_t n = i == 2 ? items.n : count;

		if (i > 0)
			infer->out[i].shape = (struct shape){ 1, { n } };
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

/* By item: the first one that equals it. In order of first places, which is
 * ascending, that gives both orders of groups. */
static void find_firsts(const struct items *items, const int64_t *order,
			int64_t *first)
{
	int64_t leader = 0;

	for (int64_t i = 0; i < items->n; i++) {
		if (!i || compare_items(items, order[i - 1], order[i]))
			leader = order[i];
		first[order[i]] = leader;
	}
}

struct results {
	char *y;
	int64_t *indices, *inverse, *counts;
	int64_t count;
};

static void put_item(const struct items *items, const struct results *to,
		     int64_t group, int64_t item)
{
	const size_t bytes = (size_t)items->inner * items->size;

	for (int64_t o = 0; o < items->outer && to->y && bytes; o++)
		memcpy(to->y + (size_t)(o * to->count + group) * bytes,
		       items->data + (size_t)(o * items->n + item) * bytes,
		       bytes);
	if (to->indices)
		to->indices[group] = item;
	if (to->counts)
		to->counts[group] = 0;
}

/* walk: items in the order of groups. number: by item, that of its group. */
static void put_groups(const struct items *items, const int64_t *walk,
		       const int64_t *first, int64_t *number,
		       const struct results *to)
{
	int64_t group = 0;

	for (int64_t i = 0; i < items->n; i++) {
		const int64_t item = walk ? walk[i] : i;

		if (first[item] != item)
			continue;
		put_item(items, to, group, item);
		number[item] = group++;
	}
	for (int64_t i = 0; i < items->n; i++) {
		if (to->inverse)
			to->inverse[i] = number[first[i]];
		if (to->counts)
			to->counts[number[first[i]]]++;
	}
}

static int64_t *out_at(const struct kernel_call *call, unsigned i)
{
	return i < call->query->n_out ? call->out[i] : NULL;
}

static void unique_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct unique_attrs *a = call->query->attrs;
	int64_t *buffer = scratch, *order, *first, *number;
	struct results to = { .y = call->out[0],
			      .indices = out_at(call, 1),
			      .inverse = out_at(call, 2),
			      .counts = out_at(call, 3) };
	struct items items;

	(void)slice;
	if (items_of(&call->query->in[0], a->axis, &items, NULL))
		return;
	items.data = call->in[0];
	to.count = call->query->out[0].shape.dim[items.axis];
	first = buffer + 2 * items.n;
	number = first + items.n;
	order = sort(&items, buffer, buffer + items.n);
	find_firsts(&items, order, first);
	put_groups(&items, a->sorted ? order : NULL, first, number, &to);
}

static enum err_code unique_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct unique_attrs *a = query->attrs;
	struct items items;
	enum err_code rc = items_of(&query->in[0], a->axis, &items, err);

	if (!rc)
		ret->scratch_bytes = 4 * (size_t)items.n * sizeof(int64_t);
	return rc;
}

static const struct kernel unique_kernel = {
	.name = "unique.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.prepare = unique_prepare,
	.run = unique_run,
};
static const struct kernel *const unique_kernels[] = { &unique_kernel, NULL };
static const struct port unique_in[] = {
	{ "X", "T:ints,floats,bool,string", 0 },
	{ 0 },
};
static const struct port unique_out[] = {
	{ "Y", "T", 0 },
	{ "indices", "int64", PORT_OPTIONAL },
	{ "inverse_indices", "int64", PORT_OPTIONAL },
	{ "counts", "int64", PORT_OPTIONAL },
	{ 0 },
};

static const struct op_case unique_cases[] = {
	{ .name = "sorted",
	  .graph = "y, i, v, c = Unique(x:float[6]={2,1,1,3,4,3})" },
	{ .name = "as they came",
	  .graph =
	      "y, i, v, c = Unique<sorted=0>(x:int32[7]={5,1,5,2,1,0,2})" },
	{ .name = "rows",
	  .graph = "y, i, v, c = "
		   "Unique<axis=0>(x:int64[4,2]={2,1,0,1,2,1,0,1})" },
	{ .name = "columns, from the back",
	  .graph = "y, i, v, c = Unique<axis=-1, sorted=0>(x:uint8[3,5])" },
	{ .name = "in the middle",
	  .graph = "y, i, v, c = Unique<axis=1>(x:bool[2,5,2])" },
	{ .name = "many", .graph = "y, i, v, c = Unique(x:int8[7,11])" },
	{ .name = "values only", .graph = "y = Unique(x:double[2,3])" },
	{ .name = "half types", .graph = "y, i = Unique(x:float16[5])" },
	{ .name = "nothing", .graph = "y, i, v, c = Unique(x:float[0])" },
	{ .name = "scalar", .graph = "y, i, v, c = Unique(x:float[])" },
	{ .name = "empty slices",
	  .graph = "y, i, v, c = Unique<axis=0>(x:float[3,0])" },
	{ .name = "no such axis",
	  .graph = "y = Unique<axis=1>(x:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_unique;
const struct op op_unique = {
	.domain = "",
	.name = "Unique",
	.help = "The different elements, or slices along an axis.",
	.since = 11,
	.flags = OP_DYNAMIC | OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = unique_in,
	.out = unique_out,
	.attrs = unique_attrs,
	.attrs_size = sizeof(struct unique_attrs),
	.infer = unique_infer,
	.kernels = unique_kernels,
	.cases = unique_cases,
};
