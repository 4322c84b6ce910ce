/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/move.h"

#include <string.h>

enum { MOVE_TILE = 16, MOVE_SLICE_BYTES = 32 << 10 };

/* the two innermost forms: a row, and a transposed pair of axes */
struct strided {
	int64_t n, to, from;
};
struct tiles {
	int64_t rows, columns; /* of the result */
	int64_t to, from;      /* from one row to the next, on each side */
};

static int64_t min_int(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* elements of any type of that size may lie there */
typedef uint8_t move_1 __attribute__((may_alias));
typedef uint16_t move_2 __attribute__((may_alias));
typedef uint32_t move_4 __attribute__((may_alias));
typedef uint64_t move_8 __attribute__((may_alias));
struct __attribute__((may_alias)) move_16 {
	uint64_t low, high;
};

#define T move_1
#define NAME(x) x##_1
#include "engine/ops/move_typed.h"
#undef T
#undef NAME
#define T move_2
#define NAME(x) x##_2
#include "engine/ops/move_typed.h"
#undef T
#undef NAME
#define T move_4
#define NAME(x) x##_4
#include "engine/ops/move_typed.h"
#undef T
#undef NAME
#define T move_8
#define NAME(x) x##_8
#include "engine/ops/move_typed.h"
#undef T
#undef NAME
#define T struct move_16
#define NAME(x) x##_16
#include "engine/ops/move_typed.h"
#undef T
#undef NAME

struct mover {
	size_t size;
	void (*row)(const struct strided *, void *to, const void *from);
	void (*tile)(const struct tiles *, void *to, const void *from);
};

/* --- words of 4 bytes, by blocks of 4 by 4 --- */

typedef uint32_t words __attribute__((vector_size(16)));

static inline words load_words(const move_4 *from)
{
	words w;

	memcpy(&w, from, sizeof(w));
	return w;
}

/* y[i][j] = x[j][i] of 4 by 4; rows lie so many words apart. */
static inline void block_words(move_4 *y, int64_t to, const move_4 *x,
			       int64_t from)
{
	const words a = load_words(x), b = load_words(x + from);
	const words c = load_words(x + 2 * from), d = load_words(x + 3 * from);
	const words ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
	const words cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
	const words ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
	const words cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
	const words row[4] = {
		__builtin_shufflevector(ab, cd, 0, 1, 4, 5),
		__builtin_shufflevector(ab, cd, 2, 3, 6, 7),
		__builtin_shufflevector(ab2, cd2, 0, 1, 4, 5),
		__builtin_shufflevector(ab2, cd2, 2, 3, 6, 7),
	};

	for (int i = 0; i < 4; i++)
		memcpy(y + i * to, &row[i], sizeof(row[i]));
}

/* As tile_4, but that whole blocks go at once. */
static void tile_words(const struct tiles *s, void *to, const void *from)
{
	const int64_t rows = s->rows / 4 * 4, columns = s->columns / 4 * 4;
	const struct tiles right = { s->rows, s->columns - columns, s->to,
				     s->from };
	const struct tiles below = { s->rows - rows, columns, s->to, s->from };
	const move_4 *x = from;
	move_4 *y = to;

	for (int64_t i0 = 0; i0 < rows; i0 += MOVE_TILE)
		for (int64_t j = 0; j < columns; j += 4)
			for (int64_t i = i0; i < min_int(i0 + MOVE_TILE, rows);
			     i += 4)
				block_words(y + i * s->to + j, s->to,
					    x + i + j * s->from, s->from);
	tile_4(&right, y + columns, x + columns * s->from);
	tile_4(&below, y + rows * s->to, x + rows);
}

static const struct mover movers[] = {
	{ 1, row_1, tile_1 }, { 2, row_2, tile_2 },    { 4, row_4, tile_words },
	{ 8, row_8, tile_8 }, { 16, row_16, tile_16 },
};

static const struct mover *find_mover(size_t size)
{
	size_t i = 0;

	while (i + 1 < sizeof(movers) / sizeof(*movers) &&
	       movers[i].size != size)
		i++;
	return &movers[i];
}

void move_strides(const struct shape *shape, int64_t stride[SHAPE_MAX_RANK])
{
	int64_t step = 1;

	for (unsigned i = shape->rank; i-- > 0;) {
		stride[i] = step;
		step *= shape->dim[i];
	}
}

void move_simplify(struct move *move)
{
	unsigned n = 0;

	for (unsigned i = 0; i < move->rank; i++) {
		int64_t dim = move->dim[i];

		if (dim == 1)
			continue;
		if (n && move->to[n - 1] == move->to[i] * dim &&
		    move->from[n - 1] == move->from[i] * dim) {
			move->dim[n - 1] *= dim;
		} else {
			move->dim[n] = dim;
			n++;
		}
		move->to[n - 1] = move->to[i];
		move->from[n - 1] = move->from[i];
	}
	move->rank = n;
}

bool move_part(struct move *move, unsigned n_slices, unsigned slice,
	       int64_t *ret_to, int64_t *ret_from)
{
	int64_t first, last;

	*ret_to = 0;
	*ret_from = 0;
	if (n_slices <= 1)
		return true;
	if (!move->rank)
		return slice == 0;
	kernel_slice(move->dim[0], n_slices, slice, &first, &last);
	move->dim[0] = last - first;
	*ret_to = first * move->to[0];
	*ret_from = first * move->from[0];
	return first < last;
}

/* Picks the axis that is dense on the source's side when the last one is not:
 * the pair is transposed in tiles. Returns the number of axes left over. */
static unsigned pick_tiles(struct move *m, struct tiles *ret)
{
	const unsigned last = m->rank - 1;
	unsigned axis = last;

	if (m->to[last] != 1 || m->from[last] == 1)
		return m->rank - 1;
	for (unsigned i = 0; i < last; i++)
		if (m->from[i] == 1)
			axis = i;
	if (axis == last)
		return m->rank - 1;
	*ret = (struct tiles){ m->dim[axis], m->dim[last], m->to[axis],
			       m->from[last] };
	for (unsigned i = axis; i + 1 < last; i++) {
		m->dim[i] = m->dim[i + 1];
		m->to[i] = m->to[i + 1];
		m->from[i] = m->from[i + 1];
	}
	return m->rank - 2;
}

/* Steps the odometer over the first n axes; false at its end. */
static bool next_place(const struct move *m, unsigned n, int64_t *at,
		       int64_t *to, int64_t *from)
{
	for (unsigned i = n; i-- > 0;) {
		*to += m->to[i];
		*from += m->from[i];
		if (++at[i] < m->dim[i])
			return true;
		*to -= m->to[i] * m->dim[i];
		*from -= m->from[i] * m->dim[i];
		at[i] = 0;
	}
	return false;
}

void move_run(const struct move *move, size_t size, void *to, const void *from)
{
	const struct mover *mover = find_mover(size);
	struct move m = *move;
	struct tiles tiles = { 0 };
	struct strided row = { 1, 1, 1 };
	int64_t at[MOVE_MAX_RANK] = { 0 }, y = 0, x = 0;
	const int64_t bytes = (int64_t)size;
	unsigned n = 0;

	for (unsigned i = 0; i < m.rank; i++)
		if (!m.dim[i])
			return;
	if (m.rank) {
		row = (struct strided){ m.dim[m.rank - 1], m.to[m.rank - 1],
					m.from[m.rank - 1] };
		n = pick_tiles(&m, &tiles);
	}
	do {
		char *y_at = (char *)to + y * bytes;
		const char *x_at = (const char *)from + x * bytes;

		if (tiles.rows)
			mover->tile(&tiles, y_at, x_at);
		else if (row.to == 1 && row.from == 1)
			memcpy(y_at, x_at, (size_t)row.n * size);
		else
			mover->row(&row, y_at, x_at);
	} while (next_place(&m, n, at, &y, &x));
}

void move_run_slice(const struct move *move, const struct kernel_call *call,
		    unsigned slice)
{
	const int64_t size = (int64_t)query_size(call->query);
	struct move part = *move;
	int64_t to, from;

	move_simplify(&part);
	if (move_part(&part, call->n_slices, slice, &to, &from))
		move_run(&part, (size_t)size, (char *)call->out[0] + to * size,
			 (const char *)call->in[0] + from * size);
}

unsigned move_slices(const struct kernel_query *query, int64_t rows,
		     size_t bytes)
{
	return kernel_slices(
	    query, (double)min_int((int64_t)(bytes / MOVE_SLICE_BYTES), rows));
}

static size_t bytes_of(const struct fact *fact)
{
	return tensor_bytes(fact->type.elem, &fact->shape);
}

/* about 8 GB/s for what runs in rows, read and written */
double move_cost(const struct kernel_query *query)
{
	const size_t bytes =
	    bytes_of(&query->out[0]) +
	    (query->n_in ? bytes_of(&query->in[0]) : (size_t)0);

	return 0.05 + (double)bytes / 8e3;
}

double move_cost_scattered(const struct kernel_query *query)
{
	return 0.05 + (double)shape_count(&query->out[0].shape) / 1e3;
}

int64_t fact_int(const struct fact *fact, int64_t i)
{
	if (fact->type.elem == DTYPE_I32)
		return ((const int32_t *)fact->value)[i];
	return ((const int64_t *)fact->value)[i];
}

struct infer query_infer(const struct kernel_query *query)
{
	return (struct infer){ .attrs = query->attrs,
			       .node_name = "",
			       .n_in = query->n_in,
			       .n_out = query->n_out,
			       .in = query->in };
}

enum err_code infer_axes(const struct infer *infer, unsigned i, unsigned rank,
			 uint32_t *ret_axes, struct err *err)
{
	const char *name = "axes";
	int64_t list[SHAPE_MAX_RANK];
	enum err_code rc;
	size_t n = 0;

	*ret_axes = 0;
	rc = infer_ints(infer, i, list, &n, err);
	for (size_t k = 0; !rc && k < n; k++) {
		unsigned axis;

		rc = shape_axis(list[k], rank, name, &axis, err);
		if (rc)
			break;
		if (*ret_axes >> axis & 1u)
			rc = infer_fail(err, "input 'axes' names axis %u twice",
					axis);
		*ret_axes |= (uint32_t)1 << axis;
	}
	return rc;
}
