/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Muon (Jordan et al. 2024): a momentum of which every direction counts alike.
 * Of a matrix, with mu the momentum and steps as long as Adam's are (Liu et al.
 * 2025), so that one rate does for all parameters:
 *
 *   m <- mu m + (1 - mu) g        u = g + mu (m - g)
 *   X = u / |u|, then five times X <- 3.4445 X + (2.0315 A A - 4.775 A) X with
 *   A = X X', which takes all singular values near 1
 *   p <- p - rate 0.2 sqrt(longer side) X
 *
 * What is no matrix goes by Adam, with mu as its beta1.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/optimizer_priv.h"

enum { ROUNDS = 5, MAX_SIDE = 8192, FLOATS_OF_LINE = 16 };

/* A matrix, and the places where its direction is made. */
struct direction {
	int64_t rows, columns, side; /* the shorter one; 0: no matrix */
	float *now, *next;	     /* [rows, columns] */
	float *square, *factor;	     /* [side, side] */
};

int64_t optimizer_columns(const struct shape *shape)
{
	int64_t rows = 1, columns = 1;

	for (unsigned i = 0; i < shape->rank; i++) {
		if (rows == 1)
			rows = shape->dim[i];
		else
			columns *= shape->dim[i];
	}
	return rows > 1 && columns > 1 && rows <= MAX_SIDE &&
		       columns <= MAX_SIDE
		   ? columns
		   : 0;
}

static int64_t round_up(int64_t n)
{
	return (n + FLOATS_OF_LINE - 1) / FLOATS_OF_LINE * FLOATS_OF_LINE;
}

static struct direction direction_of(const struct optimizer_attrs *attrs,
				     size_t i)
{
	const int64_t *v = attrs->segments.v + 3 * i;
	struct direction d = { .rows = 0 };

	if (!attrs->columns.n || !attrs->columns.v[i])
		return d;
	d.columns = attrs->columns.v[i];
	d.rows = (v[1] - v[0]) / d.columns;
	d.side = d.rows < d.columns ? d.rows : d.columns;
	return d;
}

static int64_t floats_of(const struct direction *d)
{
	return 2 * round_up(d->rows * d->columns) +
	       2 * round_up(d->side * d->side);
}

static void lay_out(struct direction *d, float *scratch)
{
	d->now = scratch;
	d->next = d->now + round_up(d->rows * d->columns);
	d->square = d->next + round_up(d->rows * d->columns);
	d->factor = d->square + round_up(d->side * d->side);
}

/* factor = 2.0315 A A - 4.775 A, where A = now now' or, of a tall matrix, now'
 * now: the same polynomial from its other side. */
static void make_factor(struct direction *d)
{
	const bool is_wide = d->rows <= d->columns;
	const struct blas_product square = {
		.m = d->side,
		.n = d->side,
		.k = is_wide ? d->columns : d->rows,
		.lda = d->columns,
		.ldb = d->columns,
		.ldc = d->side,
		.trans_a = !is_wide,
		.trans_b = is_wide,
		.alpha = 1,
	};
	const struct blas_product factor = {
		.m = d->side,
		.n = d->side,
		.k = d->side,
		.lda = d->side,
		.ldb = d->side,
		.ldc = d->side,
		.alpha = 2.0315,
		.beta = -4.7750,
	};

	blas_product_f32(&square, d->now, d->now, d->square);
	memcpy(d->factor, d->square,
	       (size_t)(d->side * d->side) * sizeof(float));
	blas_product_f32(&factor, d->square, d->square, d->factor);
}

/* now <- 3.4445 now + factor now, or now factor */
static void go_round(struct direction *d)
{
	const bool is_wide = d->rows <= d->columns;
	const struct blas_product next = {
		.m = d->rows,
		.n = d->columns,
		.k = d->side,
		.lda = is_wide ? d->side : d->columns,
		.ldb = is_wide ? d->columns : d->side,
		.ldc = d->columns,
		.alpha = 1,
		.beta = 3.4445,
	};
	float *const before = d->now;

	make_factor(d);
	memcpy(d->next, before, (size_t)(d->rows * d->columns) * sizeof(float));
	blas_product_f32(&next, is_wide ? d->factor : before,
			 is_wide ? before : d->factor, d->next);
	d->now = d->next;
	d->next = before;
}

/* The momentum takes the gradient in; what it looks ahead to is `now`. */
static void load_direction(struct optimizer_segment *s, int64_t first,
			   int64_t last, struct direction *d)
{
	const float mu = s->update.hyper[HYPER_MOMENTUM];
	const float fresh = s->update.hyper[HYPER_FRESH];
	double squares = 0;
	float scale;

	for (int64_t at = first; at < last; at += UPDATE_BLOCK) {
		const struct row_update *u = &s->update;
		float *to = d->now + (at - first);

		optimizer_load_block(s, at, last);
		for (int64_t j = 0; j < u->n; j++) {
			float *m = &u->moment[0][j];

			*m += fresh * (u->grad[j] - *m);
			to[j] = u->grad[j] + mu * (*m - u->grad[j]);
		}
		squares += row_loops()->squares(to, u->n);
	}
	scale = (float)(1 / (sqrt(squares) + 1e-7));
	for (int64_t j = 0; j < last - first; j++)
		d->now[j] *= scale;
}

static void update(struct optimizer_segment *s, size_t i, void *scratch)
{
	const struct optimizer_attrs *attrs = s->call->query->attrs;
	const int64_t first = attrs->segments.v[3 * i];
	const int64_t last = attrs->segments.v[3 * i + 1];
	struct direction d = direction_of(attrs, i);
	float *param = s->call->out[OPTIMIZER_PARAM];
	float rate;

	if (!d.side) {
		optimizer_run_segment(s, update_loops()->adam, first, last);
		return;
	}
	lay_out(&d, scratch);
	load_direction(s, first, last, &d);
	for (int i_round = 0; i_round < ROUNDS; i_round++)
		go_round(&d);
	rate = s->update.hyper[HYPER_OWN] * 0.2F *
	       sqrtf((float)(d.rows > d.columns ? d.rows : d.columns));
	for (int64_t j = first; param && j < last; j++)
		param[j] -= rate * d.now[j - first];
}

void muon_run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	optimizer_run_parameters(call, slice, update, scratch);
}

enum err_code muon_prepare(const struct kernel_query *query,
			   struct kernel_setup *ret, struct err *err)
{
	const struct optimizer_attrs *attrs = query->attrs;
	enum err_code rc = optimizer_prepare(query, ret, err);
	int64_t most = 0;

	for (size_t i = 0; i < attrs->segments.n / 3; i++) {
		const struct direction d = direction_of(attrs, i);
		const int64_t floats = floats_of(&d);

		most = floats > most ? floats : most;
	}
	ret->scratch_bytes = (size_t)most * sizeof(float);
	/* each slice has room of its own */
	if (ret->n_slices > query->want_slices)
		ret->n_slices = query->want_slices ? query->want_slices : 1;
	return rc;
}

/* A microsecond is some 1e5 operations of a product. */
double muon_cost(const struct kernel_query *query)
{
	const struct optimizer_attrs *attrs = query->attrs;
	double cost = optimizer_cost(query);

	for (size_t i = 0; i < attrs->segments.n / 3; i++) {
		const struct direction d = direction_of(attrs, i);
		const double side = (double)d.side;
		const double more =
		    (double)(d.rows > d.columns ? d.rows : d.columns);

		cost += ROUNDS * 2e-5 * side * side * (2 * more + side);
	}
	return cost;
}
