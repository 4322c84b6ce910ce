/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The first k of n in one type T; IS_NAN(v) is T's test, NAME(x) its name for
 * x. Included by top_k.c once a type.
 */

/* Place i of the line comes before place j. */
static bool NAME(before)(const struct top *t, const T *x, int64_t i, int64_t j)
{
	const T a = x[i * t->inner], b = x[j * t->inner];

	if (a == b || (IS_NAN(a) && IS_NAN(b)))
		return i < j;
	if (IS_NAN(a) || IS_NAN(b))
		return IS_NAN(a) == t->is_largest;
	return t->is_largest ? a > b : a < b;
}

/* Lets place i of a heap, whose root comes last of all, sink to its level. */
static void NAME(sink)(const struct top *t, const T *x, int64_t *heap,
		       int64_t n)
{
	const int64_t moved = heap[t->from];
	int64_t i = t->from;

	for (int64_t j = 2 * i + 1; j < n; j = 2 * i + 1) {
		if (j + 1 < n && NAME(before)(t, x, heap[j], heap[j + 1]))
			j++;
		if (NAME(before)(t, x, heap[j], moved))
			break;
		heap[i] = heap[j];
		i = j;
	}
	heap[i] = moved;
}

/* heap: k places, in their order at the end */
static void NAME(line)(struct top *t, const T *x, int64_t *heap)
{
	for (int64_t i = 0; i < t->k; i++)
		heap[i] = i;
	for (t->from = t->k / 2; t->from-- > 0;)
		NAME(sink)(t, x, heap, t->k);
	t->from = 0;
	for (int64_t i = t->k; i < t->n && t->k; i++) {
		if (!NAME(before)(t, x, i, heap[0]))
			continue;
		heap[0] = i;
		NAME(sink)(t, x, heap, t->k);
	}
	for (int64_t i = t->k - 1; i > 0; i--) {
		const int64_t last = heap[0];

		heap[0] = heap[i];
		heap[i] = last;
		NAME(sink)(t, x, heap, i);
	}
}

static void NAME(top)(struct top *t, const void *from, void *values,
		      int64_t *indices)
{
	T *y = values;

	for (int64_t i = t->first; i < t->last; i++) {
		const int64_t o = i / t->inner, column = i % t->inner;
		const T *x = (const T *)from + o * t->n * t->inner + column;

		NAME(line)(t, x, t->heap);
		for (int64_t j = 0; j < t->k; j++) {
			const int64_t at = (o * t->k + j) * t->inner + column;

			if (y)
				y[at] = x[t->heap[j] * t->inner];
			if (indices)
				indices[at] = t->heap[j];
		}
	}
}
