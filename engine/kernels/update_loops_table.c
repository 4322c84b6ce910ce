/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; UPDATE_LOOPS_TABLE names the table. */
#include "engine/kernels/update_loops_priv.h"

#include <math.h>
#include <stddef.h>

#include "engine/ops/optimizer.h"

static void load_grad(struct row_update *u, const float *grad, float scale)
{
	const float l2 = u->hyper[HYPER_L2], keep = u->hyper[HYPER_KEEP];
	const float max = u->hyper[HYPER_MAX_VALUE], l1 = u->hyper[HYPER_L1];
	float *restrict g = u->grad, *restrict p = u->param;

	for (int64_t i = 0; i < u->n; i++)
		g[i] = grad[i] * scale;
	for (int64_t i = 0; max > 0 && i < u->n; i++) {
		const float v = g[i] > max ? max : g[i];

		g[i] = v < -max ? -max : v;
	}
	for (int64_t i = 0; l2 != 0 && i < u->n; i++)
		g[i] += l2 * p[i];
	for (int64_t i = 0; l1 != 0 && i < u->n; i++)
		g[i] += p[i] > 0 ? l1 : p[i] < 0 ? -l1 : 0;
	for (int64_t i = 0; keep != 1 && i < u->n; i++)
		p[i] *= keep;
}

static void sgd(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], mu = u->hyper[HYPER_MOMENTUM];
	const float fresh = u->hyper[HYPER_FRESH];
	float *restrict p = u->param, *restrict b = u->moment[0];
	const float *restrict g = u->grad;

	if (!u->momentum) {
		for (int64_t i = 0; i < u->n; i++)
			p[i] -= rate * g[i];
		return;
	}
	for (int64_t i = 0; i < u->n; i++)
		b[i] = mu * b[i] + fresh * g[i];
	if (!u->nesterov) {
		for (int64_t i = 0; i < u->n; i++)
			p[i] -= rate * b[i];
		return;
	}
	for (int64_t i = 0; i < u->n; i++)
		p[i] -= rate * (g[i] + mu * b[i]);
}

static void rmsprop(struct row_update *u)
{
	const float alpha = u->hyper[HYPER_SQUARE], eps = u->hyper[HYPER_EPS];
	const float fresh = u->hyper[HYPER_SQUARE_FRESH];
	const float mu = u->hyper[HYPER_MOMENTUM], rate = u->hyper[HYPER_RATE];
	float *restrict p = u->param, *restrict s = u->moment[0];
	float *restrict b = u->momentum ? u->moment[1] : NULL;
	float *restrict a = u->centered ? u->moment[u->momentum ? 2 : 1] : NULL;
	float *restrict g = u->grad;
	float root[UPDATE_BLOCK] = { 0 };

	for (int64_t i = 0; i < u->n; i++)
		root[i] = s[i] = alpha * s[i] + fresh * g[i] * g[i];
	for (int64_t i = 0; a && i < u->n; i++) {
		a[i] += fresh * (g[i] - a[i]);
		root[i] -= a[i] * a[i];
	}
	for (int64_t i = 0; i < u->n; i++)
		g[i] /= sqrtf(root[i]) + eps;
	for (int64_t i = 0; b && i < u->n; i++)
		g[i] = b[i] = mu * b[i] + g[i];
	for (int64_t i = 0; i < u->n; i++)
		p[i] -= rate * g[i];
}

/* Both averages, which nearly all of Adam's kind have. */
static void averages(struct row_update *u)
{
	const float fresh = u->hyper[HYPER_FRESH];
	const float beta2 = u->hyper[HYPER_SQUARE];
	const float square_fresh = u->hyper[HYPER_SQUARE_FRESH];
	float *restrict m = u->moment[0], *restrict v = u->moment[1];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		m[i] += fresh * (g[i] - m[i]);
		v[i] = beta2 * v[i] + square_fresh * g[i] * g[i];
	}
}

/* One loop, so that memory and sums hide behind roots and quotients. */
static void adam_in_one(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], eps = u->hyper[HYPER_EPS];
	const float bias_root = u->hyper[HYPER_ROOT];
	const float fresh = u->hyper[HYPER_FRESH];
	const float beta2 = u->hyper[HYPER_SQUARE];
	const float square_fresh = u->hyper[HYPER_SQUARE_FRESH];
	float *restrict p = u->param;
	float *restrict m = u->moment[0], *restrict v = u->moment[1];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		const float mean = m[i] + fresh * (g[i] - m[i]);
		const float square = beta2 * v[i] + square_fresh * g[i] * g[i];

		m[i] = mean;
		v[i] = square;
		p[i] -= rate * mean / (sqrtf(square) * bias_root + eps);
	}
}

static void adam(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], eps = u->hyper[HYPER_EPS];
	const float bias_root = u->hyper[HYPER_ROOT];
	float *restrict p = u->param, *restrict top = u->moment[2];
	const float *restrict m = u->moment[0], *restrict v = u->moment[1];

	if (!u->amsgrad) {
		adam_in_one(u);
		return;
	}
	averages(u);
	for (int64_t i = 0; i < u->n; i++)
		top[i] = v[i] > top[i] ? v[i] : top[i];
	for (int64_t i = 0; i < u->n; i++)
		p[i] -= rate * m[i] / (sqrtf(top[i]) * bias_root + eps);
}

static void nadam(struct row_update *u)
{
	const float eps = u->hyper[HYPER_EPS], root = u->hyper[HYPER_ROOT];
	const float now = u->hyper[HYPER_OWN], next = u->hyper[HYPER_OWN + 1];
	float *restrict p = u->param;
	const float *restrict m = u->moment[0], *restrict v = u->moment[1];
	const float *restrict g = u->grad;

	averages(u);
	for (int64_t i = 0; i < u->n; i++)
		p[i] -= (now * g[i] + next * m[i]) / (sqrtf(v[i]) * root + eps);
}

static void radam(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], eps = u->hyper[HYPER_EPS];
	const float rectified = u->hyper[HYPER_OWN];
	float *restrict p = u->param;
	const float *restrict m = u->moment[0], *restrict v = u->moment[1];

	averages(u);
	if (!(rectified > 0)) {
		for (int64_t i = 0; i < u->n; i++)
			p[i] -= rate * m[i];
		return;
	}
	for (int64_t i = 0; i < u->n; i++)
		p[i] -= rate * m[i] * (rectified / (sqrtf(v[i]) + eps));
}

static void adamax(struct row_update *u)
{
	const float fresh = u->hyper[HYPER_FRESH];
	const float beta2 = u->hyper[HYPER_SQUARE], eps = u->hyper[HYPER_EPS];
	const float rate = u->hyper[HYPER_RATE];
	float *restrict p = u->param;
	float *restrict m = u->moment[0], *restrict top = u->moment[1];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		const float old = beta2 * top[i], size = fabsf(g[i]) + eps;

		m[i] += fresh * (g[i] - m[i]);
		top[i] = old > size ? old : size;
		p[i] -= rate * m[i] / top[i];
	}
}

static void adagrad(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], eps = u->hyper[HYPER_EPS];
	const float initial = u->hyper[HYPER_OWN];
	float *restrict p = u->param, *restrict s = u->moment[0];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		s[i] += g[i] * g[i];
		p[i] -= rate * g[i] / (sqrtf(s[i] + initial) + eps);
	}
}

static void adadelta(struct row_update *u)
{
	const float rho = u->hyper[HYPER_SQUARE], eps = u->hyper[HYPER_EPS];
	const float fresh = u->hyper[HYPER_SQUARE_FRESH];
	const float rate = u->hyper[HYPER_RATE];
	float *restrict p = u->param;
	float *restrict s = u->moment[0], *restrict moved = u->moment[1];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		float delta;

		s[i] = rho * s[i] + fresh * g[i] * g[i];
		delta = sqrtf(moved[i] + eps) / sqrtf(s[i] + eps) * g[i];
		moved[i] = rho * moved[i] + fresh * delta * delta;
		p[i] -= rate * delta;
	}
}

static void lion(struct row_update *u)
{
	const float beta = u->hyper[HYPER_MOMENTUM];
	const float fresh = u->hyper[HYPER_FRESH];
	const float keep = u->hyper[HYPER_SQUARE];
	const float keep_fresh = u->hyper[HYPER_SQUARE_FRESH];
	const float rate = u->hyper[HYPER_RATE];
	float *restrict p = u->param, *restrict m = u->moment[0];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		const float way = beta * m[i] + fresh * g[i];

		p[i] -= way > 0 ? rate : way < 0 ? -rate : 0;
		m[i] = keep * m[i] + keep_fresh * g[i];
	}
}

static void rprop(struct row_update *u)
{
	const float *own = u->hyper + HYPER_OWN;
	const float down = own[0], up = own[1], least = own[2], most = own[3];
	const float first = u->hyper[HYPER_ROOT];
	float *restrict p = u->param;
	float *restrict before = u->moment[0], *restrict size = u->moment[1];
	float *restrict g = u->grad;

	for (int64_t i = 0; first > 0 && i < u->n; i++)
		size[i] = first;
	for (int64_t i = 0; i < u->n; i++) {
		const float same = g[i] * before[i];
		float step = size[i] * (same > 0 ? up : same < 0 ? down : 1);

		step = step < least ? least : step;
		step = step > most ? most : step;
		g[i] = same < 0 ? 0 : g[i];
		p[i] -= g[i] > 0 ? step : g[i] < 0 ? -step : 0;
		size[i] = step;
		before[i] = g[i];
	}
}

static void lamb_look(struct row_update *u)
{
	const float eps = u->hyper[HYPER_EPS], root = u->hyper[HYPER_ROOT];
	const float decay = u->hyper[HYPER_OWN];
	const float bias = u->hyper[HYPER_OWN + 1];
	const float *restrict p = u->param;
	const float *restrict m = u->moment[0], *restrict v = u->moment[1];
	float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++)
		g[i] = bias * m[i] / (sqrtf(v[i]) * root + eps) + decay * p[i];
}

static void lamb(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE] * u->trust;
	float *restrict p = u->param;
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++)
		p[i] -= rate * g[i];
}

static void lars(struct row_update *u)
{
	const float rate = u->hyper[HYPER_RATE], trust = u->trust;
	const float mu = u->hyper[HYPER_MOMENTUM];
	const float decay = u->hyper[HYPER_OWN];
	float *restrict p = u->param, *restrict b = u->moment[0];
	const float *restrict g = u->grad;

	for (int64_t i = 0; i < u->n; i++) {
		b[i] = mu * b[i] + trust * (g[i] + decay * p[i]);
		p[i] -= rate * b[i];
	}
}

extern const struct update_loops UPDATE_LOOPS_TABLE;
const struct update_loops UPDATE_LOOPS_TABLE = {
	.load_grad = load_grad,
	.adadelta = adadelta,
	.adagrad = adagrad,
	.adam = adam,
	.adamax = adamax,
	.lion = lion,
	.nadam = nadam,
	.radam = radam,
	.rmsprop = rmsprop,
	.rprop = rprop,
	.sgd = sgd,
	.lamb_look = lamb_look,
	.lamb_moments = averages,
	.lamb = lamb,
	.lars = lars,
};
