/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Process: one spawned worker, its pipes and its lines.
 *
 * Ownership: start/finish, in the caller's memory. Threads: one.
 * Limits:    a line has at most 16 MiB; a longer one is dropped.
 */
#ifndef TRAINING_PROCESS_H
#define TRAINING_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct process_options {
	const char *program, *job_dir, *model_repository;
	const char *const *data_roots;
	size_t n_data_roots;
	unsigned threads;
	bool dry_run;
};

struct process {
	pid_t pid;
	int in_fd;  /**< its standard input; -1: closed */
	int out_fd; /**< its standard output, not blocking; -1: at its end */
	struct buf lines;
};

/** posix_spawn, never fork. */
MUST_USE enum err_code process_start(struct process *process,
				     const struct process_options *options,
				     struct err *err);
/** One word; false when it cannot be reached. */
bool process_say(struct process *process, const char *word);
/** Reads what is there. False at the end of its output. */
bool process_read(struct process *process);
/** The next whole line, NUL-terminated, valid until the next call of
 * process_read() or process_line(); NULL: none yet. */
char *process_line(struct process *process);
/** SIGKILL. */
void process_kill(const struct process *process);
/** Waits for its end and frees all; the result is as of waitpid(). */
int process_finish(struct process *process);

#endif
