/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Resize by rows: taps of every axis are tabled once. A row of the result is
 * first mixed from the input's rows, then made across by the last changing
 * axis' taps, so that an image costs (in + out) * taps a row and no plane in
 * between. What lies behind that axis (channels) moves as one. The gradient
 * goes the same way back.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/ops/move.h"
#include "engine/ops/resize.h"

/* of one axis, for each place of the result; `at` counts elements of x */
struct taps {
	int64_t n;
	int64_t *at;
	float *narrow;
	double *wide;
	uint8_t *outside; /* NULL: no place is */
};

struct rows {
	struct resize r;
	unsigned across; /* the axis of rows */
	int64_t inner;	 /* elements behind it */
	int64_t n_rows;	 /* of the result */
	int64_t row_in, row_out;
	struct taps taps[SHAPE_MAX_RANK];
	enum dtype elem, work; /* work: the type of sums */
};

/* A walk over the source rows of one row of the result. */
struct mix {
	int64_t place[SHAPE_MAX_RANK], tap[SHAPE_MAX_RANK];
	int64_t from; /* first element of the row */
	double weight;
};

static void mix_locate(const struct rows *rows, struct mix *mix)
{
	mix->from = 0;
	mix->weight = 1;
	for (unsigned k = 0; k < rows->across; k++) {
		const struct taps *taps = &rows->taps[k];
		const int64_t i = mix->place[k] * taps->n + mix->tap[k];

		mix->from += taps->at[i];
		mix->weight *= taps->wide[i];
	}
}

/* False: the row lies outside of the input. */
static bool mix_start(const struct rows *rows, int64_t i, struct mix *mix)
{
	*mix = (struct mix){ 0 };
	for (unsigned k = rows->across; k-- > 0;) {
		const int64_t out = rows->r.axis[k].out;

		mix->place[k] = i % out;
		i /= out;
		if (rows->taps[k].outside &&
		    rows->taps[k].outside[mix->place[k]])
			return false;
	}
	mix_locate(rows, mix);
	return true;
}

static bool mix_next(const struct rows *rows, struct mix *mix)
{
	for (unsigned k = rows->across; k-- > 0;) {
		if (++mix->tap[k] < rows->taps[k].n) {
			mix_locate(rows, mix);
			return true;
		}
		mix->tap[k] = 0;
	}
	return false;
}

/* The row of x in the type of sums; `room` holds it where it is converted. */
static const void *row_of(const struct rows *rows, const void *x, int64_t from,
			  void *room)
{
	const size_t size = dtype_info(rows->elem)->size;
	const char *row = (const char *)x + (size_t)from * size;

	if (rows->elem == rows->work)
		return row;
	dtype_convert(rows->elem, row, rows->work, room, (size_t)rows->row_in,
		      true);
	return room;
}

#define T float
#define WEIGHT narrow
#define NAME(x) x##_f32
#include "engine/ops/resize_typed.h"
#undef T
#undef WEIGHT
#undef NAME
#define T double
#define WEIGHT wide
#define NAME(x) x##_f64
#include "engine/ops/resize_typed.h"
#undef T
#undef WEIGHT
#undef NAME

/* ---- tables -------------------------------------------------------------- */

static void rows_free(void *state)
{
	struct rows *rows = state;

	for (unsigned k = 0; rows && k < SHAPE_MAX_RANK; k++) {
		mem_free(rows->taps[k].at);
		mem_free(rows->taps[k].narrow);
		mem_free(rows->taps[k].wide);
		mem_free(rows->taps[k].outside);
	}
	mem_free(rows);
}

static int64_t most_taps(const struct resize *r, unsigned k)
{
	struct resize_place place = { .n = 1 };

	if (r->axis[k].out)
		resize_locate(r, k, 0, &place);
	return place.n;
}

static void fill_place(const struct resize *r, unsigned k, int64_t j,
		       int64_t stride, struct taps *taps)
{
	struct resize_place place;

	resize_locate(r, k, j, &place);
	taps->outside[j] = place.outside;
	for (int64_t t = 0; t < taps->n; t++) {
		const int64_t i = j * taps->n + t;
		int64_t at = 0;
		const double w =
		    t < place.n ? resize_weight(r, k, &place, t, &at) : 0;

		taps->at[i] = at * stride;
		taps->wide[i] = w;
		taps->narrow[i] = (float)w;
	}
}

/* Among rows an axis without change needs a table all the same. */
static bool fill_axis(struct rows *rows, unsigned k, int64_t stride)
{
	const struct resize_axis *axis = &rows->r.axis[k];
	struct taps *taps = &rows->taps[k];
	bool any = false;
	size_t n;

	taps->n = most_taps(&rows->r, k);
	if (axis->same && k >= rows->across)
		return true;
	n = (size_t)axis->out * (size_t)taps->n;
	taps->at = mem_array(n + 1, sizeof(*taps->at));
	taps->narrow = mem_array(n + 1, sizeof(*taps->narrow));
	taps->wide = mem_array(n + 1, sizeof(*taps->wide));
	taps->outside = mem_array((size_t)axis->out + 1, 1);
	if (!taps->at || !taps->narrow || !taps->wide || !taps->outside)
		return false;
	for (int64_t j = 0; j < axis->out; j++) {
		fill_place(&rows->r, k, j, stride, taps);
		any = any || taps->outside[j];
	}
	if (!any) {
		mem_free(taps->outside);
		taps->outside = NULL;
	}
	return true;
}

static enum dtype work_type(enum dtype elem)
{
	return dtype_is_float(elem) && elem != DTYPE_F64 ? DTYPE_F32
							 : DTYPE_F64;
}

static void cut_rows(struct rows *rows)
{
	const struct resize *r = &rows->r;
	const struct resize_axis *last = &r->axis[r->rank - 1];

	rows->across = r->rank - 1;
	rows->inner = 1;
	if (last->same && rows->across) {
		rows->inner = last->in;
		rows->across--;
	}
	rows->n_rows = 1;
	for (unsigned k = 0; k < rows->across; k++)
		rows->n_rows *= r->axis[k].out;
	rows->row_in = r->axis[rows->across].in * rows->inner;
	rows->row_out = r->axis[rows->across].out * rows->inner;
}

static enum err_code rows_create(const struct resize *r, enum dtype elem,
				 struct rows **ret_rows, struct err *err)
{
	struct rows *rows = mem_zero(sizeof(*rows));
	int64_t stride = 1;
	bool ok = rows != NULL;

	if (ok) {
		rows->r = *r;
		rows->elem = elem;
		rows->work = work_type(elem);
		cut_rows(rows);
	}
	for (unsigned k = r->rank; ok && k-- > 0;) {
		ok = fill_axis(rows, k, stride);
		stride *= r->axis[k].in;
	}
	if (!ok) {
		rows_free(rows);
		return err_set(err, ERR_NO_MEMORY, "Resize: out of memory");
	}
	*ret_rows = rows;
	return ERR_NONE;
}

/* ---- forward ------------------------------------------------------------- */

/* mixed, wide and a row of the result, in the type of sums */
static size_t room_bytes(const struct rows *rows)
{
	return (size_t)(2 * rows->row_in + rows->row_out) * sizeof(double);
}

static enum err_code rows_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	const struct fact *y = &query->out[0];
	struct rows *rows = NULL;
	struct shape shape;
	struct resize r;
	enum err_code rc =
	    resize_read(&infer, &query->in[0].shape, 1, &r, &shape, err);

	if (!rc)
		rc = rows_create(&r, y->type.elem, &rows, err);
	if (rc)
		return rc;
	ret->state = rows;
	ret->scratch_bytes = r.mode == RESIZE_NEAREST ? 0 : room_bytes(rows);
	ret->n_slices = move_slices(query, rows->n_rows,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

/* Elements of the extrapolation value; text has the empty one. */
static void fill_value(const struct rows *rows, char *y, int64_t n)
{
	const size_t size = dtype_info(rows->elem)->size;
	char one[16] = { 0 };

	if (rows->elem != DTYPE_STRING)
		dtype_convert(DTYPE_F64, &rows->r.extrapolation, rows->elem,
			      one, 1, true);
	for (int64_t j = 0; j < n; j++)
		memcpy(y + (size_t)j * size, one, size);
}

static void pick_4(const int64_t *at, int64_t n, const char *x, char *y)
{
	for (int64_t j = 0; j < n; j++)
		memcpy(y + 4 * j, x + 4 * at[j], 4);
}

/* bytes: of what moves as one; size: of an element */
static void pick(const struct taps *taps, int64_t n, const char *x, char *y,
		 size_t bytes, size_t size)
{
	if (bytes == 4 && size == 4) {
		pick_4(taps->at, n, x, y);
		return;
	}
	for (int64_t j = 0; j < n; j++)
		memcpy(y + (size_t)j * bytes, x + (size_t)taps->at[j] * size,
		       bytes);
}

/* Returns where its source row begins; -1: nowhere. `before` is that of the
 * row before, which is copied where it is the same. */
static int64_t nearest_row(const struct rows *rows, int64_t i, const char *x,
			   char *y, int64_t before)
{
	const struct resize_axis *axis = &rows->r.axis[rows->across];
	const struct taps *last = &rows->taps[rows->across];
	const size_t size = dtype_info(rows->elem)->size;
	const size_t row = (size_t)rows->row_out * size;
	const size_t bytes = (size_t)rows->inner * size;
	struct mix mix;

	y += (size_t)i * row;
	if (!mix_start(rows, i, &mix)) {
		fill_value(rows, y, rows->row_out);
		return -1;
	}
	if (mix.from == before) {
		memcpy(y, y - row, row);
		return before;
	}
	x += (size_t)mix.from * size;
	if (axis->same)
		memcpy(y, x, row);
	else
		pick(last, axis->out, x, y, bytes, size);
	for (int64_t j = 0; last->outside && j < axis->out; j++)
		if (last->outside[j])
			fill_value(rows, y + (size_t)j * bytes, rows->inner);
	return mix.from;
}

static void linear_row(const struct rows *rows, int64_t i, const void *x,
		       void *scratch, char *y)
{
	const size_t size = dtype_info(rows->elem)->size;
	double *wide = scratch, *row = wide + 2 * rows->row_in;
	float *narrow = scratch;
	void *to = row;

	y += (size_t)(i * rows->row_out) * size;
	if (rows->elem == rows->work)
		to = y;
	if (rows->work == DTYPE_F32)
		linear_row_f32(rows, i, x, narrow, narrow + rows->row_in, to);
	else
		linear_row_f64(rows, i, x, wide, wide + rows->row_in, to);
	if (rows->elem == rows->work)
		return;
	for (int64_t j = 0; !dtype_is_float(rows->elem) && j < rows->row_out;
	     j++)
		row[j] = rint(row[j]);
	dtype_convert(rows->work, to, rows->elem, y, (size_t)rows->row_out,
		      true);
}

static void rows_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct rows *rows = call->state;
	int64_t first, last, from = -1;

	if (!shape_count(&call->query->out[0].shape))
		return;
	kernel_slice(rows->n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		if (rows->r.mode == RESIZE_NEAREST)
			from = nearest_row(rows, i, call->in[0], call->out[0],
					   from);
		else
			linear_row(rows, i, call->in[0], scratch, call->out[0]);
	}
}

static double rows_cost(const struct kernel_query *query)
{
	const struct resize_attrs *attrs = query->attrs;
	const double n = (double)shape_count(&query->out[0].shape);

	return 1 + n * (strcmp(attrs->mode, "nearest") == 0  ? 0.8e-3
			: strcmp(attrs->mode, "linear") == 0 ? 2e-3
							     : 5e-3);
}

const struct kernel resize_rows_kernel = {
	.name = "resize.rows",
	.flags = KERNEL_SLICE_FREE,
	.cost = rows_cost,
	.prepare = rows_prepare,
	.run = rows_run,
	.finish = rows_free,
};

/* ---- gradient ------------------------------------------------------------ */

/* in 0 dY, 1 the shape of X, 2 roi, 3 scales, 4 sizes */
static enum err_code grad_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	const struct fact *dx = &query->out[0];
	struct rows *rows = NULL;
	struct shape shape;
	struct resize r;
	enum err_code rc = resize_read(&infer, &dx->shape, 2, &r, &shape, err);

	if (!rc)
		rc = rows_create(&r, dx->type.elem, &rows, err);
	if (rc)
		return rc;
	ret->state = rows;
	ret->scratch_bytes = room_bytes(rows);
	if (rows->across && r.axis[0].same)
		ret->n_slices =
		    move_slices(query, r.axis[0].in,
				tensor_bytes(dx->type.elem, &dx->shape));
	return ERR_NONE;
}

/* Slices are parts of the first axis where nothing happens on it. */
static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct rows *rows = call->state;
	const struct fact *fact = &call->query->out[0];
	const int64_t parts = call->n_slices > 1 ? rows->r.axis[0].in : 1;
	const int64_t n_in = shape_count(&fact->shape) / parts;
	const int64_t n_rows = rows->n_rows / parts;
	const size_t size = dtype_info(fact->type.elem)->size;
	int64_t first, last;

	if (!shape_count(&fact->shape))
		return;
	kernel_slice(parts, call->n_slices, slice, &first, &last);
	memset((char *)call->out[0] + (size_t)(first * n_in) * size, 0,
	       (size_t)((last - first) * n_in) * size);
	if (!shape_count(&call->query->in[0].shape))
		return;
	for (int64_t i = first * n_rows; i < last * n_rows; i++) {
		if (fact->type.elem == DTYPE_F32)
			back_row_f32(rows, i, call->in[0], scratch,
				     call->out[0]);
		else
			back_row_f64(rows, i, call->in[0], scratch,
				     call->out[0]);
	}
}

static bool grad_fits(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

const struct kernel resize_grad_kernel = {
	.name = "resize_grad.rows",
	.flags = KERNEL_SLICE_FREE,
	.fits = grad_fits,
	.cost = rows_cost,
	.prepare = grad_prepare,
	.run = grad_run,
	.finish = rows_free,
};
