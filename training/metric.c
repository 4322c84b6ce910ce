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
static const struct metric category_metrics[] = {
	{ "loss", false, loss, 0 },
	{ "accuracy", true, accuracy, 0 },
	OF_ALL("top5_accuracy", true, top5),
	OF_ALL("precision", true, precision),
	OF_ALL("recall", true, recall),
	OF_ALL("f1", true, f1),
	OF_ALL("roc_auc", true, roc_auc),
	OF_ALL("pr_auc", true, pr_auc),
	OF_ALL("calibration_error", false, calibration),
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

const struct metric *metrics_of(const char *output_type)
{
	if (str_equal(output_type, "text"))
		return text_metrics;
	return str_equal(output_type, "category") ? category_metrics
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
	for (int64_t i = 0; i < n * width; i++) {
		double t = (double)target[i], d = (double)output[i] - t;

		sums->absolute += fabs(d);
		sums->square += d * d;
		sums->target += t;
		sums->target_square += t * t;
	}
}

void metric_add(struct metric_sums *sums, const char *output_type,
		const struct metric_rows *rows)
{
	sums->n += (double)rows->n;
	sums->loss += rows->loss * (double)rows->n;
	if (str_equal(output_type, "category") ||
	    str_equal(output_type, "text"))
		add_category(sums, rows->output, rows->width, rows->target,
			     rows->n);
	else
		add_number(sums, rows->output, rows->width, rows->target,
			   rows->n);
}
