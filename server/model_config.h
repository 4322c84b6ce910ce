/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model configuration: what DIR/MODEL/config.yaml says about serving a model.
 *
 *	max_batch_size: 64       # rows of one run; 1 turns batching off
 *	max_queue_delay_us: 0    # how long the first row may wait for others
 *	instances: 0             # runs at the same time; 0: the thread budget
 *	max_queue_size: 0        # requests that wait; 0: 4 x batch x instances
 *	version_policy:          # which versions are served
 *	  latest: 2              # or specific: [1, 3], or all: true
 *	passes: [-gelu_erf]      # graph passes off: engine/passes/
 *	strict_numerics: true    # no convolution by Winograd's method
 *
 * Ownership: plain data; specific versions live in the arena.
 * Threads:   pure.
 */
#ifndef SERVER_MODEL_CONFIG_H
#define SERVER_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/field.h"
#include "engine/passes/pass_switch.h"

struct doc;

struct model_config {
	int64_t max_batch_size, max_queue_delay_us, instances, max_queue_size;
	int64_t latest; /**< how many; when neither of the others is given */
	bool all;
	struct field_ints specific;
	struct pass_switch passes; /**< over those of the process */
	bool strict_numerics;	   /**< or the process says so */
};

/** doc NULL: the defaults. `name` of the model begins messages. */
MUST_USE enum err_code model_config_read(const struct doc *doc,
					 const char *name, struct arena *arena,
					 struct model_config *ret_config,
					 struct err *err);
/** Whether version number i of n (ascending) is one to serve. */
bool model_config_serves(const struct model_config *config,
			 const int64_t *version, size_t n, size_t i);

#endif
