/* SPDX-License-Identifier: Apache-2.0 */
#include "training/lr_finder.h"

#include <math.h>

#include "base/json_write.h"

/* fastai's smoothing of the loss */
#define SMOOTHING 0.98
#define SLIDE_THRESHOLD 0.005

enum { LAST_LEFT_OUT = 5, LEAST = 4, SLIDE_WIDTH = 15 };

/* The neighbours that count, in steps: a quarter of a power of ten to each side
 * is one deviation. */
#define DEVIATION 3

/* A loss that is higher than at the start by more than rounding and luck. */
#define WORSE 1.1

double lr_find_rate(size_t i)
{
	return LR_FIND_LOW *
	       pow(LR_FIND_HIGH / LR_FIND_LOW, (double)i / LR_FIND_STEPS);
}

bool lr_curve_add(struct lr_curve *curve, double loss)
{
	const double fresh = 1 - SMOOTHING;
	double smooth, start;

	curve->average = SMOOTHING * curve->average + fresh * loss;
	curve->start =
	    SMOOTHING * curve->start + fresh * curve->start_loss[curve->n];
	curve->weight = SMOOTHING * curve->weight + fresh;
	smooth = curve->average / curve->weight;
	start = curve->start / curve->weight;
	if (!isfinite(smooth))
		return false;
	if (curve->n == 0 || smooth < curve->best)
		curve->best = smooth;
	curve->rate[curve->n] = lr_find_rate(curve->n);
	curve->batch_loss[curve->n] = loss;
	curve->loss[curve->n++] = smooth;
	return curve->n < LR_FIND_STEPS &&
	       (smooth <= LR_FIND_STOP * curve->best ||
		smooth <= WORSE * start);
}

/* The part that is looked at. */
struct part {
	size_t n;
	const double *rate, *loss;
};

static double steep(const struct part *p)
{
	size_t best = 0;
	double least = (double)INFINITY;

	for (size_t i = 0; i + 1 < p->n; i++) {
		double slope = (p->loss[i + 1] - p->loss[i]) /
			       (log(p->rate[i + 1]) - log(p->rate[i]));

		if (slope < least) {
			least = slope;
			best = i;
		}
	}
	return p->rate[best];
}

/* The longest decreasing subsequence: its end and how long it is; then a
 * third and a sixth into it. */
static double valley(const struct part *p)
{
	size_t length[LR_FIND_STEPS] = { 0 }, end = 0;
	double start, third;

	for (size_t i = 0; i < p->n; i++) {
		length[i] = 1;
		for (size_t j = 0; j < i; j++) {
			if (p->loss[i] < p->loss[j] &&
			    length[i] < length[j] + 1)
				length[i] = length[j] + 1;
		}
		end = length[i] > length[end] ? i : end;
	}
	if (length[end] < 2)
		return (double)NAN;
	/* one before the first, so -1 where all of it falls */
	start = (double)end - (double)length[end];
	third = ((double)end - start) / 3;
	return p
	    ->rate[(size_t)fmax(start + floor(third) + floor(third / 2), 0)];
}

static double minimum(const struct part *p)
{
	size_t best = 0;

	for (size_t i = 1; i < p->n; i++)
		best = p->loss[i] < p->loss[best] ? i : best;
	return p->rate[best] / 10;
}

/* Central differences, one-sided at the ends. */
static double slope_at(const struct part *p, size_t i)
{
	if (i == 0)
		return p->loss[1] - p->loss[0];
	if (i + 1 == p->n)
		return p->loss[i] - p->loss[i - 1];
	return (p->loss[i + 1] - p->loss[i - 1]) / 2;
}

/* A window slides from the right until both its ends have the same slope; the
 * rate is that of its left end before. */
static double slide(const struct part *p)
{
	size_t right = p->n - 1, left;
	double rate;

	if (p->n <= SLIDE_WIDTH)
		return (double)NAN;
	left = right - SLIDE_WIDTH;
	rate = p->rate[left];
	while (fabs(slope_at(p, right) - slope_at(p, left)) > SLIDE_THRESHOLD) {
		rate = p->rate[left];
		if (left == 0)
			break;
		right--;
		left--;
	}
	return rate;
}

/* What batches gained or lost, each averaged with its neighbours, and by how
 * much they differ by themselves. */
struct look {
	double spread;
	double change[LR_FIND_STEPS];
};

/* At least a hundredth of the mean, where all are alike. */
static double spread_of(const double *v, size_t n)
{
	double mean = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		mean += v[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (v[i] - mean) * (v[i] - mean);
	return fmax(sqrt(squares / (double)n), fabs(mean) / 100);
}

/* What diverges does not drown the points before it. */
static void look_at(const struct lr_curve *curve, struct look *ret)
{
	const double *l = curve->batch_loss, *before = curve->start_loss;

	*ret = (struct look){ .spread = spread_of(before, curve->n) };
	for (size_t i = 0; i < curve->n; i++) {
		double weight = 0;

		for (size_t j = 0; j < curve->n; j++) {
			const double far = ((double)i - (double)j) / DEVIATION;
			const double w = exp(-far * far / 2);

			ret->change[i] +=
			    w * fmin(l[j] - before[j], 3 * ret->spread);
			weight += w;
		}
		ret->change[i] /= weight;
	}
}

/* From which rate on the loss rises; NaN where nothing does. */
static double rise(const struct lr_curve *curve, const struct look *look)
{
	for (size_t i = LR_FIND_STEPS / 10; i < curve->n; i++) {
		if (look->change[i] > look->spread)
			return curve->rate[i];
	}
	return (double)NAN;
}

/* Where the loss is lowest; the first point that counts where it does not fall
 * by more than batches differ. */
static size_t lowest_of(const struct lr_curve *curve, const struct look *look)
{
	const size_t first = LR_FIND_STEPS / 10;
	size_t lowest = first;

	for (size_t i = first; i < curve->n; i++)
		lowest = look->change[i] < look->change[lowest] ? i : lowest;
	return -look->change[lowest] > look->spread ? lowest : first;
}

static double middle(const struct lr_curve *curve)
{
	const size_t first = LR_FIND_STEPS / 10;
	size_t lowest, fastest = first;
	struct look look;
	const double *at = look.change;

	look_at(curve, &look);
	lowest = lowest_of(curve, &look);
	if (lowest == first)
		return rise(curve, &look) / 10;
	for (size_t i = first; i < lowest; i++) {
		if (at[i + 1] - at[i - 1] < at[fastest + 1] - at[fastest - 1])
			fastest = i;
	}
	return sqrt(curve->rate[fastest] * curve->rate[lowest]);
}

struct lr_suggestions lr_suggest(const struct lr_curve *curve)
{
	const double none = (double)NAN;
	const size_t first = LR_FIND_STEPS / 10;
	struct part part = { .rate = curve->rate + first,
			     .loss = curve->loss + first };

	if (curve->n < first + LAST_LEFT_OUT + LEAST)
		return (struct lr_suggestions){ none, none, none, none, none };
	part.n = curve->n - first - LAST_LEFT_OUT;
	return (struct lr_suggestions){
		.middle = middle(curve),
		.steep = steep(&part),
		.valley = valley(&part),
		.minimum = minimum(&part),
		.slide = slide(&part),
	};
}

size_t lr_curve_rates_to_try(const struct lr_curve *curve,
			     double ret_rates[LR_TRIALS])
{
	const size_t first = LR_FIND_STEPS / 10;
	struct look look;
	double top;

	if (curve->n < first + LAST_LEFT_OUT + LEAST)
		return 0;
	look_at(curve, &look);
	top = rise(curve, &look);
	if (lowest_of(curve, &look) != first || isnan(top))
		return 0;
	for (size_t i = 0; i < LR_TRIALS; i++)
		ret_rates[i] = top * pow(10, (double)i / (LR_TRIALS - 1) - 1);
	return LR_TRIALS;
}

/* A higher rate has to end lower. 0 where there were no trials, or none that
 * kept the loss finite. */
static double best_trial(const struct lr_curve *curve)
{
	const struct lr_trial *best = NULL;

	for (size_t i = 0; i < curve->n_trials; i++) {
		const struct lr_trial *trial = &curve->trial[i];

		if (isfinite(trial->loss) &&
		    (!best || trial->loss < best->loss))
			best = trial;
	}
	return best ? best->rate : 0;
}

double lr_curve_choose(const struct lr_curve *curve)
{
	struct lr_suggestions s = lr_suggest(curve);
	const double tried = best_trial(curve);

	if (tried > 0)
		return tried;
	if (!isnan(s.middle))
		return s.middle;
	if (!isnan(s.valley))
		return s.valley;
	return isnan(s.minimum) ? 0 : s.minimum;
}

static void write_numbers(struct json_writer *writer, const char *name,
			  const double *v, size_t n)
{
	json_write_array(writer, name);
	for (size_t i = 0; i < n; i++)
		json_write_double(writer, NULL, v[i]);
	json_write_array_end(writer);
}

void lr_curve_write(const struct lr_curve *curve, struct json_writer *writer)
{
	struct lr_suggestions s = lr_suggest(curve);

	write_numbers(writer, "rate", curve->rate, curve->n);
	write_numbers(writer, "loss", curve->loss, curve->n);
	write_numbers(writer, "batch_loss", curve->batch_loss, curve->n);
	write_numbers(writer, "start_loss", curve->start_loss, curve->n);
	json_write_array(writer, "trials");
	for (size_t i = 0; i < curve->n_trials; i++) {
		json_write_object(writer, NULL);
		json_write_double(writer, "rate", curve->trial[i].rate);
		json_write_double(writer, "loss", curve->trial[i].loss);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
	json_write_object(writer, "suggestions");
	json_write_double(writer, "middle", s.middle);
	json_write_double(writer, "steep", s.steep);
	json_write_double(writer, "valley", s.valley);
	json_write_double(writer, "minimum", s.minimum);
	json_write_double(writer, "slide", s.slide);
	json_write_object_end(writer);
}
