/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Instance: the memory of a plan, ready to run.
 *
 * Addresses are fixed at birth: inputs and outputs are slots of the block, and
 * a run is a loop over steps. Runs neither allocate nor log, but for plans
 * that are interpreted (engine/plan.h), whose outputs have shapes and memory
 * only after a run. Inputs keep their bytes; strings are borrowed for the run
 * and as long as outputs that hold them are read.
 *
 * Ownership: create/destroy; holds its plan.
 * Threads:   one run at a time; the team's helpers come and go inside a run.
 */
#ifndef ENGINE_INSTANCE_H
#define ENGINE_INSTANCE_H

#include "engine/observer.h"
#include "engine/plan.h"
#include "engine/team.h"

struct instance;

MUST_USE enum err_code instance_create(struct plan *plan,
				       struct instance **ret_instance,
				       struct err *err);
/** In memory of the caller's, 64-byte aligned, which must live as long: plans
 * of which one runs at a time may share it, and then an output is valid until
 * any of them runs. bytes: instance_bytes() at least. */
MUST_USE enum err_code instance_create_in(struct plan *plan, void *block,
					  size_t bytes,
					  struct instance **ret_instance,
					  struct err *err);
/** What the block of such an instance takes. */
size_t instance_bytes(const struct plan *plan);
void instance_destroy(struct instance *instance);
/** Where input i is to be written before a run. */
struct tensor_view instance_input(struct instance *instance, unsigned i);
/** Valid until the next run. */
struct tensor_view instance_output(struct instance *instance, unsigned i);
/** team NULL: alone. A bad value gives ERR_INVALID that names the node; the
 * run has then gone on with zeros, and variables have their new values. */
MUST_USE enum err_code instance_run(struct instance *instance,
				    struct team *team, struct err *err);
/** From the next run on; NULL (at birth): nobody is told. */
void instance_observe(struct instance *instance,
		      const struct observer *observer);
struct plan *instance_plan(const struct instance *instance);

#endif
