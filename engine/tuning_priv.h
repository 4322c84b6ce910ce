/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tuning, inside: the table, and its file (tuning_file.c).
 *
 * Ownership, threads: as in tuning.h.
 */
#ifndef ENGINE_TUNING_PRIV_H
#define ENGINE_TUNING_PRIV_H

#include <pthread.h>
#include <stdint.h>

#include "engine/tuning.h"

enum { TUNING_SLOTS = 2 * TUNING_CHOICES };

struct answer {
	struct tuning_choice choice; /**< kernel "": taken back */
	char question[];
};

struct tuning {
	char *path;		   /**< NULL: no file */
	pthread_mutex_t file_lock; /**< one writer of the file at a time */
	pthread_mutex_t lock;	   /**< guards what follows */
	bool is_changed;	   /**< the file knows less */
	size_t n;
	struct answer *answer[TUNING_CHOICES];
	int32_t slot[TUNING_SLOTS]; /**< 0: free; else 1 + index */
};

/** Reads the file into a new table. */
MUST_USE enum err_code tuning_read(struct tuning *tuning, struct err *err);

#endif
