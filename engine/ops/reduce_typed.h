/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reductions of one element type: T is the type, ACC the type of its sums,
 * WIDE the type its means are divided in, LOWEST and HIGHEST its bounds,
 * IS_NAN(v) and IS_NEGATIVE(v) its tests, NAME(x) its name for x. Included by
 * reduce.c once a type.
 *
 * A block is `rows` times `columns` elements; every column is reduced apart.
 * A row of numbers is cut into blocks of REDUCE_LANES columns.
 */

static void NAME(sum)(const struct block *b, const T *x, ACC *acc)
{
	if (b->columns == REDUCE_LANES && b->step == 1) {
		for (int64_t r = 0; r < b->rows; r++)
			for (int j = 0; j < REDUCE_LANES; j++)
				acc[j] += (ACC)x[r * b->pitch + j];
		return;
	}
	for (int64_t r = 0; b->step == 1 && r < b->rows; r++)
		for (int64_t j = 0; j < b->columns; j++)
			acc[j] += (ACC)x[r * b->pitch + j];
	if (b->step == 1)
		return;
	for (int64_t r = 0; r < b->rows; r++)
		for (int64_t j = 0; j < b->columns; j++)
			acc[j] += (ACC)x[r * b->pitch + j * b->step];
}

static void NAME(absolute)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++) {
		for (int64_t j = 0; j < b->columns; j++) {
			T v = x[r * b->pitch + j * b->step];

			acc[j] += IS_NEGATIVE(v) ? (ACC)0 - (ACC)v : (ACC)v;
		}
	}
}

static void NAME(square)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++) {
		for (int64_t j = 0; j < b->columns; j++) {
			ACC v = (ACC)x[r * b->pitch + j * b->step];

			acc[j] += v * v;
		}
	}
}

static void NAME(product)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++)
		for (int64_t j = 0; j < b->columns; j++)
			acc[j] *= (ACC)x[r * b->pitch + j * b->step];
}

/* what is no number wins */
static void NAME(largest)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++) {
		for (int64_t j = 0; j < b->columns; j++) {
			T v = x[r * b->pitch + j * b->step];

			acc[j] = v > (T)acc[j] || IS_NAN(v) ? (ACC)v : acc[j];
		}
	}
}

static void NAME(smallest)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++) {
		for (int64_t j = 0; j < b->columns; j++) {
			T v = x[r * b->pitch + j * b->step];

			acc[j] = v < (T)acc[j] || IS_NAN(v) ? (ACC)v : acc[j];
		}
	}
}

static void NAME(exponential)(const struct block *b, const T *x, ACC *acc)
{
	for (int64_t r = 0; r < b->rows; r++)
		for (int64_t j = 0; j < b->columns; j++)
			acc[j] +=
			    (ACC)exp((double)x[r * b->pitch + j * b->step] -
				     b->shift[j]);
}

static void NAME(block)(enum reduce_map map, const struct block *b, const T *x,
			ACC *acc)
{
	static void (*const maps[])(const struct block *, const T *, ACC *) = {
		[MAP_SUM] = NAME(sum),	       [MAP_ABS] = NAME(absolute),
		[MAP_SQUARE] = NAME(square),   [MAP_PRODUCT] = NAME(product),
		[MAP_MAX] = NAME(largest),     [MAP_MIN] = NAME(smallest),
		[MAP_EXP] = NAME(exponential),
	};

	maps[map](b, x, acc);
}

static ACC NAME(start)(enum reduce_map map)
{
	switch (map) {
	case MAP_PRODUCT:
		return (ACC)1;
	case MAP_MAX:
		return (ACC)(LOWEST);
	case MAP_MIN:
		return (ACC)(HIGHEST);
	default:
		return (ACC)0;
	}
}

/* Lane 0 of a row takes the others, in order. */
static void NAME(join)(enum reduce_map map, ACC *acc)
{
	for (int j = 1; j < REDUCE_LANES; j++) {
		const T v = (T)acc[j], best = (T)acc[0];

		switch (map) {
		case MAP_PRODUCT:
			acc[0] *= acc[j];
			break;
		case MAP_MAX:
			acc[0] = v > best || IS_NAN(v) ? acc[j] : acc[0];
			break;
		case MAP_MIN:
			acc[0] = v < best || IS_NAN(v) ? acc[j] : acc[0];
			break;
		default:
			acc[0] += acc[j];
		}
	}
}

/* Reduces `width` results that lie side by side, from x on, into acc. */
static void NAME(walk)(const struct reduce *r, enum reduce_map map, const T *x,
		       int64_t width, const double *shift, ACC *acc)
{
	const unsigned last = r->n_reduced - 1;
	const int64_t n = r->reduced_dim[last];
	struct block b = { .columns = width, .step = 1, .shift = shift };
	int64_t at[SHAPE_MAX_RANK] = { 0 }, from = 0;

	for (int j = 0; j < (r->is_inner_kept ? width : REDUCE_LANES); j++)
		acc[j] = NAME(start)(map);
	if (!r->count)
		return;
	do {
		if (r->is_inner_kept) {
			b.rows = n;
			b.pitch = r->reduced_stride[last];
			NAME(block)(map, &b, x + from, acc);
			continue;
		}
		b.pitch = b.columns = REDUCE_LANES;
		b.rows = n / REDUCE_LANES;
		NAME(block)(map, &b, x + from, acc);
		b.columns = n % REDUCE_LANES;
		b.rows = 1;
		NAME(block)(map, &b, x + from + n - b.columns, acc);
	} while (reduce_next(r, last, at, &from));
	if (!r->is_inner_kept)
		NAME(join)(map, acc);
}

/* Of integers what lies outside is the nearest, and NaN is 0, as in Cast. */
static T NAME(of_double)(double v)
{
	if (IS_NAN(v))
		return (T)v;
	if (v >= (double)HIGHEST)
		return (T)HIGHEST;
	if (v <= (double)LOWEST)
		return (T)LOWEST;
	return isnan(v) ? 0 : (T)v;
}

static T NAME(finish)(const struct reduce *r, ACC acc, double shift)
{
	switch (r->rule->end) {
	case END_MEAN:
		if (!r->count)
			return NAME(of_double)((double)acc / (double)r->count);
		return (T)((WIDE)acc / (WIDE)r->count);
	case END_SQRT:
		return NAME(of_double)(sqrt((double)(WIDE)acc));
	case END_LOG:
		return NAME(of_double)(log((double)(WIDE)acc) + shift);
	default:
		return (T)acc;
	}
}

/* The same for results that are few neighbours each, side by side. */
static void NAME(walk_short)(const struct reduce *r, const T *x, int64_t width,
			     ACC *acc)
{
	const struct block b = {
		.rows = r->count, .columns = width, .pitch = 1, .step = r->count
	};

	for (int64_t j = 0; j < width; j++)
		acc[j] = NAME(start)(r->rule->map);
	NAME(block)(r->rule->map, &b, x, acc);
}

/* Results number first to last - 1. */
static void NAME(reduce)(const struct reduce *r, const void *from, void *to,
			 int64_t first, int64_t last)
{
	const T *x = from;
	T *y = to;
	double shift[REDUCE_TILE] = { 0 };
	ACC acc[REDUCE_TILE];
	int64_t width;

	for (int64_t i = first; i < last && is_short(r); i += width) {
		width = last - i < REDUCE_TILE ? last - i : REDUCE_TILE;
		NAME(walk_short)(r, x + i * r->count, width, acc);
		for (int64_t j = 0; j < width; j++)
			y[i + j] = NAME(finish)(r, acc[j], 0);
	}
	for (int64_t i = first; i < last && !is_short(r); i += width) {
		const int64_t at = reduce_offset(r, i);

		width = reduce_width(r, i, last);
		if (r->rule->map == MAP_EXP) {
			const int64_t n =
			    r->is_inner_kept ? width : REDUCE_LANES;

			NAME(walk)(r, MAP_MAX, x + at, width, shift, acc);
			for (int64_t j = 0; j < n; j++)
				shift[j] = finite_or_0(
				    (double)(T)acc[r->is_inner_kept ? j : 0]);
		}
		NAME(walk)(r, r->rule->map, x + at, width, shift, acc);
		for (int64_t j = 0; j < width; j++)
			y[i + j] = NAME(finish)(r, acc[j], shift[j]);
	}
}
