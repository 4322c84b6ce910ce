/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sums of products in one type T; S is the type of sums, unsigned for
 * integers, so that nothing overflows; NAME(x) is T's name for x. Included by
 * einsum_plain.c once a type.
 */

/* The product of one element of each operand, `i` steps along label `label`. */
static S NAME(product)(const struct nest *nest, const void *const *in,
		       const int64_t *offset, unsigned label, int64_t i)
{
	S product = 1;

	for (unsigned p = 0; p < nest->n_in; p++) {
		const T *x = in[p];

		product *= (S)x[offset[p] + i * nest->step[label][p]];
	}
	return product;
}

/* The sum behind the result whose operands begin at `start`; the last label
 * runs innermost. */
static T NAME(element)(const struct nest *nest, const void *const *in,
		       const int64_t *start)
{
	const unsigned last = nest->n_out + nest->n_sum - 1;
	struct walk walk = { .first = nest->n_out, .end = last };
	S sum = 0;

	memcpy(walk.offset, start, sizeof(walk.offset));
	if (!nest->n_sum)
		return (T)NAME(product)(nest, in, start, 0, 0);
	do {
		for (int64_t i = 0; i < nest->dim[last]; i++)
			sum += NAME(product)(nest, in, walk.offset, last, i);
	} while (walk_next(nest, &walk));
	return (T)sum;
}

static void NAME(elements)(const struct nest *nest, const void *const *in,
			   void *out, int64_t first, int64_t last)
{
	struct walk walk = { .end = nest->n_out };
	T *y = out;

	walk_to(nest, &walk, first);
	for (int64_t i = first; i < last; i++) {
		y[i] = NAME(element)(nest, in, walk.offset);
		(void)walk_next(nest, &walk);
	}
}
