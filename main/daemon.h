/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Daemon: all parts of predictd, made in order and ended in reverse.
 *
 * The store, the models and the server are there before the port is bound;
 * jobs begin when requests are answered. SIGTERM or SIGINT: not ready, drain,
 * workers save and end, exit 0; a second one ends at once.
 *
 * Ownership: create/destroy.
 * Threads:   made and run by main(), which blocks the signals first.
 */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include "config/config.h"

struct daemon;

/** Blocks the signals that daemon_run() waits for; before any thread. */
void daemon_block_signals(void);
MUST_USE enum err_code daemon_create(const struct config *config,
				     struct daemon **ret_daemon,
				     struct err *err);
/** Serves until told to end. */
MUST_USE enum err_code daemon_run(struct daemon *daemon, struct err *err);
void daemon_destroy(struct daemon *daemon);

#endif
