/* SPDX-License-Identifier: Apache-2.0 */
#include "data/augment.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/field.h"
#include "base/json_write.h"

enum { CORNERS = 4, UNKNOWNS = 8, CHANNELS_MAX = 4 };
/* which number of a picture's draw */
enum {
	DRAW_FLIP_LR,
	DRAW_FLIP_VERT,
	DRAW_ROTATES,
	DRAW_ANGLE,
	DRAW_ZOOMS,
	DRAW_ZOOM,
	DRAW_ZOOM_X,
	DRAW_ZOOM_Y,
	DRAW_WARPS,
	DRAW_WARP_UP,
	DRAW_WARP_LEFT,
	DRAW_BRIGHTENS,
	DRAW_BRIGHTNESS,
	DRAW_CONTRASTS,
	DRAW_CONTRAST,
	DRAWS = 16
};

static const char *const pad_names[] = { "reflection", "zeros", "border",
					 NULL };

#define AT(member) offsetof(struct augment_spec, member)
#define NUMBER(text, of, where, low, high, value)                          \
	{                                                                  \
		.name = text, .help = of, .kind = FIELD_DOUBLE,            \
		.offset = AT(where), .min = low, .max = high, .def = value \
	}
static const struct field augment_fields[] = {
	NUMBER("flip_lr", "probability of a mirror image", flip_lr, 0, 1, 0),
	NUMBER("flip_vert", "probability of one upside down", flip_vert, 0, 1,
	       0),
	NUMBER("max_rotate", "degrees to both sides", max_rotate, 0, 180, 0),
	NUMBER("max_zoom", "at most so large, about a place by chance",
	       max_zoom, 1, 10, 1),
	NUMBER("max_warp", "perspective: how far corners move", max_warp, 0,
	       0.9, 0),
	NUMBER("max_lighting", "of brightness and contrast", max_lighting, 0,
	       0.9, 0),
	NUMBER("p_affine", "probability of each of rotation, zoom and warp",
	       p_affine, 0, 1, 0.75),
	NUMBER("p_lighting", "probability of each change of light", p_lighting,
	       0, 1, 0.75),
	{ .name = "pad_mode",
	  .help = "what is outside: reflection, zeros (black) or border",
	  .kind = FIELD_ENUM,
	  .offset = AT(pad_mode),
	  .names = pad_names },
	{ 0 },
};

enum err_code augment_read(const struct doc *map, struct augment_spec *ret,
			   struct arena *arena, struct err *err)
{
	struct augment_spec spec = { 0 };
	enum err_code rc;

	*ret = spec;
	if (!map || map->kind == DOC_NULL)
		return ERR_NONE;
	rc = field_read(augment_fields, map, "augmentation", NULL, &spec, arena,
			err);
	if (rc)
		return rc;
	spec.is_on = spec.flip_lr > 0 || spec.flip_vert > 0 ||
		     spec.max_rotate > 0 || spec.max_zoom > 1 ||
		     spec.max_warp > 0 || spec.max_lighting > 0;
	*ret = spec;
	return ERR_NONE;
}

void augment_schema(struct json_writer *writer)
{
	field_schema(augment_fields, NULL, NULL, writer);
}

void augment_write(const struct augment_spec *spec, struct json_writer *writer)
{
	if (!spec->is_on)
		return;
	json_write_object(writer, "augmentation");
	field_write(augment_fields, spec, writer);
	json_write_object_end(writer);
}

/* --- drawing --- */

/* *map = by *map: what comes after it. */
static void follow(const struct augment_map *by, struct augment_map *map)
{
	struct augment_map product;

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			product.at[i][j] = by->at[i][0] * map->at[0][j] +
					   by->at[i][1] * map->at[1][j] +
					   by->at[i][2] * map->at[2][j];
	*map = product;
}

/* Solves for the perspective that takes corners to where they are warped to:
 * x' = (a x + b y + c) / (g x + h y + 1), y' likewise (Gauss, with pivots). */
static bool solve(double m[UNKNOWNS][UNKNOWNS + 1])
{
	for (int k = 0; k < UNKNOWNS; k++) {
		int best = k;

		for (int i = k + 1; i < UNKNOWNS; i++)
			best = fabs(m[i][k]) > fabs(m[best][k]) ? i : best;
		if (!(fabs(m[best][k]) > 1e-12))
			return false;
		for (int j = k; j <= UNKNOWNS; j++) {
			const double swap = m[k][j];

			m[k][j] = m[best][j];
			m[best][j] = swap;
		}
		for (int i = 0; i < UNKNOWNS; i++) {
			const double by = m[i][k] / m[k][k];

			for (int j = k; j <= UNKNOWNS && i != k; j++)
				m[i][j] -= by * m[k][j];
		}
	}
	return true;
}

/* Opposite edges grow and shrink: the upper one by `up`, the left by `left`. */
static void add_warp(double up, double left, struct augment_map *map)
{
	static const double corner[CORNERS][2] = {
		{ -1, -1 }, { -1, 1 }, { 1, -1 }, { 1, 1 }
	};
	double m[UNKNOWNS][UNKNOWNS + 1] = { { 0 } };
	struct augment_map warp;

	for (int i = 0; i < CORNERS; i++) {
		const double x = corner[i][0], y = corner[i][1];
		const double to[2] = { x * (1 - up * y), y * (1 - left * x) };

		for (int axis = 0; axis < 2; axis++) {
			double *row = m[2 * i + axis];
			double *of_axis = row + (axis ? 3 : 0);

			of_axis[0] = x;
			of_axis[1] = y;
			of_axis[2] = 1;
			row[6] = -to[axis] * x;
			row[7] = -to[axis] * y;
			row[8] = to[axis];
		}
	}
	if (!solve(m))
		return;
	for (int i = 0; i < UNKNOWNS; i++)
		warp.at[i / 3][i % 3] = m[i][UNKNOWNS] / m[i][i];
	warp.at[2][2] = 1;
	follow(&warp, map);
}

struct dice {
	struct rng rng;
	uint64_t first;
};

static double draw_number(const struct dice *d, int which)
{
	return (double)rng_uniform(d->rng, d->first + (uint64_t)which);
}

static double draw_between(const struct dice *d, int which, double low,
			   double high)
{
	return low + (high - low) * draw_number(d, which);
}

/* Angles are of the picture, not of its sides. */
static void add_rotation(double degrees, double aspect, struct augment_map *map)
{
	const double angle = degrees * 3.14159265358979323846 / 180;
	const double c = cos(angle), s = sin(angle);
	const struct augment_map turn = {
		{ { c, -s / aspect, 0 }, { s * aspect, c, 0 }, { 0, 0, 1 } }
	};

	follow(&turn, map);
}

static void add_zoom(const struct dice *d, double most, struct augment_map *map)
{
	const double s = 1 / draw_between(d, DRAW_ZOOM, 1, most);
	const double x = (1 - s) * draw_between(d, DRAW_ZOOM_X, -1, 1);
	const double y = (1 - s) * draw_between(d, DRAW_ZOOM_Y, -1, 1);
	const struct augment_map zoom = {
		{ { s, 0, x }, { 0, s, y }, { 0, 0, 1 } }
	};

	follow(&zoom, map);
}

static void draw_map(const struct augment_spec *spec, const struct dice *d,
		     double aspect, struct augment_draw *ret)
{
	const double x = draw_number(d, DRAW_FLIP_LR) < spec->flip_lr ? -1 : 1;
	const double y =
	    draw_number(d, DRAW_FLIP_VERT) < spec->flip_vert ? -1 : 1;

	ret->map =
	    (struct augment_map){ { { x, 0, 0 }, { 0, y, 0 }, { 0, 0, 1 } } };
	ret->moves = x < 0 || y < 0;
	if (spec->max_rotate > 0 &&
	    draw_number(d, DRAW_ROTATES) < spec->p_affine) {
		add_rotation(draw_between(d, DRAW_ANGLE, -spec->max_rotate,
					  spec->max_rotate),
			     aspect, &ret->map);
		ret->moves = true;
	}
	if (spec->max_zoom > 1 && draw_number(d, DRAW_ZOOMS) < spec->p_affine) {
		add_zoom(d, spec->max_zoom, &ret->map);
		ret->moves = true;
	}
	if (spec->max_warp > 0 && draw_number(d, DRAW_WARPS) < spec->p_affine) {
		add_warp(draw_between(d, DRAW_WARP_UP, -spec->max_warp,
				      spec->max_warp),
			 draw_between(d, DRAW_WARP_LEFT, -spec->max_warp,
				      spec->max_warp),
			 &ret->map);
		ret->moves = true;
	}
}

static void draw_light(const struct augment_spec *spec, const struct dice *d,
		       struct augment_draw *ret)
{
	const double m = spec->max_lighting;
	double at;

	ret->contrast = 1;
	if (!(m > 0))
		return;
	if (draw_number(d, DRAW_BRIGHTENS) < spec->p_lighting) {
		at = draw_between(d, DRAW_BRIGHTNESS, (1 - m) / 2, (1 + m) / 2);
		ret->brightness = log(at / (1 - at));
		ret->lights = true;
	}
	if (draw_number(d, DRAW_CONTRASTS) < spec->p_lighting) {
		at = log(1 - m);
		ret->contrast = exp(draw_between(d, DRAW_CONTRAST, at, -at));
		ret->lights = true;
	}
}

struct augment_draw augment_draw(const struct augment_spec *spec,
				 const struct augment_place *place,
				 int64_t width, int64_t height)
{
	const struct dice dice = { place->rng, place->element * DRAWS };
	struct augment_draw draw = { 0 };

	draw_map(spec, &dice, (double)width / (double)height, &draw);
	draw_light(spec, &dice, &draw);
	return draw;
}

/* --- doing --- */

/* Where a place is read on an axis of n samples; below 0: outside. */
static double settle(double at, int64_t n, int pad_mode)
{
	const double last = (double)(n - 1);

	if (pad_mode == PAD_BORDER)
		return fmin(fmax(at, 0), last);
	if (pad_mode != PAD_REFLECTION)
		return at;
	if (n == 1)
		return 0;
	at = fmod(fabs(at), 2 * last);
	return at > last ? 2 * last - at : at;
}

struct plane {
	const float *from;
	int64_t width, height;
	float outside;
};

static float sample_at(const struct plane *p, int64_t x, int64_t y)
{
	return x < 0 || y < 0 || x >= p->width || y >= p->height
		   ? p->outside
		   : p->from[y * p->width + x];
}

static float between(const struct plane *p, double x, double y)
{
	const double left = floor(x), top = floor(y);
	const float u = (float)(x - left), v = (float)(y - top);
	const int64_t i = (int64_t)left, j = (int64_t)top;

	return (1 - v) *
		   ((1 - u) * sample_at(p, i, j) + u * sample_at(p, i + 1, j)) +
	       v * ((1 - u) * sample_at(p, i, j + 1) +
		    u * sample_at(p, i + 1, j + 1));
}

/* The row of all channels. */
static void move_row(const struct augment_draw *draw, int pad_mode,
		     const struct plane *plane, int64_t channels, int64_t row,
		     float *to)
{
	const int64_t w = plane->width, h = plane->height;
	const double(*m)[3] = draw->map.at;
	const double y = h > 1 ? 2 * (double)row / (double)(h - 1) - 1 : 0;

	for (int64_t j = 0; j < w; j++) {
		const double x =
		    w > 1 ? 2 * (double)j / (double)(w - 1) - 1 : 0;
		const double depth = m[2][0] * x + m[2][1] * y + m[2][2];
		double u = (m[0][0] * x + m[0][1] * y + m[0][2]) / depth;
		double v = (m[1][0] * x + m[1][1] * y + m[1][2]) / depth;

		/* what is beyond the horizon is far outside */
		u = isfinite(u) ? fmin(fmax(u, -1e6), 1e6) : 1e6;
		v = isfinite(v) ? fmin(fmax(v, -1e6), 1e6) : 1e6;
		u = settle((u + 1) / 2 * (double)(w - 1), w, pad_mode);
		v = settle((v + 1) / 2 * (double)(h - 1), h, pad_mode);
		for (int64_t c = 0; c < channels; c++)
			to[c * w * h + row * w + j] = between(&plane[c], u, v);
	}
}

static void change_light(const struct augment_draw *draw, int64_t n,
			 double mean, double std, float *x)
{
	for (int64_t i = 0; i < n; i++) {
		double p = (double)x[i] * std + mean;

		p = fmin(fmax(p, 1e-7), 1 - 1e-7);
		p = (log(p / (1 - p)) + draw->brightness) * draw->contrast;
		x[i] = (float)((1 / (1 + exp(-p)) - mean) / std);
	}
}

void augment_apply(const struct augment_draw *draw, int pad_mode,
		   const struct augment_picture *picture)
{
	const struct shape *shape = &picture->shape;
	const int64_t n = shape->dim[1] * shape->dim[2];
	const int64_t channels = shape->dim[0];
	struct plane plane[CHANNELS_MAX] = { 0 };

	for (int64_t c = 0; c < channels && c < CHANNELS_MAX; c++)
		plane[c] = (struct plane){
			.from = picture->room + c * n,
			.width = shape->dim[2],
			.height = shape->dim[1],
			.outside =
			    (float)((0 - picture->mean[c]) / picture->std[c]),
		};
	if (draw->moves) {
		memcpy(picture->room, picture->sample,
		       (size_t)(channels * n) * sizeof(float));
		for (int64_t row = 0; row < shape->dim[1]; row++)
			move_row(draw, pad_mode, plane, channels, row,
				 picture->sample);
	}
	for (int64_t c = 0; c < channels && draw->lights; c++)
		change_light(draw, n, picture->mean[c], picture->std[c],
			     picture->sample + c * n);
}
