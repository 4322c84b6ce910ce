/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Learning rate finder: its curve as files.
 */
#include <math.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "training/lr_finder.h"

enum { WIDTH = 760, HEIGHT = 380, LEFT = 70, TOP = 40, RIGHT = 20, FOOT = 60 };

void lr_curve_write_file(const struct lr_curve *curve, double rate,
			 struct buf *buf)
{
	struct json_writer w;

	json_write_init(&w, buf);
	json_write_object(&w, NULL);
	json_write_double(&w, "learning_rate", rate);
	lr_curve_write(curve, &w);
	json_write_object_end(&w);
}

/* What the corners of the picture mean. */
struct frame {
	double x_min, x_max, y_min, y_max;
};

static double x_at(const struct frame *f, double rate)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (log10(rate) - f->x_min) /
			  (f->x_max - f->x_min);
}

static double y_at(const struct frame *f, double loss)
{
	return TOP + (HEIGHT - TOP - FOOT) * (f->y_max - loss) /
			 (f->y_max - f->y_min);
}

/* Whole powers of ten on one side, what was reached on the other. */
static struct frame frame_of(const struct lr_curve *curve)
{
	struct frame f = { 0, 1, (double)INFINITY, -(double)INFINITY };

	if (curve->n) {
		f.x_min = floor(log10(curve->rate[0]));
		f.x_max = ceil(log10(curve->rate[curve->n - 1]));
	}
	if (!(f.x_max > f.x_min))
		f.x_max = f.x_min + 1;
	for (size_t i = 0; i < curve->n; i++) {
		f.y_min = fmin(f.y_min, curve->loss[i]);
		f.y_max = fmax(f.y_max, curve->loss[i]);
	}
	if (!(f.y_max > f.y_min)) {
		f.y_min = isfinite(f.y_min) ? f.y_min - 0.5 : 0;
		f.y_max = f.y_min + 1;
	}
	return f;
}

static void draw_axes(const struct frame *f, struct buf *buf)
{
	const double bottom = HEIGHT - FOOT;

	buf_printf(buf,
		   "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
		   "fill=\"none\" stroke=\"#888\"/>\n",
		   (int)LEFT, (int)TOP, WIDTH - LEFT - RIGHT,
		   HEIGHT - TOP - FOOT);
	for (int p = (int)f->x_min; p <= (int)f->x_max; p++)
		buf_printf(buf,
			   "<text x=\"%.1f\" y=\"%.0f\" "
			   "text-anchor=\"middle\">1e%d</text>\n",
			   x_at(f, pow(10, p)), bottom + 16, p);
	buf_printf(buf,
		   "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.4g</text>\n"
		   "<text x=\"%d\" y=\"%.0f\" "
		   "text-anchor=\"end\">%.4g</text>\n",
		   LEFT - 6, TOP + 10, f->y_max, LEFT - 6, bottom, f->y_min);
	buf_printf(buf,
		   "<text x=\"%d\" y=\"%d\">loss over learning rate</text>\n",
		   (int)LEFT, TOP - 22);
}

static void draw_curve(const struct lr_curve *curve, const struct frame *f,
		       struct buf *buf)
{
	buf_printf(buf, "<polyline fill=\"none\" stroke=\"#2471a3\" "
			"stroke-width=\"1.5\" points=\"");
	for (size_t i = 0; i < curve->n; i++)
		buf_printf(buf, "%.1f,%.1f ", x_at(f, curve->rate[i]),
			   y_at(f, curve->loss[i]));
	buf_printf(buf, "\"/>\n");
}

/* A line at a rate, its name in the row-th line at the foot. */
static void draw_mark(const struct frame *f, const char *name, double rate,
		      int place, struct buf *buf)
{
	static const char *const colour[] = { "#2e4053", "#b9770e", "#c0392b",
					      "#1e8449", "#7d3c98", "#111" };
	const int x = LEFT + place * (WIDTH - LEFT - RIGHT) / 6;

	if (!(rate > 0))
		return;
	buf_printf(buf,
		   "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" "
		   "stroke=\"%s\" stroke-dasharray=\"4 3\"/>\n"
		   "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s %.3g</text>\n",
		   x_at(f, rate), x_at(f, rate), (int)TOP, HEIGHT - FOOT,
		   colour[place], x, HEIGHT - 16, colour[place], name, rate);
}

void lr_curve_write_svg(const struct lr_curve *curve, double rate,
			struct buf *buf)
{
	const struct lr_suggestions s = lr_suggest(curve);
	const struct frame f = frame_of(curve);

	buf_printf(buf,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		   "height=\"%d\" font-family=\"sans-serif\" "
		   "font-size=\"11\">\n"
		   "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		   (int)WIDTH, (int)HEIGHT);
	draw_axes(&f, buf);
	draw_curve(curve, &f, buf);
	draw_mark(&f, "middle", s.middle, 0, buf);
	draw_mark(&f, "steep", s.steep, 1, buf);
	draw_mark(&f, "valley", s.valley, 2, buf);
	draw_mark(&f, "minimum", s.minimum, 3, buf);
	draw_mark(&f, "slide", s.slide, 4, buf);
	draw_mark(&f, "taken", rate, 5, buf);
	buf_printf(buf, "</svg>\n");
}
