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
#include <stddef.h>

#include "training/schedule.h"

#define AT(member) offsetof(struct schedule_params, member)
#define POSITIVE(text, of, member, value)                                   \
	{                                                                   \
		.name = text, .help = of, .kind = FIELD_DOUBLE,             \
		.offset = AT(member), .min = 1e-9, .max = 1e9, .def = value \
	}
#define NOT_NEGATIVE(text, of, member, value)                            \
	{                                                                \
		.name = text, .help = of, .kind = FIELD_DOUBLE,          \
		.offset = AT(member), .min = 0, .max = 1e9, .def = value \
	}

static struct schedule_value plain(double rate)
{
	return (struct schedule_value){ .rate = rate, .momentum = (double)NAN };
}

static struct schedule_value constant_at(const struct schedule_params *p,
					 double r, double epochs,
					 const struct schedule_time *time)
{
	(void)p;
	(void)epochs;
	(void)time;
	return plain(r);
}

static struct schedule_value step_at(const struct schedule_params *p, double r,
				     double epochs,
				     const struct schedule_time *time)
{
	(void)epochs;
	return plain(r * pow(p->gamma, floor(time->epoch / p->step_size)));
}

static struct schedule_value multistep_at(const struct schedule_params *p,
					  double r, double epochs,
					  const struct schedule_time *time)
{
	(void)epochs;
	for (size_t i = 0; i < p->milestones.n; i++)
		r *= time->epoch >= p->milestones.v[i] ? p->gamma : 1;
	return plain(r);
}

static struct schedule_value exponential_at(const struct schedule_params *p,
					    double r, double epochs,
					    const struct schedule_time *time)
{
	(void)epochs;
	return plain(r * pow(p->gamma, floor(time->epoch)));
}

static double cosine(double r, double eta_min, double share)
{
	return eta_min + (r - eta_min) * (1 + cos(M_PI * share)) / 2;
}

static struct schedule_value cosine_at(const struct schedule_params *p,
				       double r, double epochs,
				       const struct schedule_time *time)
{
	double t_max = p->t_max > 0 ? p->t_max : epochs;

	return plain(cosine(r, p->eta_min, time->epoch / t_max));
}

/* The epoch of restart n: t_0 (1 + t_mult + ... + t_mult^(n - 1)). */
static double restart(const struct schedule_params *p, double n)
{
	return p->t_0 * (pow(p->t_mult, n) - 1) / (p->t_mult - 1);
}

static struct schedule_value restarts_at(const struct schedule_params *p,
					 double r, double epochs,
					 const struct schedule_time *time)
{
	double t = time->epoch, start, period = p->t_0;

	(void)epochs;
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
	return plain(cosine(r, p->eta_min, (t - start) / period));
}

static double share_of(const struct schedule_params *p, double epochs,
		       const struct schedule_time *time)
{
	double n = p->total_iters > 0 ? p->total_iters : epochs;

	return time->epoch < n ? time->epoch / n : 1;
}

static struct schedule_value linear_at(const struct schedule_params *p,
				       double r, double epochs,
				       const struct schedule_time *time)
{
	double share = share_of(p, epochs, time);

	return plain(
	    r * (p->start_factor + (p->end_factor - p->start_factor) * share));
}

static struct schedule_value polynomial_at(const struct schedule_params *p,
					   double r, double epochs,
					   const struct schedule_time *time)
{
	return plain(r * pow(1 - share_of(p, epochs, time), p->power));
}

/* clang-format off */
static const struct field constant_fields[] = { { 0 } };
static const struct field step_fields[] = {
	POSITIVE("step_size", "epochs between two cuts", step_size, 30),
	POSITIVE("gamma", "factor of a cut", gamma, 0.1),
	{ 0 },
};
static const struct field multistep_fields[] = {
	{ .name = "milestones", .help = "epochs of the cuts, rising",
	  .kind = FIELD_DOUBLES, .offset = AT(milestones),
	  .flags = FIELD_REQUIRED },
	POSITIVE("gamma", "factor of a cut", gamma, 0.1),
	{ 0 },
};
static const struct field exponential_fields[] = {
	POSITIVE("gamma", "factor of an epoch", gamma, 0.95),
	{ 0 },
};
static const struct field cosine_fields[] = {
	NOT_NEGATIVE("t_max", "epochs down to eta_min; 0: all", t_max, 0),
	NOT_NEGATIVE("eta_min", "the lowest rate", eta_min, 0),
	{ 0 },
};
static const struct field restarts_fields[] = {
	POSITIVE("t_0", "epochs of the first period", t_0, 1),
	{ .name = "t_mult", .help = "each period is so much longer",
	  .kind = FIELD_DOUBLE, .offset = AT(t_mult), .min = 1, .max = 1e6,
	  .def = 1 },
	NOT_NEGATIVE("eta_min", "the lowest rate", eta_min, 0),
	{ 0 },
};
static const struct field linear_fields[] = {
	POSITIVE("start_factor", "of the rate at the start", start_factor, 1. / 3),
	POSITIVE("end_factor", "of the rate at the end", end_factor, 1),
	NOT_NEGATIVE("total_iters", "epochs of the change; 0: all", total_iters, 0),
	{ 0 },
};
static const struct field polynomial_fields[] = {
	NOT_NEGATIVE("total_iters", "epochs down to 0; 0: all", total_iters, 0),
	POSITIVE("power", "1: straight", power, 1),
	{ 0 },
};

#define ROW(row, text, table, function)                                        \
	extern const struct schedule_kind schedule_##row;                      \
	const struct schedule_kind schedule_##row = {                          \
		.name = #row, .help = text, .fields = table, .at = function }

ROW(constant, "one rate throughout", constant_fields, constant_at);
ROW(step, "cut by gamma every step_size epochs", step_fields, step_at);
ROW(multistep, "cut by gamma at each milestone", multistep_fields, multistep_at);
ROW(exponential, "cut by gamma every epoch", exponential_fields, exponential_at);
ROW(cosine, "half a cosine down to eta_min", cosine_fields, cosine_at);
ROW(cosine_warm_restarts, "cosines that start anew", restarts_fields, restarts_at);
ROW(linear, "straight from start_factor to end_factor", linear_fields, linear_at);
ROW(polynomial, "down to 0 by a power", polynomial_fields, polynomial_at);
/* clang-format on */
