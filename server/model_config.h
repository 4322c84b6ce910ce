/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model configuration: what DIR/MODEL/config.yaml says about serving a model.
 *
 *	max_batch_size: 64       # rows of one run; 1 turns batching off
 *	max_queue_delay_us: 0    # how long the first row may wait for others
 *	instances: 0             # runs at the same time; 0: the thread budget
 *	max_queue_size: 0        # requests that wait; 0: 4 x batch x instances
 *	preferred_batch_sizes: [8, 16]  # sizes that close a batch at once
 *	latency_objective_us: 0  # tunes the delay while it runs; 0: it stays
 *	priority_levels: 0       # of requests, 1 is first; 0: all are equal
 *	default_priority: 0      # of one that says none; 0: the middle
 *	pad_inputs: {ids: 0}     # lengths that may differ within a run
 *	rate_limit: 0            # requests a second; 0: no limit
 *	rate_burst: 0            # at once; 0: what a second lets through
 *	sequence:                # state from request to request:
 *	  state: {state: stateN} # server/sequences.h
 *	response_cache: false    # true: answers to equal inputs are kept
 *	labels: {stable: 3}      # names of versions, which are served then
 *	idle_timeout: 10m        # unloaded when nobody asks; 0: never
 *	load_on_demand: false    # true: when somebody asks, not at start
 *	version_policy:          # which versions are served
 *	  latest: 2              # or specific: [1, 3], or all: true
 *	passes: [-gelu_erf]      # graph passes off: engine/passes/
 *	precision: int8          # or bf16, fp32: engine/precision/
 *	calibration: rows.npy    # beneath DIR/MODEL: models/calibration.h
 *	strict_numerics: true    # no convolution by Winograd's method
 *
 * Ownership: plain data; lists live in the arena.
 * Threads:   pure.
 */
#ifndef SERVER_MODEL_CONFIG_H
#define SERVER_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/field.h"
#include "engine/passes/pass_switch.h"
#include "engine/precision/precision.h"

struct calibration;
struct doc;

/** A name for a version. */
struct model_label {
	const char *name;
	int64_t version;
};

/** Which versions are served: those of a list, all, or so many of the newest.
 */
struct model_policy {
	int64_t latest;
	bool all;
	struct field_ints specific;
};

/** What the process says where config.yaml says nothing. */
struct model_defaults {
	int64_t max_batch_size, max_queue_delay_us;
	double idle_timeout; /**< seconds */
	bool load_on_demand;
};

struct model_config {
	int64_t max_batch_size, max_queue_delay_us, instances, max_queue_size;
	int64_t latency_objective_us, priority_levels, default_priority;
	struct field_ints preferred_batch_sizes; /**< ascending */
	const struct doc *pad_inputs;		 /**< NULL: none */
	const struct doc *sequence;		 /**< NULL: no state */
	double idle_timeout;			 /**< seconds; 0: never */
	double rate_limit, rate_burst;		 /**< requests; 0: none */
	bool load_on_demand, response_cache;
	struct model_label *label; /**< [n_labels] */
	size_t n_labels;
	struct model_policy policy;
	struct pass_switch passes; /**< over those of the process */
	enum precision precision;
	const char *calibration; /**< a path; NULL: none is named */
	/** Read from there, by who loads; NULL: random ones. */
	const struct calibration *rows;
	bool strict_numerics; /**< or the process says so */
};

/** doc NULL: the defaults (defaults NULL: those above). `name` of the model
 * begins messages. */
MUST_USE enum err_code
model_config_read(const struct doc *doc, const char *name,
		  const struct model_defaults *defaults, struct arena *arena,
		  struct model_config *ret_config, struct err *err);
/** Level of a request that says `priority` (0: nothing), 0 is first. */
unsigned model_config_priority(int64_t levels, int64_t def, uint64_t priority);
/** Whether version number i of n (ascending) is one to serve. */
bool model_config_serves(const struct model_config *config,
			 const int64_t *version, size_t n, size_t i);

#endif
