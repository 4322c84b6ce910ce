/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Schedules that are one formula of the epoch t (fractions count), with
 * PyTorch's names. r is the base rate.
 *
 *   constant              r
 *   step                  r gamma^floor(t / step_size)
 *   multistep             r gamma^(number of milestones <= t)
 *   exponential           r gamma^floor(t)
 *   cosine                eta_min + (r - eta_min) (1 + cos(pi t / t_max)) / 2
 *   cosine_warm_restarts  the same within periods t_0, t_0 t_mult, ...
 *                         (Loshchilov and Hutter 2016)
 *   linear                r (start + (end - start) min(t, n) / n)
 *   polynomial            r (1 - min(t, n) / n)^power
 */
#include <math.h>

#include "training/schedules/fields.h"

static struct schedule_value constant_at(const struct schedule_params *p,
					 double r,
					 const struct schedule_time *time)
{
	(void)p;
	(void)time;
	return schedule_rate(r);
}

static struct schedule_value step_at(const struct schedule_params *p, double r,
				     const struct schedule_time *time)
{
	return schedule_rate(r *
			     pow(p->gamma, floor(time->epoch / p->step_size)));
}

static struct schedule_value multistep_at(const struct schedule_params *p,
					  double r,
					  const struct schedule_time *time)
{
	for (size_t i = 0; i < p->milestones.n; i++)
		r *= time->epoch >= p->milestones.v[i] ? p->gamma : 1;
	return schedule_rate(r);
}

static struct schedule_value exponential_at(const struct schedule_params *p,
					    double r,
					    const struct schedule_time *time)
{
	return schedule_rate(r * pow(p->gamma, floor(time->epoch)));
}

static double cosine(double r, double eta_min, double share)
{
	return eta_min + (r - eta_min) * (1 + cos(M_PI * share)) / 2;
}

static struct schedule_value cosine_at(const struct schedule_params *p,
				       double r,
				       const struct schedule_time *time)
{
	double t_max = p->t_max > 0 ? p->t_max : time->epochs;

	return schedule_rate(
	    cosine(r, p->eta_min, t_max > 0 ? time->epoch / t_max : 0));
}

/* The epoch of restart n: t_0 (1 + t_mult + ... + t_mult^(n - 1)). */
static double restart(const struct schedule_params *p, double n)
{
	return p->t_0 * (pow(p->t_mult, n) - 1) / (p->t_mult - 1);
}

static struct schedule_value restarts_at(const struct schedule_params *p,
					 double r,
					 const struct schedule_time *time)
{
	double t = time->epoch, start, period = p->t_0;

	if (p->t_mult > 1) {
		double n =
		    floor(log1p(t / p->t_0 * (p->t_mult - 1)) / log(p->t_mult));

		/* the logarithm may be off by one bit at a restart */
		n += t >= restart(p, n + 1);
		n -= n > 0 && t < restart(p, n);
		start = restart(p, n);
		period *= pow(p->t_mult, n);
	} else {
		start = floor(t / period) * period;
	}
	return schedule_rate(cosine(r, p->eta_min, (t - start) / period));
}

static double share_of(const struct schedule_params *p,
		       const struct schedule_time *time)
{
	double n = p->total_iters > 0 ? p->total_iters : time->epochs;

	if (n <= 0)
		return 0; /* the warm-up is as long as the job */
	return time->epoch < n ? time->epoch / n : 1;
}

static struct schedule_value linear_at(const struct schedule_params *p,
				       double r,
				       const struct schedule_time *time)
{
	double share = share_of(p, time);

	return schedule_rate(
	    r * (p->start_factor + (p->end_factor - p->start_factor) * share));
}

static struct schedule_value polynomial_at(const struct schedule_params *p,
					   double r,
					   const struct schedule_time *time)
{
	return schedule_rate(r * pow(1 - share_of(p, time), p->power));
}

/* clang-format off */
#define SCHEDULE_POSITIVE(text, of, member, value)                             \
	SCHEDULE_NUMBER(text, of, member, 1e-9, 1e9, value)
#define SCHEDULE_FROM_0(text, of, member, value)                               \
	SCHEDULE_NUMBER(text, of, member, 0, 1e9, value)

static const struct field constant_fields[] = { SCHEDULE_WARMUP };
static const struct field step_fields[] = {
	SCHEDULE_POSITIVE("step_size", "epochs between two cuts", step_size, 30),
	SCHEDULE_POSITIVE("gamma", "factor of a cut", gamma, 0.1),
	SCHEDULE_WARMUP,
};
static const struct field multistep_fields[] = {
	{ .name = "milestones", .help = "epochs of the cuts, rising",
	  .kind = FIELD_DOUBLES, .offset = SCHEDULE_AT(milestones),
	  .flags = FIELD_REQUIRED },
	SCHEDULE_POSITIVE("gamma", "factor of a cut", gamma, 0.1),
	SCHEDULE_WARMUP,
};
static const struct field exponential_fields[] = {
	SCHEDULE_POSITIVE("gamma", "factor of an epoch", gamma, 0.95),
	SCHEDULE_WARMUP,
};
static const struct field cosine_fields[] = {
	SCHEDULE_FROM_0("t_max", "epochs down to eta_min; 0: all", t_max, 0),
	SCHEDULE_FROM_0("eta_min", "the lowest rate", eta_min, 0),
	SCHEDULE_WARMUP,
};
static const struct field restarts_fields[] = {
	SCHEDULE_POSITIVE("t_0", "epochs of the first period", t_0, 1),
	{ .name = "t_mult", .help = "each period is so much longer",
	  .kind = FIELD_DOUBLE, .offset = SCHEDULE_AT(t_mult), .min = 1, .max = 1e6,
	  .def = 1 },
	SCHEDULE_FROM_0("eta_min", "the lowest rate", eta_min, 0),
	SCHEDULE_WARMUP,
};
static const struct field linear_fields[] = {
	SCHEDULE_POSITIVE("start_factor", "of the rate at the start", start_factor, 1. / 3),
	SCHEDULE_POSITIVE("end_factor", "of the rate at the end", end_factor, 1),
	SCHEDULE_FROM_0("total_iters", "epochs of the change; 0: all", total_iters, 0),
	SCHEDULE_WARMUP,
};
static const struct field polynomial_fields[] = {
	SCHEDULE_FROM_0("total_iters", "epochs down to 0; 0: all", total_iters, 0),
	SCHEDULE_POSITIVE("power", "1: straight", power, 1),
	SCHEDULE_WARMUP,
};

SCHEDULE_ROW(constant, "one rate throughout", constant_fields, constant_at);
SCHEDULE_ROW(step, "cut by gamma every step_size epochs", step_fields, step_at);
SCHEDULE_ROW(multistep, "cut by gamma at each milestone", multistep_fields, multistep_at);
SCHEDULE_ROW(exponential, "cut by gamma every epoch", exponential_fields, exponential_at);
SCHEDULE_ROW(cosine, "half a cosine down to eta_min", cosine_fields, cosine_at);
SCHEDULE_ROW(cosine_warm_restarts, "cosines that start anew", restarts_fields, restarts_at);
SCHEDULE_ROW(linear, "straight from start_factor to end_factor", linear_fields, linear_at);
SCHEDULE_ROW(polynomial, "down to 0 by a power", polynomial_fields, polynomial_at);
/* clang-format on */
