/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "engine/attr.h"

static bool same_text(const struct str *a, const struct str *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->bytes, b->bytes, a->len));
}

static bool same_bytes(const void *a, size_t n_a, const void *b, size_t n_b,
		       size_t size)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, n_a * size));
}

static bool same_texts(const struct attr_strings *a,
		       const struct attr_strings *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++)
		same = same_text(&a->v[i], &b->v[i]);
	return same;
}

/* tolerance 0: bits, so that a NaN is itself and -0 is not 0 */
static bool same_number(double a, double b, double tolerance)
{
	return same_bytes(&a, 1, &b, 1, sizeof(a)) ||
	       (tolerance > 0 && fabs(a - b) <= tolerance * fabs(a));
}

static bool same_value(const struct attr_value *a, const struct attr_value *b,
		       double tolerance)
{
	switch (a->kind) {
	case ATTR_INT:
		return a->i == b->i;
	case ATTR_FLOAT:
		return same_number(a->f, b->f, tolerance);
	case ATTR_STRING:
		return same_text(&a->s, &b->s);
	case ATTR_INTS:
		return same_bytes(a->ints.v, a->ints.n, b->ints.v, b->ints.n,
				  sizeof(*a->ints.v));
	case ATTR_FLOATS:
		return same_bytes(a->floats.v, a->floats.n, b->floats.v,
				  b->floats.n, sizeof(*a->floats.v));
	case ATTR_STRINGS:
		return same_texts(&a->strings, &b->strings);
	case ATTR_TENSOR:
		return tensor_equal(a->t, b->t);
	}
	return false;
}

bool op_attrs_near(const struct op *op, const void *a, const void *b,
		   double tolerance)
{
	for (const struct op_attr *row = op->attrs; row && row->name; row++) {
		struct attr_value x = { .kind = row->kind };
		struct attr_value y = { .kind = row->kind };
		const bool has = op_attr_get(row, a, &x);

		if (op_attr_get(row, b, &y) != has ||
		    (has && !same_value(&x, &y, tolerance)))
			return false;
	}
	return true;
}

bool op_attrs_equal(const struct op *op, const void *a, const void *b)
{
	return op_attrs_near(op, a, b, 0);
}
