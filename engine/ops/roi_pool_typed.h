/* SPDX-License-Identifier: Apache-2.0 */
/* RoiAlign and MaxRoiPool in one type T. */

/* One sample of a bin, in all channels: its four corners, added or, for max,
 * the largest of what each corner gives. */
static void NAME(add_sample)(const struct roi_sample *s,
			     const struct roi_planes *planes, const T *x, T *y)
{
	for (int64_t c = 0; c < planes->n; c++) {
		const T *plane = x + c * planes->in;
		T *to = y + c * planes->out;
		T sum = 0, most = 0;

		for (unsigned k = 0; k < 4; k++) {
			const T v = (T)s->weight[k] * plane[s->at[k]];

			sum += v;
			most = k == 0 || v > most ? v : most;
		}
		if (!planes->is_max)
			*to += sum / (T)planes->n_samples;
		else if (s->is_first || most > *to)
			*to = most;
	}
}

/* The largest of a box, in all channels; 0 where it is empty. */
static void NAME(max_box)(const struct roi_box *box,
			  const struct roi_planes *planes, const T *x, T *y)
{
	for (int64_t c = 0; c < planes->n; c++) {
		const T *plane = x + c * planes->in;
		T most = plane[box->top * box->width + box->left];

		for (int64_t i = box->top; i < box->bottom; i++)
			for (int64_t j = box->left; j < box->right; j++)
				if (plane[i * box->width + j] > most)
					most = plane[i * box->width + j];
		y[c * planes->out] = most;
	}
}
#undef T
#undef NAME
