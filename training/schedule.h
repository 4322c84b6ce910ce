/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Schedule: the learning rate (and momentum) of every step, by kind.
 *
 * A kind is a row of schedules.def with PyTorch's formula and parameter names,
 * where PyTorch has it. Cycles, inverse_sqrt and wsd count steps; the others
 * count epochs, in fractions, where PyTorch's users step them once an epoch
 * (docs/training-jobs.md). A warm-up comes before the schedule, which then
 * has what is left of the job for itself.
 *
 * Ownership: plain data; lists live in the spec's arena. Threads: pure.
 */
#ifndef TRAINING_SCHEDULE_H
#define TRAINING_SCHEDULE_H

#include "base/field.h"

struct json_writer;

/** Where a job stands. */
struct schedule_time {
	double step, total_steps; /**< from 0; of the whole job */
	double epoch;		  /**< from 0, in whole epochs or fractions */
	double epochs;		  /**< of the whole job */
	double reduction; /**< of plateaus so far; 1: none (0 is read as 1) */
};

struct schedule_value {
	double rate;
	double momentum; /**< NaN: the optimizer's own */
};

/** All parameters of all kinds; each kind's table names its own. */
struct schedule_params {
	double max_lr; /**< 0: the base rate */
	double pct_start, div_factor, final_div_factor;
	double base_momentum, max_momentum;
	bool three_phase, cycle_momentum;
	int anneal_strategy;   /**< 0 cos, 1 linear */
	double t_max, eta_min; /**< t_max 0: all epochs */
	double t_0, t_mult;
	double step_size, gamma;
	struct field_doubles milestones;
	double start_factor, end_factor, total_iters; /**< 0: all epochs */
	double power;
	double timescale; /**< steps */
	double decay_fraction, min_factor;
	int decay_type; /**< 0 sqrt, 1 linear, 2 cosine */
	double factor, threshold, min_lr;
	int64_t patience, cooldown;
	bool is_absolute;
	struct field_doubles moms;
	double warmup_steps, warmup_fraction, warmup_start_factor;
};

/** What a schedule that looks at the monitor remembers. */
struct schedule_watch {
	double reduction; /**< 0: none yet */
	bool has_best;
	double best;
	int64_t n_bad, n_cooldown;
};

struct schedule_kind {
	const char *name, *help;
	const struct field *fields; /**< over struct schedule_params */
	bool watches;		    /**< schedule_observe() is for it */
	struct schedule_value (*at)(const struct schedule_params *params,
				    double base_rate,
				    const struct schedule_time *time);
};

struct schedule {
	const struct schedule_kind *kind;
	struct schedule_params params;
	double base_rate;
};

/** From the map `learning_rate_scheduler` (NULL: constant). */
MUST_USE enum err_code schedule_read(const struct doc *map, double base_rate,
				     struct schedule *ret, struct arena *arena,
				     struct err *err);
/** The members of its JSON Schema. */
void schedule_schema(struct json_writer *writer);
void schedule_write(const struct schedule *schedule,
		    struct json_writer *writer);
struct schedule_value schedule_at(const struct schedule *schedule,
				  const struct schedule_time *time);
/** An evaluation's figure; true when the rate goes down. */
bool schedule_observe(const struct schedule *schedule, double value,
		      bool is_better_high, struct schedule_watch *watch);
const struct schedule_kind *schedule_kind_at(size_t i);

#endif
