/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Profile: how long each step of a plan takes, over many watched runs.
 *
 * A row a step, then a row a node that the interpreter ran (a plan's tail and
 * its bodies), in the order in which they first ran. The time of a row in a
 * run is from the begin of its first slice to the end of its last; that of an
 * interpreted node is without the nodes of its bodies, all its turns summed.
 * The slices of the last run are kept one by one, for a trace.
 *
 * Ownership: init/finish; borrows the plan.
 * Threads:   watched runs by one caller; see engine/observer.h.
 * Limits:    PROFILE_RUNS_MAX runs, PROFILE_NODES_MAX turns of interpreted
 *            nodes in a trace.
 */
#ifndef MEASURE_PROFILE_H
#define MEASURE_PROFILE_H

#include <pthread.h>

#include "engine/instance.h"
#include "measure/samples.h"
#include "measure/step_work.h"

enum {
	PROFILE_RUNS_MAX = 2000,
	PROFILE_NODES_MAX = 1 << 16,
	PROFILE_DEPTH = 64
};

struct profile_row {
	const char *node, *op, *kernel, *implementation;
	const struct kernel_query *query;     /**< NULL: interpreted */
	const struct graph_node *interpreted; /**< NULL: a step */
	unsigned n_slices, depth;
	double cost_us; /**< predicted; 0: nobody did */
	struct step_work work;
	struct samples samples;
	struct samples_summary summary; /**< after profile_close() */
	size_t first_event;		/**< of a step's slices */
	int64_t run_ns, n_turns;	/**< of a node, in this run */
};

/** One slice, or one turn of an interpreted node. */
struct profile_event {
	size_t row;
	unsigned slice;
	pthread_t thread;
	int64_t begin_ns, end_ns;
};

struct profile {
	const struct plan *plan;
	struct observer observer; /**< for instance_observe() */
	struct profile_row *row;
	struct profile_event *event;
	size_t n_rows, cap_rows, n_steps, n_events, n_slices;
	/* of interpreted nodes, which nest */
	struct {
		size_t row, event;
		int64_t begin_ns, inside_ns;
	} open[PROFILE_DEPTH];
	unsigned n_open;
	size_t next; /**< the row that ran last, + 1 */
	enum err_code code;
	struct samples watched;
	struct samples_summary whole; /**< of watched runs */
	int64_t begin_ns;	      /**< of the last run */
};

MUST_USE enum err_code profile_init(const struct plan *plan,
				    struct profile *profile, struct err *err);
void profile_finish(struct profile *profile);
/** Around each watched run. */
void profile_begin(struct profile *profile);
MUST_USE enum err_code profile_end(struct profile *profile, struct err *err);
/** After the last run: summaries are there. */
void profile_close(struct profile *profile);

#endif
