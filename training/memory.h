/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Job memory: what a job takes at its most, told before it runs.
 *
 * All members are bytes of resident memory of the process that trains, and
 * `peak` is the most that lies there at one time. Kernels are made before this
 * is known, so what libraries take for them is measured, not guessed.
 *
 * Ownership: plain data. Threads: pure.
 */
#ifndef TRAINING_MEMORY_H
#define TRAINING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct json_writer;

struct job_memory {
	size_t process;	   /**< program, data and network, before training */
	size_t parameters; /**< and running statistics */
	size_t optimizer;  /**< moments, sum of gradients */
	size_t copies;	  /**< best weights, averages, those of a rate finder */
	size_t gradients; /**< of `block` */
	size_t block;	  /**< of plans: values, gradients, scratches */
	size_t kernels;	  /**< plans, made code, packed weights */
	size_t batches;
	size_t evaluation; /**< outputs of all rows of a part */
	size_t features;   /**< cached for frozen epochs */
	size_t artifacts;  /**< the model as it is written */
	size_t peak;
	size_t limit;	     /**< memory_limit; 0: none */
	size_t unlimited;    /**< peak, were there no limit */
	size_t least;	     /**< the peak that everything tried reaches; 0: not
				tried */
	bool is_thrifty;     /**< plans share one block, little is kept twice */
	bool spills;	     /**< copies lie in files */
	bool is_alone;	     /**< kernels with scratch run on one thread */
	size_t n_recomputed; /**< steps of a plan that are run a second time */
	double recomputed;   /**< share of its predicted time */
};

/** Members into the object that is open. */
void job_memory_write(const struct job_memory *m, struct json_writer *w);
/** "predicted peak 231.4 MiB (limit 240 MiB; 312 steps of 800 are ...)", for
 * a log. */
void job_memory_describe(const struct job_memory *m, char *text, size_t cap);
/** ERR_NO_MEMORY, in one sentence, where the peak is above the limit. */
MUST_USE enum err_code job_memory_check(const struct job_memory *m,
					struct err *err);

#endif
