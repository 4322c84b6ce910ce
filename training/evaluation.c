/* SPDX-License-Identifier: Apache-2.0 */
#include "training/evaluation.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

enum { WORST = 20, CONFUSION_MAX = 256, QUANTILES = 7 };

enum err_code evaluation_init(struct evaluation *evaluation,
			      const char *output_type, int64_t rows,
			      int64_t width, struct err *err)
{
	struct evaluation e = { .width = width > 0 ? width : 1 };
	size_t n = (size_t)rows + 1;

	e.is_category = str_equal(output_type, "category");
	/* of a text's tokens the sums say it all */
	e.is_kept =
	    !str_equal(output_type, "text") && rows <= EVALUATION_MAX / e.width;
	e.cap = e.is_kept ? rows : 0;
	if (!e.is_kept)
		n = 1;
	e.output = mem_array(n * (size_t)e.width, sizeof(*e.output));
	e.target = mem_array(n * (e.is_category ? 1 : (size_t)e.width),
			     sizeof(*e.target));
	e.loss = mem_array(n, sizeof(*e.loss));
	e.room = mem_array(n, sizeof(*e.room));
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

void evaluation_add(struct evaluation *evaluation,
		    const struct metric_rows *rows)
{
	struct evaluation *e = evaluation;
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
			double t =
			    (double)((const float *)rows->target)[i * w + j];
			double d = (double)from[j] - t;

			to[j] = from[j];
			e->target[e->n * w + j] = t;
			e->loss[e->n] += d * d / (double)w;
		}
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

/* Rows by falling score of a class, or by falling loss (class -1). */
static const int64_t *order(const struct evaluation *e, int64_t class)
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

struct class_figures {
	double n, hits, said; /* rows of it; said and right; said */
	double roc_auc, pr_auc;
};

static bool is_class(const struct evaluation *e, int64_t row, int64_t class)
{
	return e->target[row] == (double)class;
}

/* Both areas from one order; rows of the same score stand together. */
static void areas(const struct evaluation *e, int64_t class,
		  struct class_figures *f)
{
	const int64_t *by = order(e, class);
	const float *score = e->output + class;
	double hits = 0, others = 0, pairs = 0, precision = 0;

	for (int64_t i = 0; i < e->n;) {
		double hit = 0, other = 0;
		float s = score[by[i] * e->width];

		for (; i < e->n && score[by[i] * e->width] == s; i++) {
			hit += is_class(e, by[i], class);
			other += !is_class(e, by[i], class);
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

static int64_t said(const struct evaluation *e, int64_t row)
{
	const float *p = e->output + row * e->width;
	int64_t best = 0;

	for (int64_t j = 1; j < e->width; j++)
		best = p[j] > p[best] ? j : best;
	return best;
}

static struct class_figures of_class(const struct evaluation *e, int64_t class)
{
	struct class_figures f = { 0 };

	for (int64_t i = 0; i < e->n; i++) {
		bool is = is_class(e, i, class), was = said(e, i) == class;

		f.n += is;
		f.said += was;
		f.hits += is && was;
	}
	areas(e, class, &f);
	return f;
}

static double divide(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double f1_of(const struct class_figures *f)
{
	return divide(2 * f->hits, f->n + f->said);
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

struct bin {
	double n, confidence, hits;
};

static double fill_bins(const struct evaluation *e,
			struct bin bin[EVALUATION_BINS])
{
	double error = 0;

	for (int64_t i = 0; i < e->n; i++) {
		int64_t class = said(e, i);
		double p = (double)e->output[i * e->width + class];
		int at = (int)(p * EVALUATION_BINS);
		struct bin *b =
		    &bin[at < EVALUATION_BINS ? at : EVALUATION_BINS - 1];

		b->n++;
		b->confidence += p;
		b->hits += is_class(e, i, class);
	}
	for (int i = 0; i < EVALUATION_BINS; i++)
		error += fabs(bin[i].confidence - bin[i].hits);
	return e->n ? error / (double)e->n : (double)NAN;
}

/* Means over the classes that have rows. */
static struct evaluation_figures of_category(const struct evaluation *e)
{
	struct evaluation_figures sum = { 0 };
	struct bin bin[EVALUATION_BINS] = { 0 };
	double n = 0;

	for (int64_t c = 0; c < e->width; c++) {
		struct class_figures f = of_class(e, c);

		if (!(f.n > 0))
			continue;
		n++;
		sum.precision += divide(f.hits, f.said);
		sum.recall += divide(f.hits, f.n);
		sum.f1 += f1_of(&f);
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
		.roc_auc = sum.roc_auc / n,
		.pr_auc = sum.pr_auc / n,
		.calibration = fill_bins(e, bin),
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
					      none, none, none, none };

	if (!e->is_kept || !e->n)
		return figures;
	if (e->is_category)
		return of_category(e);
	figures.exp_rmspe = exp_rmspe(e);
	return figures;
}

/* --- a report --- */

static void write_confusion(const struct evaluation *e, struct json_writer *w)
{
	int64_t *row = e->room; /* at least n; width may be more */
	int64_t most = e->cap + 1;

	if (e->width > CONFUSION_MAX || e->width > most)
		return;
	json_write_array(w, "confusion");
	for (int64_t c = 0; c < e->width; c++) {
		memset(row, 0, (size_t)e->width * sizeof(*row));
		for (int64_t i = 0; i < e->n; i++)
			row[said(e, i)] += is_class(e, i, c);
		json_write_array(w, NULL);
		for (int64_t j = 0; j < e->width; j++)
			json_write_int(w, NULL, row[j]);
		json_write_array_end(w);
	}
	json_write_array_end(w);
}

static void write_classes(const struct evaluation *e, struct json_writer *w)
{
	json_write_array(w, "classes");
	for (int64_t c = 0; c < e->width; c++) {
		struct class_figures f = of_class(e, c);

		json_write_object(w, NULL);
		json_write_int(w, "class", c);
		json_write_int(w, "rows", (int64_t)f.n);
		json_write_double(w, "precision", divide(f.hits, f.said));
		json_write_double(w, "recall", divide(f.hits, f.n));
		json_write_double(w, "f1", f1_of(&f));
		json_write_double(w, "roc_auc", f.roc_auc);
		json_write_double(w, "pr_auc", f.pr_auc);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_calibration(const struct evaluation *e, struct json_writer *w)
{
	struct bin bin[EVALUATION_BINS] = { 0 };

	json_write_object(w, "calibration");
	json_write_double(w, "expected_error", fill_bins(e, bin));
	json_write_array(w, "bins");
	for (int i = 0; i < EVALUATION_BINS; i++) {
		json_write_object(w, NULL);
		json_write_int(w, "rows", (int64_t)bin[i].n);
		json_write_double(w, "confidence",
				  divide(bin[i].confidence, bin[i].n));
		json_write_double(w, "accuracy", divide(bin[i].hits, bin[i].n));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_worst(const struct evaluation *e, const int64_t *rows,
			struct json_writer *w)
{
	const int64_t *by = order(e, -1);

	json_write_array(w, "top_losses");
	for (int64_t i = 0; i < e->n && i < WORST; i++) {
		const float *out = e->output + by[i] * e->width;
		int64_t class = e->is_category ? said(e, by[i]) : 0;

		json_write_object(w, NULL);
		json_write_int(w, "row", rows[by[i]]);
		json_write_double(w, "loss", e->loss[by[i]]);
		if (e->is_category) {
			json_write_int(w, "target", (int64_t)e->target[by[i]]);
			json_write_int(w, "predicted", class);
			json_write_double(w, "probability", (double)out[class]);
		} else {
			json_write_double(w, "target",
					  e->target[by[i] * e->width]);
			json_write_double(w, "predicted", (double)out[0]);
		}
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of prediction - target. */
static void write_residuals(const struct evaluation *e, struct json_writer *w)
{
	static const double share[QUANTILES] = { 0,    0.05, 0.25, 0.5,
						 0.75, 0.95, 1 };
	const int64_t n = e->n * e->width;
	double *residual = mem_array((size_t)n + 1, sizeof(*residual)), sum = 0;

	if (!residual)
		return; /* a report without them is still one */
	for (int64_t i = 0; i < n; i++) {
		residual[i] = (double)e->output[i] - e->target[i];
		sum += residual[i];
	}
	qsort(residual, (size_t)n, sizeof(*residual), compare_doubles);
	json_write_object(w, "residuals");
	json_write_double(w, "mean", sum / (double)n);
	json_write_array(w, "quantiles");
	for (int i = 0; i < QUANTILES; i++) {
		int64_t at = (int64_t)(share[i] * (double)(n - 1));

		json_write_array(w, NULL);
		json_write_double(w, NULL, share[i]);
		json_write_double(w, NULL, residual[at]);
		json_write_array_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
	mem_free(residual);
}

void evaluation_write(const struct evaluation *e, const int64_t *rows,
		      struct json_writer *w)
{
	json_write_int(w, "rows", e->n);
	if (!e->n)
		return;
	if (e->is_category) {
		write_confusion(e, w);
		write_classes(e, w);
		write_calibration(e, w);
	} else {
		write_residuals(e, w);
	}
	write_worst(e, rows, w);
}
