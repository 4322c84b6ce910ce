/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Watch: what the weights do while a job learns, told with each evaluation.
 *
 * The update ratio of a group of layers is the norm of the last step's change
 * over the norm of the weights before it, of at most WATCH_SAMPLES weights of
 * each of its parameters, evenly spaced: around 1e-3 is healthy. Dead units are
 * the share of a Relu layer's units that gave 0 for every validation row.
 *
 * Ownership: init/finish; names live in the arena. Threads: one.
 * Limits:    WATCH_MAX numbers of past evaluations are kept.
 */
#ifndef TRAINING_WATCH_H
#define TRAINING_WATCH_H

#include "models/safetensors.h"
#include "training/layer_groups.h"
#include "training/stepper.h"

enum { WATCH_SAMPLES = 1 << 14, WATCH_MAX = 1 << 20 };

struct watch {
	size_t n_groups, n_layers;
	const char **name; /**< of groups, then of layers */
	double *now;	   /**< ratios, then shares; NaN: not measured */
	double *past; /**< [n_past, 1 + n_groups + n_layers]: step, those */
	int64_t n_past, cap_past;
	float *before; /**< samples, before a step */
	float **most;  /**< of each layer: [n_units], while rows pass */
	int64_t *n_units;
	const struct graph *graph;
	const struct layer_groups *groups;
};

MUST_USE enum err_code watch_init(struct watch *watch,
				  const struct watch_spec *spec,
				  const struct graph *graph,
				  const struct layer_groups *groups,
				  struct arena *arena, struct err *err);
void watch_finish(struct watch *watch);
/** Around a step that is followed by an evaluation. */
void watch_before_step(struct watch *watch);
void watch_after_step(struct watch *watch);
/** Around an evaluation: begin, each of its batches, end. */
void watch_begin(struct watch *watch);
MUST_USE enum err_code
watch_rows(struct watch *watch, const struct stepper *stepper, struct err *err);
void watch_end(struct watch *watch);
/** What is measured now is of this evaluation, and kept; ratios are those of
 * one step and then not measured. */
MUST_USE enum err_code watch_keep(struct watch *watch, int64_t step,
				  struct err *err);
/** Appends tensors that point into it to the list, whose entries are copied. */
MUST_USE enum err_code watch_list(struct watch *watch, struct arena *arena,
				  struct safetensors *list, struct err *err);
/** list without them: nothing was kept. */
MUST_USE enum err_code watch_restore(struct watch *watch,
				     const struct safetensors *list,
				     struct err *err);
/** Members `update_ratio` and `dead_units`: names and the newest numbers, into
 * the object that is open. NULL is fine. */
void watch_write(const struct watch *watch, struct json_writer *writer);
/** The member `watch` with all evaluations. */
void watch_write_past(const struct watch *watch, struct json_writer *writer);

#endif
