/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Paths: where the daemon keeps what, and where it is itself.
 *
 * Ownership: strings live in the arena handed in. Threads: one, at start.
 */
#ifndef MAIN_PATHS_H
#define MAIN_PATHS_H

#include "base/arena.h"

struct config;

struct paths {
	const char *state, *database, *jobs, *datasets, *tuning, *program;
	const char *const *repository; /**< [n_repositories] */
	size_t n_repositories;
};

/** Fills what the configuration leaves open, and makes the folders. */
MUST_USE enum err_code paths_init(const struct config *config,
				  struct arena *arena, struct paths *ret,
				  struct err *err);

#endif
