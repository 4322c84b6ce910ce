/* SPDX-License-Identifier: Apache-2.0 */
#include "training/baseline.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

enum { ROW_MAX = 4096 };

/* Smoothed shares are both target and best answer: their entropy is left. A
 * class counts by its weight, as its rows do in the loss. */
double baseline_of_classes(const double *count, int64_t width,
			   const struct loss *loss)
{
	const struct loss_params *p = &loss->params;
	const double smoothing = p->label_smoothing;
	bool has_weight = p->weight.n == (size_t)width;
	double total = 0, sum = 0;

	if (!str_equal(loss->kind->name, "cross_entropy") ||
	    (has_weight && smoothing > 0))
		return (double)NAN;
	for (int64_t c = 0; c < width; c++)
		total += count[c] * (has_weight ? p->weight.v[c] : 1);
	for (int64_t c = 0; c < width && total > 0; c++) {
		double share =
		    count[c] * (has_weight ? p->weight.v[c] : 1) / total;

		share = (1 - smoothing) * share + smoothing / (double)width;
		if (share > 0)
			sum -= share * log(share);
	}
	return total > 0 ? sum : (double)NAN;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* d: prediction - target. */
static double cost(double d, const struct loss *loss)
{
	const double delta = loss->params.delta;

	if (str_equal(loss->kind->name, "smooth_l1"))
		return fabs(d) <= delta ? d * d / 2 / delta
					: fabs(d) - delta / 2;

	if (str_equal(loss->kind->name, "mae"))
		return fabs(d);
	if (str_equal(loss->kind->name, "huber"))
		return fabs(d) <= delta ? d * d / 2
					: delta * (fabs(d) - delta / 2);
	return d * d;
}

/* Of shares: what is left is the entropy of their mean. */
static double entropy(double share)
{
	if (!(share > 0 && share < 1))
		return share >= 0 && share <= 1 ? 0 : (double)NAN;
	return -share * log(share) - (1 - share) * log(1 - share);
}

static bool is_known(const struct loss *loss)
{
	static const char *const names[] = { "mse", "mae", "huber",
					     "smooth_l1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_equal(loss->kind->name, names[i]))
			return true;
	}
	return false;
}

double baseline_of_numbers(double *target, int64_t n, const struct loss *loss)
{
	const bool is_binary =
	    str_starts_with(loss->kind->name, "binary_cross_entropy") &&
	    !loss->params.weight.n;
	double mean = 0, by_mean = 0, by_median = 0, median;

	if (n < 1 || !(is_binary || is_known(loss)))
		return (double)NAN;
	qsort(target, (size_t)n, sizeof(*target), compare);
	median = (target[(n - 1) / 2] + target[n / 2]) / 2;
	for (int64_t i = 0; i < n; i++)
		mean += target[i] / (double)n;
	if (is_binary)
		return entropy(mean);
	for (int64_t i = 0; i < n; i++) {
		by_mean += cost(target[i] - mean, loss) / (double)n;
		by_median += cost(target[i] - median, loss) / (double)n;
	}
	return fmin(by_mean, by_median);
}

struct targets {
	bool is_category;
	bool
	    is_text; /* each of `length` numbers of `token` is one of a class */
	int64_t length, *token;
	int64_t width;
	double *count, *number; /* by class; by row */
	int64_t n;
};

static enum err_code take_row(const struct dataset *dataset,
			      const struct pipeline *pipeline, int64_t row,
			      struct targets *t, struct err *err)
{
	union {
		int64_t class;
		float number;
		char bytes[ROW_MAX];
	} value;
	struct raw_value raw;
	enum err_code rc = dataset_target(dataset, row, 0, &raw, err);

	if (!rc)
		rc = pipeline_encode_target(
		    pipeline, 0, &raw,
		    t->is_text ? (void *)t->token : (void *)&value, err);
	if (rc) {
		(void)err_prefix(err, "row %lld", (long long)row);
		return rc;
	}
	for (int64_t i = 0; t->is_text && i < t->length; i++)
		t->count[t->token[i]]++;
	if (t->is_text)
		return ERR_NONE;
	if (!t->is_category)
		t->number[t->n++] = (double)value.number;
	else if (value.class >= 0 && value.class < t->width)
		t->count[value.class]++;
	return ERR_NONE;
}

static struct baseline judge(const struct targets *t, const struct loss *loss)
{
	struct baseline b = { (double)NAN, (double)NAN };
	double total = 0, most = 0;

	if (!t->is_category && !t->is_text) {
		b.loss = baseline_of_numbers(t->number, t->n, loss);
		return b;
	}
	for (int64_t c = 0; c < t->width; c++) {
		total += t->count[c];
		most = fmax(most, t->count[c]);
	}
	b.loss = baseline_of_classes(t->count, t->width, loss);
	b.accuracy = total > 0 ? most / total : (double)NAN;
	return b;
}

static enum err_code check_row(const struct baseline_rows *of,
			       const struct loss *loss, int64_t row,
			       float *target, int64_t n, struct err *err)
{
	struct raw_value raw;
	enum err_code rc = dataset_target(of->dataset, row, 0, &raw, err);

	if (!rc)
		rc = pipeline_encode_target(of->pipeline, 0, &raw, target, err);
	if (rc) {
		(void)err_prefix(err, "row %lld", (long long)row);
		return rc;
	}
	for (int64_t i = 0; i < n; i++) {
		if (target[i] >= 0 && target[i] <= 1)
			continue;
		return err_set(err, ERR_INVALID,
			       "output feature '%s': loss '%s' takes targets "
			       "from 0 to 1, row %lld has %g",
			       pipeline_output_name(of->pipeline, 0),
			       loss->kind->name, (long long)row,
			       (double)target[i]);
	}
	return ERR_NONE;
}

enum err_code baseline_check_targets(const struct dataset *dataset,
				     const struct pipeline *pipeline,
				     const struct loss *loss, struct err *err)
{
	const struct baseline_rows all = { dataset, pipeline, NULL, 0 };
	enum err_code rc = ERR_NONE;
	int64_t width, count;
	enum dtype dtype;
	struct shape row;
	float *target;

	if (!loss->kind->of_shares)
		return ERR_NONE;
	pipeline_target_row(pipeline, 0, &dtype, &row, &width);
	count = shape_count(&row);
	target = mem_array((size_t)count, sizeof(*target));
	if (!target)
		return err_set(err, ERR_NO_MEMORY, "targets: out of memory");
	for (int part = 0; part < PART_COUNT && !rc; part++) {
		const enum dataset_part of = (enum dataset_part)part;
		const int64_t *rows = dataset_rows(dataset, of);

		for (int64_t i = 0; i < dataset_n(dataset, of) && !rc; i++)
			rc = check_row(&all, loss, rows[i], target, count, err);
	}
	mem_free(target);
	return rc;
}

enum err_code baseline_measure(const struct baseline_rows *rows,
			       const struct loss *loss, struct baseline *ret,
			       struct err *err)
{
	const struct pipeline *pipeline = rows->pipeline;
	struct targets t = { 0 };
	enum dtype dtype;
	struct shape row;
	enum err_code rc = ERR_NONE;

	pipeline_target_row(pipeline, 0, &dtype, &row, &t.width);
	t.is_category =
	    str_equal(pipeline_output_type(pipeline, 0), "category");
	*ret = (struct baseline){ (double)NAN, (double)NAN };
	/* a target of many numbers has no one trivial answer here */
	t.is_text = str_equal(pipeline_output_type(pipeline, 0), "text");
	t.length = shape_count(&row);
	if (!t.is_category && !t.is_text && t.length != 1)
		return ERR_NONE;
	t.count = mem_array((size_t)t.width + 1, sizeof(*t.count));
	t.number = mem_array((size_t)rows->n + 1, sizeof(*t.number));
	t.token = mem_array((size_t)t.length + 1, sizeof(*t.token));
	if (!t.count || !t.number || !t.token)
		rc = err_set(err, ERR_NO_MEMORY, "baseline: out of memory");
	for (int64_t i = 0; i < rows->n && !rc; i++)
		rc = take_row(rows->dataset, pipeline, rows->row[i], &t, err);
	if (!rc)
		*ret = judge(&t, loss);
	mem_free(t.count);
	mem_free(t.number);
	mem_free(t.token);
	return rc;
}
