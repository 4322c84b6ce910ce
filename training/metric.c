/* SPDX-License-Identifier: Apache-2.0 */
#include "training/metric.h"

#include <math.h>
#include <stddef.h>

#include "base/str.h"
#include "training/evaluation.h"

static double loss(const struct metric_sums *s)
{
	return s->n > 0 ? s->loss / s->n : (double)NAN;
}

static double accuracy(const struct metric_sums *s)
{
	return s->n > 0 ? s->hits / s->n : (double)NAN;
}

static double perplexity(const struct metric_sums *s)
{
	return s->n > 0 ? exp(s->loss / s->n) : (double)NAN;
}

static double bits_per_character(const struct metric_sums *s)
{
	return s->characters > 0 ? s->loss / s->characters / log(2)
				 : (double)NAN;
}

static double mae(const struct metric_sums *s)
{
	return s->n > 0 ? s->absolute / s->n : (double)NAN;
}

static double rmse(const struct metric_sums *s)
{
	return s->n > 0 ? sqrt(s->square / s->n) : (double)NAN;
}

/* 1 - residual / total sum of squares */
static double r2(const struct metric_sums *s)
{
	double total =
	    s->n > 0 ? s->target_square - s->target * s->target / s->n : 0;

	return total > 0 ? 1 - s->square / total : (double)NAN;
}

#define OF_ALL(name, high, member)                                            \
	{                                                                     \
		name, high, NULL, offsetof(struct evaluation_figures, member) \
	}
/* Of classes, of which there may be two. */
#define OF_CLASSES                                                            \
	OF_ALL("precision", true, precision), OF_ALL("recall", true, recall), \
	    OF_ALL("f1", true, f1), OF_ALL("roc_auc", true, roc_auc),         \
	    OF_ALL("pr_auc", true, pr_auc), OF_ALL("iou", true, iou),         \
	    OF_ALL("dice", true, dice), OF_ALL("brier", false, brier),        \
	    OF_ALL("calibration_error", false, calibration)
static const struct metric category_metrics[] = {
	{ "loss", false, loss, 0 },
	{ "accuracy", true, accuracy, 0 },
	OF_ALL("top5_accuracy", true, top5),
	OF_CLASSES,
	{ 0 },
};

static const struct metric binary_metrics[] = {
	{ "loss", false, loss, 0 },
	{ "accuracy", true, accuracy, 0 },
	OF_CLASSES,
	{ 0 },
};

static const struct metric text_metrics[] = {
	{ "loss", false, loss, 0 },
	{ "accuracy", true, accuracy, 0 },
	{ "perplexity", false, perplexity, 0 },
	{ "bits_per_character", false, bits_per_character, 0 },
	{ 0 },
};

static const struct metric number_metrics[] = {
	{ "loss", false, loss, 0 },
	{ "mae", false, mae, 0 },
	{ "rmse", false, rmse, 0 },
	{ "r2", true, r2, 0 },
	OF_ALL("exp_rmspe", false, exp_rmspe),
	{ 0 },
};

const struct metric *metrics_of(const char *measures)
{
	if (str_equal(measures, "text"))
		return text_metrics;
	if (str_equal(measures, "category"))
		return category_metrics;
	return str_starts_with(measures, "binary") ? binary_metrics
						   : number_metrics;
}

double metric_value(const struct metric *metric, const struct metric_sums *sums,
		    const struct evaluation_figures *figures)
{
	double value = (double)NAN;

	if (metric->value)
		return metric->value(sums);
	if (figures)
		memcpy(&value, (const char *)figures + metric->offset,
		       sizeof(value));
	return value;
}

static void add_category(struct metric_sums *sums, const float *output,
			 int64_t width, const int64_t *target, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		const float *row = output + i * width;
		int64_t best = 0;

		for (int64_t j = 1; j < width; j++)
			best = row[j] > row[best] ? j : best;
		sums->hits += best == target[i];
	}
}

static void add_number(struct metric_sums *sums, const float *output,
		       int64_t width, const float *target, int64_t n)
{
	const double w = (double)width;

	for (int64_t i = 0; i < n * width; i++) {
		double t = (double)target[i], d = (double)output[i] - t;

		sums->absolute += fabs(d) / w;
		sums->square += d * d / w;
		sums->target += t / w;
		sums->target_square += t * t / w;
	}
}

static void add_binary(struct metric_sums *sums, double least,
		       const struct metric_rows *rows)
{
	const float *target = rows->target;
	int64_t hits = 0;

	for (int64_t i = 0; i < rows->n * rows->width; i++)
		hits += ((double)rows->output[i] > least) ==
			((double)target[i] > 0.5);
	sums->hits += (double)hits / (double)rows->width;
}

void metric_add(struct metric_sums *sums, const char *measures,
		const struct metric_rows *rows)
{
	sums->n += (double)rows->n;
	sums->loss += rows->loss * (double)rows->n;
	if (str_equal(measures, "category") || str_equal(measures, "text"))
		add_category(sums, rows->output, rows->width, rows->target,
			     rows->n);
	else if (str_starts_with(measures, "binary"))
		add_binary(sums, str_equal(measures, "binary") ? 0.5 : 0, rows);
	else
		add_number(sums, rows->output, rows->width, rows->target,
			   rows->n);
}
