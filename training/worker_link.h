/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Worker link: the lines between a worker and its supervisor (worker.h).
 *
 * Lines out are written whole; a write that fails means that the supervisor
 * is gone, which is an order to stop. A thread reads the orders.
 *
 * Ownership: create/destroy.
 * Threads:   worker_link_order() from any thread; the rest from one.
 */
#ifndef TRAINING_WORKER_LINK_H
#define TRAINING_WORKER_LINK_H

#include "base/err.h"
#include "training/trainer.h"

struct buf;
struct json_writer;
struct worker_link;

MUST_USE enum err_code worker_link_create(int in_fd, int out_fd,
					  struct worker_link **ret_link,
					  struct err *err);
void worker_link_destroy(struct worker_link *link);
/** What is wanted; ORDER_CHECKPOINT is given once. */
enum trainer_order worker_link_order(struct worker_link *link);

/** Begins a line {"type":type, ...; the object is open. */
struct json_writer *worker_link_begin(struct worker_link *link,
				      const char *type);
/** Ends and sends it. */
void worker_link_end(struct worker_link *link);
void worker_link_state(struct worker_link *link, const char *state);
void worker_link_warning(struct worker_link *link, const char *code,
			 const char *message);

#endif
