/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Stepper, inside: what its files share. stepper_plans.c makes graphs, plans
 * and instances, stepper.c feeds and runs them.
 */
#ifndef TRAINING_STEPPER_PRIV_H
#define TRAINING_STEPPER_PRIV_H

#include "training/stepper.h"
#include "training/stepper_thrift.h"

/* each group of layers is two of the optimizer's */
enum { GROUP_DECAYED, GROUP_PLAIN, KINDS };
enum { WAYS = STEPPER_EVALUATES + 1 };
/* states that are handed on: of training and of evaluation */
enum { CARRIED = 2 };

/* The plans of one number of rows. */
struct way {
	int64_t n;
	uint64_t used; /* for the choice of what to drop */
	struct graph *graph[WAYS];
	struct plan *plan[WAYS];
	struct instance *instance[WAYS]; /* NULL: no run yet */
};

struct stepper {
	struct graph *base;
	struct train_memory *memory;
	struct stepper_options options;
	struct stepper_port *input;
	struct optimizer_attrs attrs;
	struct stepper_phase phase;
	bool *is_plain;		 /* by variable of base: excluded from decay */
	int64_t *lazy_width;	 /* by variable of base: of lazy tables, or 0 */
	int32_t *group;		 /* by variable: that of layers, and its kind */
	char *states;		 /* those of the network before a step */
	float *carried[CARRIED]; /* [state_rows, state] */
	struct way way[STEPPER_PLANS];
	struct stepper_thrift thrift;
	char *block; /* of all plans, where they share one */
	size_t block_bytes;
	uint64_t clock;
	struct instance *evaluated; /* the last evaluation's */
};

static inline bool stepper_has_state(const struct stepper *stepper)
{
	return stepper->options.state.rank > 0;
}

/** What the current phase trains, and its inputs. */
static inline const struct graph *stepper_graph(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.head : stepper->base;
}

static inline unsigned stepper_n_inputs(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.n_inputs
				   : stepper->options.n_inputs;
}

static inline const struct stepper_port *
stepper_inputs(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.input : stepper->input;
}

/** Graph inputs before the target. */
static inline unsigned stepper_target(const struct stepper *stepper)
{
	return stepper_n_inputs(stepper) + stepper_has_state(stepper);
}

/** The plans' way of n rows, with a plan of that kind (enum stepper_way). */
MUST_USE enum err_code stepper_find_way(struct stepper *stepper, int64_t n,
					int kind, struct way **ret,
					struct err *err);
MUST_USE enum err_code stepper_find_instance(struct stepper *stepper, int64_t n,
					     int kind, struct instance **ret,
					     struct err *err);

#endif
