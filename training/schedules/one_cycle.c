/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * One cycle (Smith and Topin 2017, super-convergence), with the phases of
 * PyTorch's OneCycleLR: from max_lr / div_factor up to max_lr in the first
 * pct_start of the steps, then down to the start's 1 / final_div_factor; with
 * three_phase down to the start first, as long as the way up. Momentum goes
 * the other way round.
 */
#include <math.h>
#include <stddef.h>

#include "training/schedule.h"

struct phase {
	double end; /* last step */
	double rate[2], momentum[2];
};

static const char *const anneal_names[] = { "cos", "linear", NULL };

static double anneal(int strategy, double from, double to, double share)
{
	if (strategy == 1)
		return from + (to - from) * share;
	return to + (from - to) / 2 * (cos(M_PI * share) + 1);
}

static int fill_phases(const struct schedule_params *p, double max_lr,
		       double total, struct phase phase[3])
{
	double initial = max_lr / p->div_factor;
	double last = initial / p->final_div_factor;
	double low = p->base_momentum, high = p->max_momentum;

	phase[0] = (struct phase){ p->pct_start * total - 1,
				   { initial, max_lr },
				   { high, low } };
	if (!p->three_phase) {
		phase[1] = (struct phase){ total - 1,
					   { max_lr, last },
					   { low, high } };
		return 2;
	}
	phase[1] = (struct phase){ 2 * p->pct_start * total - 2,
				   { max_lr, initial },
				   { low, high } };
	phase[2] =
	    (struct phase){ total - 1, { initial, last }, { high, high } };
	return 3;
}

static struct schedule_value one_cycle_at(const struct schedule_params *p,
					  double base_rate,
					  const struct schedule_time *time)
{
	struct phase phase[3];
	int n = fill_phases(p, p->max_lr > 0 ? p->max_lr : base_rate,
			    time->total_steps, phase);
	double start = 0;
	struct schedule_value value = { .momentum = (double)NAN };
	int i = 0;

	while (i < n - 1 && time->step > phase[i].end)
		start = phase[i++].end;
	/* a job of one or two steps has phases of no length */
	double length = phase[i].end - start;
	double share = length > 0 ? (time->step - start) / length : 1;

	share = share > 1 ? 1 : share;
	value.rate = anneal(p->anneal_strategy, phase[i].rate[0],
			    phase[i].rate[1], share);
	if (p->cycle_momentum)
		value.momentum =
		    anneal(p->anneal_strategy, phase[i].momentum[0],
			   phase[i].momentum[1], share);
	return value;
}

#define AT(member) offsetof(struct schedule_params, member)

static const struct field one_cycle_fields[] = {
	{ .name = "max_lr",
	  .help = "highest rate; 0: trainer.learning_rate",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(max_lr),
	  .min = 0,
	  .max = 1e6 },
	{ .name = "pct_start",
	  .help = "share of the steps that the rate rises",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(pct_start),
	  .min = 0,
	  .max = 1,
	  .def = 0.3 },
	{ .name = "div_factor",
	  .help = "the first rate is max_lr / div_factor",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(div_factor),
	  .min = 1,
	  .max = 1e12,
	  .def = 25 },
	{ .name = "final_div_factor",
	  .help = "the last rate is the first / final_div_factor",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(final_div_factor),
	  .min = 1,
	  .max = 1e12,
	  .def = 1e4 },
	{ .name = "cycle_momentum",
	  .help = "momentum (or beta1) goes the other way round",
	  .kind = FIELD_BOOL,
	  .offset = AT(cycle_momentum),
	  .def = 1 },
	{ .name = "base_momentum",
	  .help = "lowest momentum",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(base_momentum),
	  .min = 0,
	  .max = 1,
	  .def = 0.85 },
	{ .name = "max_momentum",
	  .help = "highest momentum",
	  .kind = FIELD_DOUBLE,
	  .offset = AT(max_momentum),
	  .min = 0,
	  .max = 1,
	  .def = 0.95 },
	{ .name = "anneal_strategy",
	  .help = "cos or linear",
	  .kind = FIELD_ENUM,
	  .offset = AT(anneal_strategy),
	  .names = anneal_names },
	{ .name = "three_phase",
	  .help = "down to the first rate before the last stretch",
	  .kind = FIELD_BOOL,
	  .offset = AT(three_phase) },
	{ 0 },
};
#undef AT

extern const struct schedule_kind schedule_one_cycle;
const struct schedule_kind schedule_one_cycle = {
	.name = "one_cycle",
	.help = "up to max_lr, then down far below the start",
	.fields = one_cycle_fields,
	.at = one_cycle_at,
};
