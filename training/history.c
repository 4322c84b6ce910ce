/* SPDX-License-Identifier: Apache-2.0 */
#include "training/history.h"

#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

/* of the picture */
enum { WIDTH = 720, LEFT = 70, TOP = 30, HIGH = 240, LOW = 110, GAP = 40 };

static size_t row_of(const struct history *h)
{
	return 2 + h->n_names;
}

void history_init(struct history *history, const char *const *name)
{
	*history = (struct history){ .name = name, .stride = 1 };
	while (name[history->n_names])
		history->n_names++;
}

void history_finish(struct history *history)
{
	mem_free(history->eval);
	history->eval = NULL;
}

static enum err_code grow(struct history *h, int64_t n, struct err *err)
{
	double *more;

	if (n <= h->cap)
		return ERR_NONE;
	more = mem_resize(h->eval, (size_t)n * 2 * row_of(h), sizeof(*h->eval));
	if (!more)
		return err_set(err, ERR_NO_MEMORY, "history: out of memory");
	h->eval = more;
	h->cap = 2 * n;
	return ERR_NONE;
}

enum err_code history_eval(struct history *history, int64_t epoch, int64_t step,
			   const double *value, struct err *err)
{
	double *row;
	enum err_code rc = grow(history, history->n_evals + 1, err);

	if (rc)
		return rc;
	row = history->eval + (size_t)history->n_evals++ * row_of(history);
	row[0] = (double)epoch;
	row[1] = (double)step;
	memcpy(row + 2, value, history->n_names * sizeof(*value));
	return ERR_NONE;
}

void history_step(struct history *h, const double row[HISTORY_COLUMNS])
{
	const size_t bytes = HISTORY_COLUMNS * sizeof(*row);

	if (fmod(row[0], (double)h->stride) != 0)
		return;
	if (h->n_steps == HISTORY_STEPS) {
		for (int64_t i = 1; 2 * i <= HISTORY_STEPS; i++)
			memcpy(h->step + (i - 1) * HISTORY_COLUMNS,
			       h->step + (2 * i - 1) * HISTORY_COLUMNS, bytes);
		h->n_steps /= 2;
		h->stride *= 2;
		if (fmod(row[0], (double)h->stride) != 0)
			return;
	}
	memcpy(h->step + h->n_steps++ * HISTORY_COLUMNS, row, bytes);
}

double history_first_loss(const struct history *h)
{
	return h->n_steps ? h->step[1] : (double)NAN;
}

/* --- at rest --- */

enum err_code history_list(struct history *h, struct arena *arena,
			   struct safetensors *ret, struct err *err)
{
	struct safetensors list = { .n = 3 };

	list.entry = arena_array(arena, 3, sizeof(*list.entry));
	if (!list.entry)
		return err_set(err, ERR_NO_MEMORY, "history: out of memory");
	list.entry[0].name = "evals";
	list.entry[0].view = (struct tensor_view){
		.data = h->eval,
		.dtype = DTYPE_F64,
		.shape = { 2, { h->n_evals, (int64_t)row_of(h) } },
	};
	list.entry[1].name = "steps";
	list.entry[1].view = (struct tensor_view){
		.data = h->step,
		.dtype = DTYPE_F64,
		.shape = { 2, { h->n_steps, HISTORY_COLUMNS } },
	};
	list.entry[2].name = "stride";
	list.entry[2].view = (struct tensor_view){
		.data = &h->stride,
		.dtype = DTYPE_I64,
	};
	*ret = list;
	return ERR_NONE;
}

static bool fits(const struct tensor_view *view, size_t columns, int64_t most)
{
	return view && view->dtype == DTYPE_F64 && view->shape.rank == 2 &&
	       view->shape.dim[0] <= most &&
	       view->shape.dim[1] == (int64_t)columns;
}

enum err_code history_restore(struct history *h, const struct safetensors *list,
			      struct err *err)
{
	const struct tensor_view *evals = safetensors_find(list, "evals");
	const struct tensor_view *steps = safetensors_find(list, "steps");
	const struct tensor_view *stride = safetensors_find(list, "stride");
	int64_t n;
	enum err_code rc;

	if (!list->n)
		return ERR_NONE;
	if (!fits(evals, row_of(h), INT32_MAX) ||
	    !fits(steps, HISTORY_COLUMNS, HISTORY_STEPS) || !stride ||
	    stride->dtype != DTYPE_I64 || stride->shape.rank != 0 ||
	    *(const int64_t *)stride->data < 1)
		return err_set(err, ERR_FORMAT,
			       "the checkpoint's history does not fit the job");
	n = evals->shape.dim[0];
	rc = grow(h, n, err);
	if (rc)
		return rc;
	if (n)
		memcpy(h->eval, evals->data,
		       tensor_bytes(evals->dtype, &evals->shape));
	h->n_evals = n;
	h->n_steps = steps->shape.dim[0];
	memcpy(h->step, steps->data, tensor_bytes(steps->dtype, &steps->shape));
	h->stride = *(const int64_t *)stride->data;
	return ERR_NONE;
}

/* --- to look at --- */

void history_write_csv(const struct history *h, struct buf *buf)
{
	buf_printf(buf, "epoch,step");
	for (size_t i = 0; i < h->n_names; i++)
		buf_printf(buf, ",%s", h->name[i]);
	buf_printf(buf, "\n");
	for (int64_t r = 0; r < h->n_evals; r++) {
		const double *row = h->eval + (size_t)r * row_of(h);

		for (size_t i = 0; i < row_of(h); i++) {
			if (i)
				buf_printf(buf, ",");
			if (isfinite(row[i]))
				buf_printf(buf, "%.10g", row[i]);
		}
		buf_printf(buf, "\n");
	}
}

/* One frame of the picture, and what its corners mean. */
struct frame {
	double top, height, x_max, y_min, y_max;
};

static void reach(struct frame *f, double y)
{
	if (!isfinite(y))
		return;
	f->y_min = fmin(f->y_min, y);
	f->y_max = fmax(f->y_max, y);
}

static double x_at(const struct frame *f, double step)
{
	return LEFT + (WIDTH - LEFT - 20) * step / fmax(f->x_max, 1);
}

static double y_at(const struct frame *f, double y)
{
	double share =
	    f->y_max > f->y_min ? (y - f->y_min) / (f->y_max - f->y_min) : 0.5;

	return f->top + f->height * (1 - share);
}

static void draw_frame(const struct frame *f, const char *title,
		       struct buf *buf)
{
	buf_printf(buf,
		   "<rect x=\"%d\" y=\"%g\" width=\"%d\" height=\"%g\" "
		   "fill=\"none\" stroke=\"#888\"/>\n",
		   (int)LEFT, f->top, WIDTH - LEFT - 20, f->height);
	buf_printf(buf, "<text x=\"%d\" y=\"%g\">%s</text>\n", (int)LEFT,
		   f->top - 8, title);
	buf_printf(buf,
		   "<text x=\"%d\" y=\"%g\" text-anchor=\"end\">%.4g</text>\n",
		   LEFT - 6, f->top + 10, f->y_max);
	buf_printf(buf,
		   "<text x=\"%d\" y=\"%g\" text-anchor=\"end\">%.4g</text>\n",
		   LEFT - 6, f->top + f->height, f->y_min);
	buf_printf(buf,
		   "<text x=\"%d\" y=\"%g\" text-anchor=\"end\">step "
		   "%.0f</text>\n",
		   WIDTH - 20, f->top + f->height + 16, f->x_max);
}

static void begin_line(struct buf *buf, const char *colour)
{
	buf_printf(buf,
		   "<polyline fill=\"none\" stroke=\"%s\" "
		   "stroke-width=\"1.5\" points=\"",
		   colour);
}

static void draw_steps(const struct history *h, const struct frame *f,
		       int column, const char *colour, struct buf *buf)
{
	begin_line(buf, colour);
	for (int64_t i = 0; i < h->n_steps; i++) {
		const double *row = h->step + i * HISTORY_COLUMNS;

		if (isfinite(row[column]))
			buf_printf(buf, "%.1f,%.1f ", x_at(f, row[0]),
				   y_at(f, row[column]));
	}
	buf_printf(buf, "\"/>\n");
}

static size_t find_name(const struct history *h, const char *name)
{
	size_t i = 0;

	while (i < h->n_names && !str_equal(h->name[i], name))
		i++;
	return i;
}

static void draw_evals(const struct history *h, const struct frame *f,
		       size_t column, struct buf *buf)
{
	begin_line(buf, "#c0392b");
	for (int64_t i = 0; i < h->n_evals && column < h->n_names; i++) {
		const double *row = h->eval + (size_t)i * row_of(h);

		if (isfinite(row[2 + column]))
			buf_printf(buf, "%.1f,%.1f ", x_at(f, row[1]),
				   y_at(f, row[2 + column]));
	}
	buf_printf(buf, "\"/>\n");
}

void history_write_svg(const struct history *h, struct buf *buf)
{
	const size_t valid = find_name(h, "valid_loss");
	struct frame loss = { TOP, HIGH, 0, (double)INFINITY,
			      -(double)INFINITY };
	struct frame rate = { TOP + HIGH + GAP, LOW, 0, 0, 0 };

	for (int64_t i = 0; i < h->n_steps; i++) {
		const double *row = h->step + i * HISTORY_COLUMNS;

		loss.x_max = fmax(loss.x_max, row[0]);
		reach(&loss, row[1]);
		reach(&rate, row[2]);
	}
	for (int64_t i = 0; i < h->n_evals; i++) {
		const double *row = h->eval + (size_t)i * row_of(h);

		loss.x_max = fmax(loss.x_max, row[1]);
		if (valid < h->n_names)
			reach(&loss, row[2 + valid]);
	}
	if (loss.y_max < loss.y_min)
		loss.y_min = loss.y_max = 0;
	rate.x_max = loss.x_max;
	buf_printf(buf,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		   "height=\"%d\" font-family=\"sans-serif\" "
		   "font-size=\"11\">\n"
		   "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		   (int)WIDTH, TOP + HIGH + GAP + LOW + GAP);
	draw_frame(&loss, "loss: training (blue), validation (red)", buf);
	draw_steps(h, &loss, 1, "#2471a3", buf);
	draw_evals(h, &loss, valid, buf);
	draw_frame(&rate, "learning rate", buf);
	draw_steps(h, &rate, 2, "#2471a3", buf);
	buf_printf(buf, "</svg>\n");
}
