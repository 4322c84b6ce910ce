/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rules of optimizers: their moments, and the columns of hyper that are not
 * what a user set. The columns from HYPER_OWN on:
 *
 *   Adagrad  initial sum of squares
 *   Lamb     weight decay, 1 / (1 - beta1^t), 1: no ratio of norms
 *   Lars     weight decay, trust coefficient, 1: no ratio of norms
 *   Muon     the rate of matrices
 *   NAdam    factors of the gradient and of its average (Dozat 2016)
 *   RAdam    rectification times sqrt(1 - beta2^t); 0 in the first steps
 *            (Liu et al. 2019)
 *   Rprop    factors of the size, its least and its most
 */
#include <math.h>
#include <string.h>

#include "engine/ops/optimizer_priv.h"

static unsigned one(const struct optimizer_attrs *attrs)
{
	(void)attrs;
	return 1;
}

static unsigned two(const struct optimizer_attrs *attrs)
{
	(void)attrs;
	return 2;
}

static unsigned momentum_only(const struct optimizer_attrs *attrs)
{
	return attrs->momentum != 0;
}

static unsigned of_rmsprop(const struct optimizer_attrs *attrs)
{
	return 1U + (attrs->momentum != 0) + (attrs->centered != 0);
}

static unsigned of_adam(const struct optimizer_attrs *attrs)
{
	return 2U + (attrs->amsgrad != 0);
}

static void sgd(const struct optimizer_setting *setting, double t,
		double value[OPTIMIZER_HYPER])
{
	/* the first step's buffer is the gradient itself */
	value[HYPER_FRESH] = t > 1 ? 1 - setting->dampening : 1;
	if (setting->ewma)
		value[HYPER_FRESH] = 1 - setting->momentum;
}

static void adam(const struct optimizer_setting *setting, double t,
		 double value[OPTIMIZER_HYPER])
{
	value[HYPER_RATE] /= 1 - pow(setting->momentum, t);
	value[HYPER_ROOT] = 1 / sqrt(1 - pow(setting->square, t));
}

static void adamax(const struct optimizer_setting *setting, double t,
		   double value[OPTIMIZER_HYPER])
{
	value[HYPER_RATE] /= 1 - pow(setting->momentum, t);
}

static void adagrad(const struct optimizer_setting *setting, double t,
		    double value[OPTIMIZER_HYPER])
{
	value[HYPER_RATE] /= 1 + (t - 1) * setting->lr_decay;
	value[HYPER_OWN] = setting->initial;
}

/* The product of the momenta of steps 1 to t. It is a function of t, so that
 * nothing need be saved; it ends where it counts no more. */
static double nadam_product(const struct optimizer_setting *s, double t)
{
	const double factor = pow(0.96, s->momentum_decay);
	double product = 1, power = 1;

	for (uint64_t i = 1; i <= (uint64_t)t && product > 1e-18; i++) {
		power *= factor;
		product *= s->momentum * (1 - 0.5 * power);
	}
	return product;
}

static void nadam(const struct optimizer_setting *s, double t,
		  double value[OPTIMIZER_HYPER])
{
	const double now =
	    s->momentum * (1 - 0.5 * pow(0.96, t * s->momentum_decay));
	const double next =
	    s->momentum * (1 - 0.5 * pow(0.96, (t + 1) * s->momentum_decay));
	const double product = nadam_product(s, t);

	value[HYPER_ROOT] = 1 / sqrt(1 - pow(s->square, t));
	value[HYPER_OWN] = s->rate * (1 - now) / (1 - product);
	value[HYPER_OWN + 1] = s->rate * next / (1 - product * next);
}

static void radam(const struct optimizer_setting *setting, double t,
		  double value[OPTIMIZER_HYPER])
{
	const double power = pow(setting->square, t);
	const double most = 2 / (1 - setting->square) - 1;
	const double length = most - 2 * t * power / (1 - power);

	value[HYPER_RATE] /= 1 - pow(setting->momentum, t);
	if (length > 5)
		value[HYPER_OWN] = sqrt((length - 4) * (length - 2) * most /
					((most - 4) * (most - 2) * length)) *
				   sqrt(1 - power);
}

static void rprop(const struct optimizer_setting *setting, double t,
		  double value[OPTIMIZER_HYPER])
{
	value[HYPER_ROOT] = t > 1 ? 0 : setting->rate;
	value[HYPER_OWN] = setting->etas[0];
	value[HYPER_OWN + 1] = setting->etas[1];
	value[HYPER_OWN + 2] = setting->sizes[0];
	value[HYPER_OWN + 3] = setting->sizes[1];
}

static void lamb(const struct optimizer_setting *setting, double t,
		 double value[OPTIMIZER_HYPER])
{
	value[HYPER_L2] = 0;
	value[HYPER_KEEP] = 1;
	value[HYPER_ROOT] = 1 / sqrt(1 - pow(setting->square, t));
	value[HYPER_OWN] = setting->weight_decay;
	value[HYPER_OWN + 1] = 1 / (1 - pow(setting->momentum, t));
	value[HYPER_OWN + 2] = setting->is_unscaled;
}

static void lars(const struct optimizer_setting *setting, double t,
		 double value[OPTIMIZER_HYPER])
{
	(void)t;
	value[HYPER_L2] = 0;
	value[HYPER_KEEP] = 1;
	value[HYPER_OWN] = setting->weight_decay;
	value[HYPER_OWN + 1] = setting->trust;
	value[HYPER_OWN + 2] = setting->is_unscaled;
}

static void muon(const struct optimizer_setting *setting, double t,
		 double value[OPTIMIZER_HYPER])
{
	adam(setting, t, value);
	value[HYPER_OWN] = setting->rate;
}

#define RULE(name, function, by_parameter, how_many, how)                    \
	{                                                                    \
		name, offsetof(struct update_loops, function), by_parameter, \
		    how_many, how                                            \
	}
/* clang-format off */
static const struct optimizer_rule rules[] = {
	RULE("Adadelta", adadelta, false, two, NULL),
	RULE("Adagrad", adagrad, false, one, adagrad),
	RULE("Adam", adam, false, of_adam, adam),
	RULE("Adamax", adamax, false, two, adamax),
	RULE("Lamb", lamb, true, two, lamb),
	RULE("Lars", lars, true, one, lars),
	RULE("Lion", lion, false, one, NULL),
	RULE("Muon", adam, true, two, muon),
	RULE("NAdam", nadam, false, two, nadam),
	RULE("RAdam", radam, false, two, radam),
	RULE("RMSprop", rmsprop, false, of_rmsprop, NULL),
	RULE("Rprop", rprop, false, two, rprop),
	RULE("Sgd", sgd, false, momentum_only, sgd),
};
/* clang-format on */

const struct optimizer_rule *optimizer_rule_find(const char *op)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!strcmp(rules[i].op, op))
			return &rules[i];
	}
	return NULL;
}

bool optimizer_is_row(const struct op *op)
{
	return !strcmp(op->domain, "predictd") &&
	       optimizer_rule_find(op->name) != NULL;
}

unsigned optimizer_moments(const struct op *op,
			   const struct optimizer_attrs *attrs)
{
	return optimizer_rule_find(op->name)->moments(attrs);
}

bool optimizer_is_by_parameter(const struct op *op)
{
	return optimizer_rule_find(op->name)->is_by_parameter;
}

void optimizer_hyper_fill(const struct op *op,
			  const struct optimizer_attrs *attrs,
			  const struct optimizer_setting *setting,
			  uint64_t step, float row[OPTIMIZER_HYPER])
{
	const struct optimizer_rule *rule = optimizer_rule_find(op->name);
	double value[OPTIMIZER_HYPER] = {
		[HYPER_RATE] = setting->rate,
		[HYPER_L2] = attrs->decoupled ? 0 : setting->weight_decay,
		[HYPER_KEEP] = attrs->decoupled
				   ? 1 - setting->rate * setting->weight_decay
				   : 1,
		[HYPER_MOMENTUM] = setting->momentum,
		[HYPER_FRESH] = 1 - setting->momentum,
		[HYPER_SQUARE] = setting->square,
		[HYPER_SQUARE_FRESH] = 1 - setting->square,
		[HYPER_EPS] = setting->eps,
		[HYPER_ROOT] = 1,
		[HYPER_MAX_NORM] = setting->max_norm,
		[HYPER_MAX_VALUE] = setting->max_value,
		[HYPER_L1] = setting->l1,
	};

	if (rule->fill)
		rule->fill(setting, (double)step, value);
	for (int i = 0; i < OPTIMIZER_HYPER; i++)
		row[i] = (float)value[i];
}
