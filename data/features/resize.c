/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/mem.h"
#include "data/features/picture.h"

/* One axis: which part of the source [first, first + extent) becomes n
 * samples. step is how many source samples make one. */
struct axis {
	int n, limit; /* outputs; source samples */
	double first, step;
};

/* Weight of source sample j for the output whose centre is c: a triangle of
 * half-width max(1, step). */
static double weight(const struct axis *axis, double centre, int j)
{
	double half = axis->step > 1 ? axis->step : 1;
	double distance = fabs((double)j + 0.5 - centre) / half;

	return distance < 1 ? 1 - distance : 0;
}

/* The source samples of one output. */
struct window {
	double centre, share; /* share: 1 over the sum of weights */
	int from, to;
};

static struct window window_of(const struct axis *axis, int i)
{
	double half = axis->step > 1 ? axis->step : 1;
	double centre = axis->first + ((double)i + 0.5) * axis->step, sum = 0;
	struct window w = { .centre = centre,
			    .from = (int)floor(centre - half),
			    .to = (int)ceil(centre + half) };

	w.from = w.from < 0 ? 0 : w.from;
	w.to = w.to > axis->limit ? axis->limit : w.to;
	for (int j = w.from; j < w.to; j++)
		sum += weight(axis, centre, j);
	w.share = sum > 0 ? 1 / sum : 0; /* beyond the edge: black */
	return w;
}

/* One output sample: the weighted sum of a row's samples from..to - 1 of one
 * channel. share is 1 over the sum of weights. */
static float blend(const float *row, int channels, const struct axis *axis,
		   const struct window *window)
{
	double value = 0;

	for (int j = window->from; j < window->to; j++)
		value += weight(axis, window->centre, j) *
			 (double)row[(size_t)j * (size_t)channels];
	return (float)(value * window->share);
}

/* out[y][i][c] = sum over j of w(i, j) in[y][j][c] */
static void resample_rows(const float *in, int rows, int channels,
			  const struct axis *axis, float *out)
{
	size_t in_row = (size_t)axis->limit * (size_t)channels;
	size_t out_row = (size_t)axis->n * (size_t)channels;

	for (int i = 0; i < axis->n; i++) {
		struct window window = window_of(axis, i);

		for (int y = 0; y < rows; y++) {
			const float *from = in + (size_t)y * in_row;
			float *to = out + (size_t)y * out_row +
				    (size_t)i * (size_t)channels;

			for (int c = 0; c < channels; c++)
				to[c] =
				    blend(from + c, channels, axis, &window);
		}
	}
}

/* in[h][w][c] to out[w][h][c] */
static void transpose(const float *in, int h, int w, int channels, float *out)
{
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			for (int c = 0; c < channels; c++)
				out[((size_t)x * (size_t)h + (size_t)y) *
					(size_t)channels +
				    (size_t)c] =
				    in[((size_t)y * (size_t)w + (size_t)x) *
					   (size_t)channels +
				       (size_t)c];
		}
	}
}

static struct axis axis_of(int source, int n, double step)
{
	return (struct axis){ .n = n,
			      .limit = source,
			      .step = step,
			      .first =
				  ((double)source - step * (double)n) / 2 };
}

/* Is output i of a padded axis inside the picture? */
static int is_inside(const struct axis *axis, int i)
{
	double centre = axis->first + ((double)i + 0.5) * axis->step;

	return centre >= 0 && centre <= (double)axis->limit;
}

static void to_bytes(const float *from, const struct axis *x,
		     const struct axis *y, int channels, unsigned char *pixel)
{
	for (int r = 0; r < y->n; r++) {
		for (int i = 0; i < x->n * channels; i++) {
			/* from is column by column */
			int column = i / channels, c = i % channels;
			float value =
			    from[((size_t)column * (size_t)y->n + (size_t)r) *
				     (size_t)channels +
				 (size_t)c];
			int sample = (int)lrintf(value);

			if (!is_inside(x, column) || !is_inside(y, r))
				sample = 0;
			*pixel++ = (unsigned char)(sample < 0	  ? 0
						   : sample > 255 ? 255
								  : sample);
		}
	}
}

static void choose_axes(const struct picture *from, int width, int height,
			enum resize how, struct axis *x, struct axis *y)
{
	double sx = (double)from->width / width;
	double sy = (double)from->height / height;

	if (how == RESIZE_CROP)
		sx = sy = sx < sy ? sx : sy;
	else if (how == RESIZE_PAD)
		sx = sy = sx > sy ? sx : sy;
	*x = axis_of(from->width, width, sx);
	*y = axis_of(from->height, height, sy);
}

enum err_code picture_resize(const struct picture *from, int width, int height,
			     enum resize how, struct picture *ret,
			     struct err *err)
{
	int channels = from->channels;
	size_t in_n =
	    (size_t)from->width * (size_t)from->height * (size_t)channels;
	size_t mid_n = (size_t)width * (size_t)from->height * (size_t)channels;
	size_t out_n = (size_t)width * (size_t)height * (size_t)channels;
	size_t n = in_n > mid_n ? in_n : mid_n;
	struct axis x, y;
	float *a, *b;
	unsigned char *pixel;
	enum err_code rc = ERR_NONE;

	if (n < out_n)
		n = out_n;
	a = mem_array(n, sizeof(*a));
	b = mem_array(n, sizeof(*b));
	pixel = mem_alloc(out_n);
	if (!a || !b || !pixel) {
		rc = err_set(err, ERR_NO_MEMORY,
			     "no memory to resize a picture of %d x %d",
			     from->width, from->height);
		mem_free(pixel);
		goto out;
	}
	choose_axes(from, width, height, how, &x, &y);
	for (size_t i = 0; i < in_n; i++)
		a[i] = (float)from->pixel[i];
	resample_rows(a, from->height, channels, &x, b);
	transpose(b, from->height, width, channels, a);
	resample_rows(a, width, channels, &y, b);
	to_bytes(b, &x, &y, channels, pixel);
	*ret = (struct picture){ .width = width,
				 .height = height,
				 .channels = channels,
				 .pixel = pixel };
out:
	mem_free(a);
	mem_free(b);
	return rc;
}
