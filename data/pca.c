/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pca.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_STEPS = 60 }; /* of QL for one eigenvalue; 2 are usual */

struct pca_fit {
	int64_t size, n;
	double *first; /* the first row: sums are of differences to it */
	double *row, *sum;
	double *square; /* [size, size], the lower half */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "pca: out of memory");
}

enum err_code pca_fit_create(int64_t size, struct pca_fit **ret_fit,
			     struct err *err)
{
	struct pca_fit *fit = mem_zero(sizeof(*fit));
	const size_t n = (size_t)size;

	if (!fit)
		return no_memory(err);
	fit->size = size;
	fit->first = mem_array(n, sizeof(double));
	fit->row = mem_array(n, sizeof(double));
	fit->sum = mem_array(n, sizeof(double));
	fit->square = mem_array(n * n, sizeof(double));
	if (!fit->first || !fit->row || !fit->sum || !fit->square) {
		pca_fit_destroy(fit);
		return no_memory(err);
	}
	*ret_fit = fit;
	return ERR_NONE;
}

void pca_fit_destroy(struct pca_fit *fit)
{
	if (!fit)
		return;
	mem_free(fit->first);
	mem_free(fit->row);
	mem_free(fit->sum);
	mem_free(fit->square);
	mem_free(fit);
}

/* to += by x */
static void add_scaled(int64_t n, double by, const double *x, double *to)
{
	for (int64_t i = 0; i < n; i++)
		to[i] += by * x[i];
}

static double dot(int64_t n, const double *a, const double *b)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void pca_fit_add(struct pca_fit *fit, const float *row)
{
	const int64_t n = fit->size;

	for (int64_t i = 0; i < n; i++) {
		if (!fit->n)
			fit->first[i] = (double)row[i];
		fit->row[i] = (double)row[i] - fit->first[i];
		fit->sum[i] += fit->row[i];
	}
	for (int64_t i = 0; i < n; i++)
		add_scaled(i + 1, fit->row[i], fit->row, fit->square + i * n);
	fit->n++;
}

/* The covariance as a whole matrix, in place. */
static void make_covariance(struct pca_fit *fit, const double *scale)
{
	const double count = fit->n > 0 ? (double)fit->n : 1;
	const int64_t n = fit->size;
	double *a = fit->square;

	for (int64_t i = 0; i < n; i++) {
		for (int64_t j = 0; j <= i; j++) {
			double c = a[i * n + j] / count -
				   fit->sum[i] / count * (fit->sum[j] / count);

			if (scale)
				c /= scale[i] * scale[j];
			a[i * n + j] = a[j * n + i] = c;
		}
	}
}

/* A symmetric matrix on its way to eigenvalues. Rows of q become vectors. */
struct eigen {
	int64_t n;
	double *a, *q, *diagonal, *beside, *v, *p;
};

/* The reflection that leaves of column k what is next to the diagonal: v in
 * row k of a's upper part, its squared length halved in p[k]. */
static void reflect(struct eigen *e, int64_t k)
{
	const int64_t n = e->n, m = n - k - 1;
	double *row = e->a + k * n + k + 1; /* symmetric: a row is a column */
	const double norm = sqrt(dot(m, row, row));
	const double head = row[0] > 0 ? -norm : norm;
	double *v = e->v, *p = e->p, half;

	e->diagonal[k] = e->a[k * n + k];
	e->beside[k] = head;
	memcpy(v, row, (size_t)m * sizeof(*v));
	v[0] -= head;
	half = dot(m, v, v) / 2;
	if (!(half > 0)) {
		memset(row, 0, (size_t)m * sizeof(*row));
		return;
	}
	/* a -= v w' + w v' with p = a v / half, w = p - (v p / 2 half) v */
	for (int64_t i = 0; i < m; i++)
		p[i] = dot(m, e->a + (k + 1 + i) * n + k + 1, v) / half;
	add_scaled(m, -dot(m, v, p) / (2 * half), v, p);
	for (int64_t i = 0; i < m; i++) {
		double *to = e->a + (k + 1 + i) * n + k + 1;

		add_scaled(m, -v[i], p, to);
		add_scaled(m, -p[i], v, to);
	}
	for (int64_t i = 0; i < m; i++)
		row[i] = v[i] / sqrt(half); /* kept for q */
}

/* q = the product of all reflections, its transpose by rows. */
static void gather_reflections(struct eigen *e)
{
	const int64_t n = e->n;

	memset(e->q, 0, (size_t)(n * n) * sizeof(*e->q));
	for (int64_t i = 0; i < n; i++)
		e->q[i * n + i] = 1;
	for (int64_t i = 0; i < n; i++) {
		double *row = e->q + i * n;

		/* row i of q' is e_i reflected by the last one first */
		for (int64_t k = n - 3; k >= 0; k--) {
			const double *v = e->a + k * n + k + 1;
			const int64_t m = n - k - 1;

			if (i > k)
				add_scaled(m, -dot(m, v, row + k + 1), v,
					   row + k + 1);
		}
	}
}

static void tridiagonalize(struct eigen *e)
{
	const int64_t n = e->n;

	for (int64_t k = 0; k + 2 < n; k++)
		reflect(e, k);
	for (int64_t k = n > 1 ? n - 2 : 0; k < n; k++)
		e->diagonal[k] = e->a[k * n + k];
	if (n > 1)
		e->beside[n - 2] = e->a[(n - 2) * n + n - 1];
	e->beside[n - 1] = 0;
	gather_reflections(e);
}

static void rotate(struct eigen *e, int64_t i, double s, double c)
{
	double *low = e->q + i * e->n, *high = low + e->n;

	for (int64_t k = 0; k < e->n; k++) {
		const double h = high[k];

		high[k] = s * low[k] + c * h;
		low[k] = c * low[k] - s * h;
	}
}

/* One implicit step on the block l..m, shifted towards eigenvalue l. */
static void ql_step(struct eigen *e, int64_t l, int64_t m)
{
	double *d = e->diagonal, *b = e->beside;
	double g = (d[l + 1] - d[l]) / (2 * b[l]);
	double s = 1, c = 1, p = 0, r = hypot(g, 1);

	g = d[m] - d[l] + b[l] / (g + copysign(r, g));
	for (int64_t i = m - 1; i >= l; i--) {
		const double f = s * b[i], h = c * b[i];

		r = hypot(f, g);
		b[i + 1] = r;
		if (!(r > 0)) {
			d[i + 1] -= p;
			b[m] = 0;
			return;
		}
		s = f / r;
		c = g / r;
		g = d[i + 1] - p;
		r = (d[i] - g) * s + 2 * c * h;
		p = s * r;
		d[i + 1] = g + p;
		g = c * r - h;
		rotate(e, i, s, c);
	}
	d[l] -= p;
	b[l] = g;
	b[m] = 0;
}

static bool diagonalize(struct eigen *e)
{
	for (int64_t l = 0; l < e->n; l++) {
		for (int step = 0;; step++) {
			int64_t m = l;

			for (; m + 1 < e->n; m++) {
				const double near = fabs(e->diagonal[m]) +
						    fabs(e->diagonal[m + 1]);

				if (fabs(e->beside[m]) <= DBL_EPSILON * near ||
				    !(fabs(e->beside[m]) > DBL_MIN))
					break;
			}
			if (m == l)
				break;
			if (step == MAX_STEPS)
				return false;
			ql_step(e, l, m);
		}
	}
	return true;
}

/* The largest number is positive. */
static void take_vector(const double *from, int64_t n, double *to)
{
	int64_t most = 0;

	for (int64_t i = 1; i < n; i++)
		most = fabs(from[i]) > fabs(from[most]) ? i : most;
	for (int64_t i = 0; i < n; i++)
		to[i] = from[most] < 0 ? -from[i] : from[i];
}

/* The n largest, largest first; their diagonal is spent. */
static void take_components(struct eigen *e, struct pca *ret)
{
	double total = 0;

	for (int64_t i = 0; i < e->n; i++)
		total += fmax(e->diagonal[i], 0);
	for (int64_t k = 0; k < ret->n; k++) {
		int64_t best = 0;

		for (int64_t i = 1; i < e->n; i++)
			best = e->diagonal[i] > e->diagonal[best] ? i : best;
		take_vector(e->q + best * e->n, e->n,
			    ret->component + k * e->n);
		ret->variance[k] =
		    total > 0 ? fmax(e->diagonal[best], 0) / total : 0;
		e->diagonal[best] = -(double)INFINITY;
	}
}

enum err_code pca_fit_end(struct pca_fit *fit, int64_t n, const double *scale,
			  struct arena *arena, struct pca *ret, struct err *err)
{
	const size_t size = (size_t)fit->size;
	struct eigen e = { .n = fit->size, .a = fit->square };
	struct pca pca = { .size = fit->size, .n = n };
	enum err_code rc = ERR_NONE;

	make_covariance(fit, scale);
	e.q = mem_array(size * size, sizeof(double));
	e.diagonal = mem_array(size, sizeof(double));
	e.beside = mem_array(size, sizeof(double));
	e.v = mem_array(size, sizeof(double));
	e.p = mem_array(size, sizeof(double));
	pca.component = arena_array(arena, (size_t)n * size, sizeof(double));
	pca.variance = arena_array(arena, (size_t)n, sizeof(double));
	if (!e.q || !e.diagonal || !e.beside || !e.v || !e.p ||
	    !pca.component || !pca.variance) {
		rc = no_memory(err);
		goto out;
	}
	tridiagonalize(&e);
	if (!diagonalize(&e)) {
		rc = err_set(err, ERR_INVALID,
			     "pca: the rows' covariance is not finite");
		goto out;
	}
	take_components(&e, &pca);
	*ret = pca;
out:
	mem_free(e.q);
	mem_free(e.diagonal);
	mem_free(e.beside);
	mem_free(e.v);
	mem_free(e.p);
	return rc;
}

void pca_project(const struct pca *pca, const double *row, float *out)
{
	for (int64_t k = 0; k < pca->n; k++)
		out[k] =
		    (float)dot(pca->size, pca->component + k * pca->size, row);
}
