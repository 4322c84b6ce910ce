/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Schedules for runs whose length is not what matters. r is the base rate, t
 * the step after the warm-up.
 *
 *   inverse_sqrt  r sqrt(n / (t + n)), n the timescale: after a warm-up of n
 *                 steps that of Vaswani et al. 2017
 *   wsd           r until the last decay_fraction of the steps, then down to
 *                 min_factor r: warm-up, stable, decay (Hu et al. 2024)
 *   plateau       r times factor for each plateau of the monitor (PyTorch's
 *                 ReduceLROnPlateau; schedule_observe() finds them)
 */
#include <math.h>

#include "training/schedules/fields.h"

enum { DECAY_SQRT, DECAY_LINEAR, DECAY_COSINE };
static const char *const decay_names[] = { "sqrt", "linear", "cosine", NULL };

static struct schedule_value inverse_sqrt_at(const struct schedule_params *p,
					     double r,
					     const struct schedule_time *time)
{
	double n = p->timescale > 0	 ? p->timescale
		   : p->warmup_steps > 0 ? p->warmup_steps
					 : 10000;

	return schedule_rate(r / sqrt((time->step + n) / n));
}

static struct schedule_value wsd_at(const struct schedule_params *p, double r,
				    const struct schedule_time *time)
{
	double length = p->decay_fraction * time->total_steps;
	double start = time->total_steps - length;
	double share = length > 0 ? (time->step - start) / length : 1;
	double left;

	if (time->step <= start)
		return schedule_rate(r);
	share = share > 1 ? 1 : share;
	if (p->decay_type == DECAY_SQRT)
		left = 1 - sqrt(share);
	else if (p->decay_type == DECAY_LINEAR)
		left = 1 - share;
	else
		left = (1 + cos(M_PI * share)) / 2;
	return schedule_rate(r * (p->min_factor + (1 - p->min_factor) * left));
}

static struct schedule_value plateau_at(const struct schedule_params *p,
					double r,
					const struct schedule_time *time)
{
	double rate = r * time->reduction;

	return schedule_rate(rate < p->min_lr && rate < r ? p->min_lr : rate);
}

/* clang-format off */
static const struct field inverse_sqrt_fields[] = {
	SCHEDULE_NUMBER("timescale", "steps; 0: warmup_steps, or 10000", timescale, 0, 1e12, 0),
	SCHEDULE_WARMUP,
};
static const struct field wsd_fields[] = {
	SCHEDULE_NUMBER("decay_fraction", "share of the steps that the rate falls",
			decay_fraction, 0, 1, 0.2),
	{ .name = "decay_type", .help = "sqrt, linear or cosine", .kind = FIELD_ENUM,
	  .offset = SCHEDULE_AT(decay_type), .names = decay_names },
	SCHEDULE_NUMBER("min_factor", "of the rate at the end", min_factor, 0, 1, 0),
	SCHEDULE_WARMUP,
};
static const struct field plateau_fields[] = {
	SCHEDULE_NUMBER("factor", "of a cut", factor, 1e-9, 1, 0.1),
	{ .name = "patience", .help = "evaluations without improvement before a cut",
	  .kind = FIELD_INT, .offset = SCHEDULE_AT(patience), .max = 1e9, .def = 10 },
	SCHEDULE_NUMBER("threshold", "what counts as improvement", threshold, 0, 1e9, 1e-4),
	{ .name = "absolute", .help = "threshold is no share of the best",
	  .kind = FIELD_BOOL, .offset = SCHEDULE_AT(is_absolute) },
	{ .name = "cooldown", .help = "evaluations after a cut that do not count",
	  .kind = FIELD_INT, .offset = SCHEDULE_AT(cooldown), .max = 1e9 },
	SCHEDULE_NUMBER("min_lr", "no cut below", min_lr, 0, 1e6, 0),
	SCHEDULE_WARMUP,
};

SCHEDULE_ROW(inverse_sqrt, "down by the root of the steps", inverse_sqrt_fields, inverse_sqrt_at);
SCHEDULE_ROW(wsd, "warm-up, stable, decay", wsd_fields, wsd_at);
extern const struct schedule_kind schedule_plateau;
const struct schedule_kind schedule_plateau = {
	.name = "plateau", .help = "cut when the monitor stands still",
	.fields = plateau_fields, .watches = true, .at = plateau_at,
};
/* clang-format on */
