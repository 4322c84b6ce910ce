/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The place of the largest or smallest element, in one type T; IS_NAN(v) is
 * T's test, NAME(x) its name for x. Included by arg.c once a type.
 */

/* Column j of n rows, `inner` elements apart. The first one that is no number
 * wins. */
static int64_t NAME(place)(const struct arg *a, const T *x)
{
	int64_t at = 0;
	T best = x[0];

	for (int64_t i = 1; i < a->n && !IS_NAN(best); i++) {
		const T v = x[i * a->inner];

		if ((a->is_max ? v > best : v < best) || IS_NAN(v) ||
		    (a->is_last && v == best)) {
			best = v;
			at = i;
		}
	}
	return at;
}

static void NAME(places)(const struct arg *a, const void *from, int64_t *y)
{
	for (int64_t i = a->first; i < a->last; i++)
		y[i] = NAME(place)(a, (const T *)from +
					  i / a->inner * a->inner * a->n +
					  i % a->inner);
}
