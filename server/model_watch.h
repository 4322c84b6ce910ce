/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model watch: waits until something changes beneath the repository.
 *
 * Linux' inotify tells at once; where it cannot (a network file system, no
 * watches left), the time that is waited at most does. A change is anything
 * that happens to the names and files of a watched folder, once it has been
 * quiet for a moment, so that a folder that is copied is one change.
 *
 * Ownership: create/destroy.
 * Threads:   one waits; model_watch_stop() from any.
 */
#ifndef SERVER_MODEL_WATCH_H
#define SERVER_MODEL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct model_watch;

enum model_watch_event {
	WATCH_STOPPED, /**< and stays so */
	WATCH_CHANGED,
	WATCH_TIMEOUT
};

MUST_USE enum err_code model_watch_create(struct model_watch **ret_watch,
					  struct err *err);
/** NULL is fine. */
void model_watch_destroy(struct model_watch *watch);
/** One more folder; one that is watched already, or cannot be, is fine. */
void model_watch_add(struct model_watch *watch, const char *path);
/** Waits until a change, but not beyond due_ns. */
enum model_watch_event model_watch_wait(struct model_watch *watch,
					int64_t due_ns);
void model_watch_stop(struct model_watch *watch);

#endif
