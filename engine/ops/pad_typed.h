/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * PadGrad in one arithmetic type T; NAME(x) is T's name for x.
 */

/* dx is zeros; each element of dy is added where Pad read its element, in the
 * order of dy */
static void NAME(pad_grad)(const struct pad *pad, const void *from, void *to)
{
	const unsigned last = pad->rank - 1;
	const T *dy = from;
	T *dx = to;
	struct pad_row row;

	pad_start(pad, 0, &row);
	do {
		for (int64_t j = 0; j < pad->out[last]; j++) {
			int64_t k = pad_source(pad, last, j);

			if (row.inside && k >= 0)
				dx[row.from + k] += dy[row.to + j];
		}
	} while (pad_next(pad, &row));
}
