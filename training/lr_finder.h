/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Learning rate finder: the curve of a loss under rising rates, and what it
 * suggests (Smith 2015; all suggestions but `middle` are those of fastai's
 * lr_find).
 *
 * Rates rise geometrically from LR_FIND_LOW to LR_FIND_HIGH in LR_FIND_STEPS
 * steps; the smoothed loss that is more than LR_FIND_STOP times the best ends
 * the run, where the network as it was at the start would do better: a lucky
 * first batch of one that is good already is no best. The first tenth and the
 * last five points are left out of what fastai's suggestions look at.
 *
 * That loss is an average of all losses before, which lags behind: over 100
 * steps in which the rate rises eight powers of ten by one or two of them, and
 * the more the longer the curve was level. `middle`, which jobs take, looks
 * at what each batch gained against the network as it was at the start, which
 * leaves out that batches differ, averaged with its neighbours to both sides.
 * It is the middle (of the logarithm) between the rate where the loss falls
 * fastest, from which on there is progress, and that where it is lowest, from
 * which on there is none. Where it falls by no more than batches differ, as of
 * a network that was trained before, it is a tenth of the rate from which on
 * the loss rises. Such a network may be as good as it gets, which a higher rate
 * would only undo, or learn too slowly for a hundred rates to show, and recover
 * from the first steps of one that is ten times as high; so there rates up to
 * that one are tried over the same batches, and jobs take the one whose last
 * losses are lowest.
 *
 * Ownership: plain data. Threads: pure.
 */
#ifndef TRAINING_LR_FINDER_H
#define TRAINING_LR_FINDER_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct json_writer;

#define LR_FIND_LOW 1e-7
#define LR_FIND_HIGH 10.0
enum { LR_FIND_STEPS = 100, LR_FIND_STOP = 4 };

/** Rates that are tried, and how many steps of LR_FIND_STEPS then count. */
enum { LR_TRIALS = 3, LR_TRIAL_LAST = 25 };

struct lr_trial {
	double rate, loss; /**< the mean of the last steps; may be NaN */
};

struct lr_curve {
	size_t n, n_trials;
	struct lr_trial trial[LR_TRIALS];
	double rate[LR_FIND_STEPS], loss[LR_FIND_STEPS]; /**< smoothed */
	double batch_loss[LR_FIND_STEPS];		 /**< as it was */
	/** of the same batches at the start; set before the first point */
	double start_loss[LR_FIND_STEPS];
	double average, weight, best, start; /**< while it grows */
};

/** NaN where the curve is too short to say. */
struct lr_suggestions {
	double middle;	/**< between the fastest fall and the lowest loss */
	double steep;	/**< where the loss falls fastest over log(rate) */
	double valley;	/**< in the middle of the longest way down */
	double minimum; /**< a tenth of the rate of the lowest loss */
	double slide;	/**< before the slope changes, seen from the right */
};

/** Of step i, from 0. */
double lr_find_rate(size_t i);
/** The next point; false when the run should end. */
bool lr_curve_add(struct lr_curve *curve, double loss);
struct lr_suggestions lr_suggest(const struct lr_curve *curve);
/** Of a curve that does not fall: a tenth of the rate from which on it rises,
 * up to that rate. Returns how many; 0: none needs to be tried. */
size_t lr_curve_rates_to_try(const struct lr_curve *curve,
			     double ret_rates[LR_TRIALS]);
/** The members `rate`, `loss`, `batch_loss`, `start_loss`, `trials` and
 * `suggestions`, into the object that is open. */
void lr_curve_write(const struct lr_curve *curve, struct json_writer *writer);
/** The file lr_find.json: the same with `learning_rate`, which was taken. */
void lr_curve_write_file(const struct lr_curve *curve, double rate,
			 struct buf *buf);
/** A picture: loss over the logarithm of the rate, with the suggestions and the
 * rate that was taken. */
void lr_curve_write_svg(const struct lr_curve *curve, double rate,
			struct buf *buf);
/** The rate that jobs take: the best of those that were tried, else middle,
 * else valley, else minimum; 0: there is none. */
double lr_curve_choose(const struct lr_curve *curve);

#endif
