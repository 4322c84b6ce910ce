/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Stepper: a network with its loss and optimizer, ready to learn from batches.
 *
 * Makes the step graph and the evaluation graph for each number of rows that
 * it meets (a full batch and a short last one), plans them and runs them over
 * one set of parameters. A phase says what is frozen and how rates differ; what
 * is frozen has no gradient, and nothing below the last frozen layer is run
 * backwards. It knows nothing of data, epochs or files.
 *
 * Ownership: create/destroy. It moves the parameters of the base graph into
 *            arenas of its own, so the graph may not be run after destroy.
 * Threads:   one caller; its pool's helpers come and go inside a run.
 * Limits:    keeps the plans of the last STEPPER_PLANS numbers of rows; at most
 *            STEPPER_MAX_GROUPS groups of layers.
 */
#ifndef TRAINING_STEPPER_H
#define TRAINING_STEPPER_H

#include "engine/plan.h"
#include "engine/team.h"
#include "engine/train_step.h"
#include "training/job_spec.h"

enum { STEPPER_PLANS = 4, STEPPER_MAX_PORTS = 64, STEPPER_MAX_GROUPS = 4096 };

/** One row of an input or of the target. */
struct stepper_port {
	enum dtype dtype;
	struct shape row;
};

struct stepper_options {
	const struct optimizer *optimizer;
	struct train_loss loss;
	struct clipping_spec clipping;
	uint64_t seed;
	const struct stepper_port *input;
	unsigned n_inputs;
	struct stepper_port target;
	/** What one batch hands to the next: the network's last input, and its
	 * last output (models/network.h). rank 0: nothing. */
	struct shape state;
	/** Rows of the largest batch that hands it on. */
	int64_t state_rows, eval_state_rows;
	bool accumulates; /**< steps of more than one batch */
	bool mixes;	  /**< rows are mixed; inputs must be float */
	double activation, temporal; /**< penalties (engine/train_step.h) */
	struct pool *pool;	     /**< NULL: alone */
	unsigned threads;
	bool watches; /**< evaluations tell of units (stepper_watched()) */
	bool strict_numerics; /**< no shortcuts (engine/kernel.h) */
	/** Of steps; evaluations multiply floats as they are. */
	enum products products;
};

/** What a plan is for: a step, a part of one, figures. */
enum stepper_way { STEPPER_TRAINS, STEPPER_ADDS, STEPPER_EVALUATES };

struct stepper_phase {
	const bool *frozen;   /**< by variable of the network; NULL: none */
	const int32_t *group; /**< by variable; NULL: all 0 */
	const double *factor; /**< of each group's rate; NULL: 1 */
	int32_t n_groups;     /**< 0: one */
	/** What is trained in place of the network, with its variables and
	 * inputs of its own (engine/train_cut.h); NULL: the network. */
	const struct graph *head;
	const struct stepper_port *input;
	unsigned n_inputs;
};

struct stepper_batch {
	int64_t n;
	void *const *input; /**< dense rows, by input */
	const void *target;
	/** Each row goes on where that of the last batch ended, which had as
	 * many; training and evaluation apart. */
	bool goes_on;
};

struct stepper_update {
	uint64_t step;	 /**< of the phase, from 1 */
	uint64_t draw;	 /**< number of the batch in the job: for dropout */
	double share;	 /**< of this batch in its step; 1 where it is alone */
	bool is_partial; /**< more batches of this step follow */
	double rate;	 /**< learning rate */
	double momentum; /**< NaN: the optimizer's own */
	/** Where rows are mixed: the share of each, and who has the rest
	 * (training/mixup.h). */
	double mix;
	const int64_t *partner;
};

struct stepper_result {
	double loss, norm;   /**< norm: of the gradient, before clipping */
	const float *output; /**< [n, width], valid until the next call */
	int64_t width;
};

struct instance;
struct stepper;

MUST_USE enum err_code stepper_create(struct graph *base,
				      const struct stepper_options *options,
				      struct stepper **ret_stepper,
				      struct err *err);
void stepper_destroy(struct stepper *stepper);

/** Begins a phase: what it borrows must live as long. Moments are zeroed. */
MUST_USE enum err_code stepper_begin(struct stepper *stepper,
				     const struct stepper_phase *phase,
				     struct err *err);
/** One update, or a part of one. Where the gradient, the loss or a running
 * statistic is not finite, norm is not either: then the parameters are still
 * finite, and the statistics what they were. */
MUST_USE enum err_code stepper_step(struct stepper *stepper,
				    const struct stepper_batch *batch,
				    const struct stepper_update *update,
				    struct stepper_result *ret,
				    struct err *err);
/** Loss and outputs in evaluation form; nothing changes. */
MUST_USE enum err_code stepper_evaluate(struct stepper *stepper,
					const struct stepper_batch *batch,
					struct stepper_result *ret,
					struct err *err);
/** Of the last evaluation, where units are watched: the greatest value of each
 * unit of the i-th Relu (train_watched()), valid until the next call. */
struct tensor_view stepper_watched(const struct stepper *stepper, unsigned i);
/** Plans for n rows now, and reports what runs take from the first one on. */
MUST_USE enum err_code stepper_prepare(struct stepper *stepper, int64_t n,
				       enum stepper_way way,
				       struct plan_report *ret_report,
				       struct err *err);
/** What runs a step of n rows, to be observed. */
MUST_USE enum err_code stepper_instance(struct stepper *stepper, int64_t n,
					struct instance **ret_instance,
					struct err *err);
/** SHA-256 over the steps and kernels of a step of n rows: a resumed run
 * on another machine may have other bits. */
MUST_USE enum err_code stepper_digest(struct stepper *stepper, int64_t n,
				      char ret_hex[DIGEST_HEX_MAX],
				      struct err *err);
struct train_memory *stepper_memory(struct stepper *stepper);
/** The state that the next training batch would begin with; data NULL: there
 * is none. */
struct tensor_view stepper_state(struct stepper *stepper);

#endif
