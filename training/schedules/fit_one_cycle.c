/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * One cycle by fastai's own parameters: half a cosine from lr_max / div up to
 * lr_max in the first pct_start of the steps, half a cosine down to
 * lr_max / div_final in the rest; momentum from moms[0] to moms[1] to moms[2].
 * The value at step i of n is that at i / n of the curve.
 */
#include <math.h>

#include "training/schedules/fields.h"

static double cosine(double from, double to, double share)
{
	return from + (to - from) * (1 - cos(M_PI * share)) / 2;
}

static struct schedule_value fit_one_cycle_at(const struct schedule_params *p,
					      double base_rate,
					      const struct schedule_time *time)
{
	static const double usual[] = { 0.95, 0.85, 0.95 };
	const double *moms = p->moms.n ? p->moms.v : usual;
	double max = p->max_lr > 0 ? p->max_lr : base_rate;
	double at = time->total_steps > 0 ? time->step / time->total_steps : 1;
	struct schedule_value value;

	at = at > 1 ? 1 : at;
	if (at < p->pct_start) {
		double share = at / p->pct_start;

		value.rate = cosine(max / p->div_factor, max, share);
		value.momentum = cosine(moms[0], moms[1], share);
	} else {
		double rest = 1 - p->pct_start;
		double share = rest > 0 ? (at - p->pct_start) / rest : 1;

		value.rate = cosine(max, max / p->final_div_factor, share);
		value.momentum = cosine(moms[1], moms[2], share);
	}
	if (!p->cycle_momentum)
		value.momentum = (double)NAN;
	return value;
}

/* clang-format off */
static const struct field fit_one_cycle_fields[] = {
	SCHEDULE_NUMBER("lr_max", "highest rate; 0: trainer.learning_rate", max_lr, 0, 1e6, 0),
	SCHEDULE_NUMBER("pct_start", "share of the steps that the rate rises", pct_start,
			0, 1, 0.25),
	SCHEDULE_NUMBER("div", "the first rate is lr_max / div", div_factor, 1, 1e12, 25),
	SCHEDULE_NUMBER("div_final", "the last rate is lr_max / div_final", final_div_factor,
			1, 1e12, 1e5),
	{ .name = "cycle_momentum", .help = "momentum (or beta1) goes the other way round",
	  .kind = FIELD_BOOL, .offset = SCHEDULE_AT(cycle_momentum), .def = 1 },
	{ .name = "moms", .help = "momenta at the start, the top and the end; [0.95, 0.85, 0.95]",
	  .kind = FIELD_DOUBLES, .offset = SCHEDULE_AT(moms), .min = 0, .max = 0.9999999 },
	{ 0 },
};
SCHEDULE_ROW(fit_one_cycle, "one cycle as fastai has it", fit_one_cycle_fields, fit_one_cycle_at);
/* clang-format on */
