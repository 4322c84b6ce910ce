/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Evaluation: the report that evaluation.json holds.
 */
#include <math.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "training/evaluation_priv.h"

enum { WORST = 20, CONFUSION_MAX = 256, QUANTILES = 7, SHOWN = 16 };

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
			row[evaluation_said(e, i)] +=
			    evaluation_is_class(e, i, c);
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
		struct class_figures f = evaluation_of_class(e, c);

		json_write_object(w, NULL);
		json_write_int(w, "class", c);
		json_write_int(w, "rows", (int64_t)f.n);
		json_write_double(w, "precision",
				  evaluation_share(f.hits, f.said));
		json_write_double(w, "recall", evaluation_share(f.hits, f.n));
		json_write_double(w, "f1", class_f1(&f));
		json_write_double(w, "iou", class_iou(&f));
		json_write_double(w, "roc_auc", f.roc_auc);
		json_write_double(w, "pr_auc", f.pr_auc);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_calibration(const struct evaluation *e, struct json_writer *w)
{
	struct evaluation_bin bin[EVALUATION_BINS] = { 0 };

	json_write_object(w, "calibration");
	json_write_double(w, "expected_error", evaluation_bins(e, bin));
	json_write_array(w, "bins");
	for (int i = 0; i < EVALUATION_BINS; i++) {
		json_write_object(w, NULL);
		json_write_int(w, "rows", (int64_t)bin[i].n);
		json_write_double(
		    w, "confidence",
		    evaluation_share(bin[i].confidence, bin[i].n));
		json_write_double(w, "accuracy",
				  evaluation_share(bin[i].hits, bin[i].n));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

/* One number, or the first of many. */
static void write_numbers(struct json_writer *w, const char *key,
			  const double *value, int64_t n)
{
	if (n == 1) {
		json_write_double(w, key, value[0]);
		return;
	}
	json_write_array(w, key);
	for (int64_t i = 0; i < n && i < SHOWN; i++)
		json_write_double(w, NULL, value[i]);
	json_write_array_end(w);
}

static void write_prediction(const struct evaluation *e, int64_t row,
			     struct json_writer *w)
{
	const float *out = e->output + row * e->width;
	const int64_t class = e->is_category ? evaluation_said(e, row) : 0;
	double shown[SHOWN];

	if (e->is_category) {
		json_write_int(w, "target", (int64_t)e->target[row]);
		json_write_int(w, "predicted", class);
		json_write_double(w, "probability", (double)out[class]);
		return;
	}
	for (int64_t i = 0; i < e->width && i < SHOWN; i++)
		shown[i] = (double)out[i];
	write_numbers(w, "target", e->target + row * e->width, e->width);
	write_numbers(w, "predicted", shown, e->width);
}

static void write_worst(const struct evaluation *e, const int64_t *rows,
			struct json_writer *w)
{
	const int64_t *by = evaluation_order(e, -1);

	json_write_array(w, "top_losses");
	for (int64_t i = 0; i < e->n && i < WORST; i++) {
		json_write_object(w, NULL);
		json_write_int(w, "row", rows[by[i]]);
		json_write_double(w, "loss", e->loss[by[i]]);
		write_prediction(e, by[i], w);
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
	} else if (e->is_binary) {
		write_calibration(e, w);
	} else {
		write_residuals(e, w);
	}
	write_worst(e, rows, w);
}
