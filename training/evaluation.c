/* SPDX-License-Identifier: Apache-2.0 */
#include "training/evaluation_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

enum err_code evaluation_init(struct evaluation *evaluation,
			      const char *measures, int64_t rows, int64_t width,
			      struct err *err)
{
	struct evaluation e = { .width = width > 0 ? width : 1 };
	size_t n = (size_t)rows + 1;

	e.is_category = str_equal(measures, "category");
	e.is_binary = str_starts_with(measures, "binary");
	e.is_logits = str_equal(measures, "binary_logits");
	/* of a text's tokens the sums say it all */
	e.is_kept =
	    !str_equal(measures, "text") && rows <= EVALUATION_MAX / e.width;
	e.cap = e.is_kept ? rows : 0;
	if (!e.is_kept)
		n = 1;
	e.output = mem_array(n * (size_t)e.width, sizeof(*e.output));
	e.target = mem_array(n * (e.is_category ? 1 : (size_t)e.width),
			     sizeof(*e.target));
	e.loss = mem_array(n, sizeof(*e.loss));
	e.room =
	    mem_array(n * (e.is_binary ? (size_t)e.width : 1), sizeof(*e.room));
	*evaluation = e;
	if (e.output && e.target && e.loss && e.room)
		return ERR_NONE;
	evaluation_finish(evaluation);
	return err_set(err, ERR_NO_MEMORY, "evaluation: out of memory");
}

void evaluation_finish(struct evaluation *evaluation)
{
	mem_free(evaluation->output);
	mem_free(evaluation->target);
	mem_free(evaluation->loss);
	mem_free(evaluation->room);
	*evaluation = (struct evaluation){ 0 };
}

void evaluation_reset(struct evaluation *evaluation)
{
	evaluation->n = 0;
}

/* Softmax in double, and the target's loss. */
static double add_logits(const float *logits, int64_t width, int64_t target,
			 float *to)
{
	double max = (double)logits[0], sum = 0;

	for (int64_t j = 1; j < width; j++)
		max = fmax(max, (double)logits[j]);
	for (int64_t j = 0; j < width; j++)
		sum += exp((double)logits[j] - max);
	for (int64_t j = 0; j < width; j++)
		to[j] = (float)(exp((double)logits[j] - max) / sum);
	if (target < 0 || target >= width)
		return 0;
	return log(sum) + max - (double)logits[target];
}

/* Probabilities, and the mean of their cross-entropies. */
static double add_binary(const struct evaluation *e, const float *from,
			 const float *target, float *to)
{
	double sum = 0;

	for (int64_t j = 0; j < e->width; j++) {
		double p = (double)from[j], t = (double)target[j];

		if (e->is_logits)
			p = 1 / (1 + exp(-p));
		to[j] = (float)p;
		sum -= t * fmax(log(p), -100) + (1 - t) * fmax(log1p(-p), -100);
	}
	return sum / (double)e->width;
}

void evaluation_add(struct evaluation *evaluation,
		    const struct metric_rows *rows)
{
	struct evaluation *e = evaluation;
	const float *wanted = rows->target;
	const int64_t w = e->width;

	for (int64_t i = 0; i < rows->n && e->n < e->cap; i++, e->n++) {
		const float *from = rows->output + i * w;
		float *to = e->output + e->n * w;

		e->loss[e->n] = 0;
		if (e->is_category) {
			int64_t target = ((const int64_t *)rows->target)[i];

			e->target[e->n] = (double)target;
			e->loss[e->n] = add_logits(from, w, target, to);
			continue;
		}
		for (int64_t j = 0; j < w; j++) {
			double t = (double)wanted[i * w + j];
			double d = (double)from[j] - t;

			to[j] = from[j];
			e->target[e->n * w + j] = t;
			e->loss[e->n] += d * d / (double)w;
		}
		if (e->is_binary)
			e->loss[e->n] = add_binary(e, from, wanted + i * w, to);
	}
}

/* --- orders --- */

struct key {
	const float *value; /* of row i at value[i * step] */
	int64_t step;
	const double *loss; /* or by this */
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct key *key = ctx;
	const int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
	double x = key->loss ? key->loss[i] : (double)key->value[i * key->step];
	double y = key->loss ? key->loss[j] : (double)key->value[j * key->step];

	if (x != y)
		return x > y ? -1 : 1;
	return i < j ? -1 : i > j;
}

const int64_t *evaluation_order(const struct evaluation *e, int64_t class)
{
	struct key key = { .value = e->output + (class < 0 ? 0 : class),
			   .step = e->width,
			   .loss = class < 0 ? e->loss : NULL };

	for (int64_t i = 0; i < e->n; i++)
		e->room[i] = i;
	qsort_r(e->room, (size_t)e->n, sizeof(*e->room), compare, &key);
	return e->room;
}

/* --- a category --- */

bool evaluation_is_class(const struct evaluation *e, int64_t row, int64_t class)
{
	if (e->is_binary)
		return (e->target[row] > 0.5) == (class == 1);
	return e->target[row] == (double)class;
}

/* Both areas from one order; rows of the same score stand together. column:
 * where the scores of the class are. */
static void areas(const struct evaluation *e, int64_t column, int64_t class,
		  struct class_figures *f)
{
	const int64_t *by = evaluation_order(e, column);
	const float *score = e->output + column;
	double hits = 0, others = 0, pairs = 0, precision = 0;

	for (int64_t i = 0; i < e->n;) {
		double hit = 0, other = 0;
		float s = score[by[i] * e->width];

		for (; i < e->n && score[by[i] * e->width] == s; i++) {
			hit += evaluation_is_class(e, by[i], class);
			other += !evaluation_is_class(e, by[i], class);
		}
		pairs += other * (hits + hit / 2);
		hits += hit;
		others += other;
		precision += hit * hits / (hits + others);
	}
	f->roc_auc =
	    hits > 0 && others > 0 ? pairs / (hits * others) : (double)NAN;
	f->pr_auc = hits > 0 ? precision / hits : (double)NAN;
}

int64_t evaluation_said(const struct evaluation *e, int64_t row)
{
	const float *p = e->output + row * e->width;
	int64_t best = 0;

	for (int64_t j = 1; j < e->width; j++)
		best = p[j] > p[best] ? j : best;
	return best;
}

struct class_figures evaluation_of_class(const struct evaluation *e,
					 int64_t class)
{
	struct class_figures f = { 0 };

	for (int64_t i = 0; i < e->n; i++) {
		bool is = evaluation_is_class(e, i, class),
		     was = evaluation_said(e, i) == class;

		f.n += is;
		f.said += was;
		f.hits += is && was;
	}
	areas(e, class, class, &f);
	return f;
}

/* A row whose target's probability is among the five highest. */
static bool is_in_top5(const struct evaluation *e, int64_t row)
{
	const float *p = e->output + row * e->width;
	int64_t target = (int64_t)e->target[row], above = 0;

	if (target < 0 || target >= e->width)
		return false;
	for (int64_t j = 0; j < e->width; j++)
		above += p[j] > p[target] || (j < target && p[j] == p[target]);
	return above < 5;
}

/* Of a row's likeliest class, or of each number of a binary output. */
double evaluation_bins(const struct evaluation *e,
		       struct evaluation_bin bin[EVALUATION_BINS])
{
	const int64_t n = e->is_binary ? e->n * e->width : e->n;
	double error = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t class = e->is_binary ? 1 : evaluation_said(e, i);
		double p =
		    (double)e->output[e->is_binary ? i : i * e->width + class];
		int at = (int)(p * EVALUATION_BINS);
		struct evaluation_bin *b =
		    &bin[at < EVALUATION_BINS ? at : EVALUATION_BINS - 1];

		b->n++;
		b->confidence += p;
		b->hits += evaluation_is_class(e, i, class);
	}
	for (int i = 0; i < EVALUATION_BINS; i++)
		error += fabs(bin[i].confidence - bin[i].hits);
	return n ? error / (double)n : (double)NAN;
}

/* The mean of squared distances to 1 for what is, 0 for what is not. */
static double brier(const struct evaluation *e)
{
	double sum = 0;

	for (int64_t i = 0; i < e->n * e->width; i++) {
		double t = e->is_binary ? e->target[i]
					: (double)evaluation_is_class(
					      e, i / e->width, i % e->width);
		double d = (double)e->output[i] - t;

		sum += d * d;
	}
	return sum / (double)(e->is_binary ? e->n * e->width : e->n);
}

/* Means over the classes that have rows. */
static struct evaluation_figures of_category(const struct evaluation *e)
{
	struct evaluation_figures sum = { 0 };
	struct evaluation_bin bin[EVALUATION_BINS] = { 0 };
	double n = 0;

	for (int64_t c = 0; c < e->width; c++) {
		struct class_figures f = evaluation_of_class(e, c);

		if (!(f.n > 0))
			continue;
		n++;
		sum.precision += evaluation_share(f.hits, f.said);
		sum.recall += evaluation_share(f.hits, f.n);
		sum.f1 += class_f1(&f);
		sum.iou += class_iou(&f);
		sum.roc_auc += f.roc_auc;
		sum.pr_auc += f.pr_auc;
	}
	for (int64_t i = 0; i < e->n; i++)
		sum.top5 += is_in_top5(e, i);
	return (struct evaluation_figures){
		.top5 = sum.top5 / (double)e->n,
		.precision = sum.precision / n,
		.recall = sum.recall / n,
		.f1 = sum.f1 / n,
		.iou = sum.iou / n,
		.dice = sum.f1 / n,
		.brier = brier(e),
		.roc_auc = sum.roc_auc / n,
		.pr_auc = sum.pr_auc / n,
		.calibration = evaluation_bins(e, bin),
		.exp_rmspe = (double)NAN,
	};
}

/* --- a binary output: each number is a row --- */

static struct class_figures positives(const struct evaluation *e)
{
	struct evaluation flat = *e;
	struct class_figures f = { 0 };

	flat.n = e->n * e->width;
	flat.width = 1;
	for (int64_t i = 0; i < flat.n; i++) {
		bool is = evaluation_is_class(&flat, i, 1);
		bool was = flat.output[i] > 0.5f;

		f.n += is;
		f.said += was;
		f.hits += is && was;
	}
	areas(&flat, 0, 1, &f);
	return f;
}

static struct evaluation_figures of_binary(const struct evaluation *e)
{
	const struct class_figures f = positives(e);
	struct evaluation_bin bin[EVALUATION_BINS] = { 0 };

	return (struct evaluation_figures){
		.top5 = (double)NAN,
		.precision = evaluation_share(f.hits, f.said),
		.recall = evaluation_share(f.hits, f.n),
		.f1 = class_f1(&f),
		.iou = class_iou(&f),
		.dice = class_f1(&f),
		.roc_auc = f.roc_auc,
		.pr_auc = f.pr_auc,
		.brier = brier(e),
		.calibration = evaluation_bins(e, bin),
		.exp_rmspe = (double)NAN,
	};
}

/* --- a number --- */

/* Of targets and predictions that are logarithms: the root of the mean of
 * squared relative errors. */
static double exp_rmspe(const struct evaluation *e)
{
	double sum = 0;
	int64_t n = e->n * e->width;

	for (int64_t i = 0; i < n; i++) {
		double share = 1 - exp((double)e->output[i] - e->target[i]);

		sum += share * share;
	}
	return sqrt(sum / (double)n);
}

struct evaluation_figures evaluation_figures(const struct evaluation *e)
{
	const double none = (double)NAN;
	struct evaluation_figures figures = { none, none, none, none,
					      none, none, none, none,
					      none, none, none };

	if (!e->is_kept || !e->n)
		return figures;
	if (e->is_category)
		return of_category(e);
	if (e->is_binary)
		return of_binary(e);
	figures.exp_rmspe = exp_rmspe(e);
	return figures;
}
