/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Process: one spawned worker, its pipes and its lines.
 *
 * Ownership: start/finish, in the caller's memory.
 * Threads:   one; process_say() and process_kill() may come from another, not
 *            at the same time as start and finish. SIGPIPE must be ignored.
 * Limits:    a line has at most 16 MiB; a longer one is dropped.
 */
#ifndef TRAINING_PROCESS_H
#define TRAINING_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "training/worker.h"

struct process_options {
	const char *program, *job_dir, *model_repository;
	const char *const *data_roots;
	size_t n_data_roots;
	const char *datasets; /**< folder of uploads; NULL: none */
	unsigned threads;
	enum worker_task task;
};

struct process {
	pid_t pid;
	int in_fd;  /**< its standard input; -1: closed */
	int out_fd; /**< its standard output, not blocking; -1: at its end */
	struct buf lines;
	size_t taken;	  /**< bytes of `lines` that were handed out */
	bool is_skipping; /**< in the middle of a line that is too long */
};

/** posix_spawn, never fork. */
MUST_USE enum err_code process_start(struct process *process,
				     const struct process_options *options,
				     struct err *err);
/** One word; false when it cannot be reached. */
bool process_say(struct process *process, const char *word);
/** Reads what is there, at most 1 MiB. False at the end of its output. */
bool process_read(struct process *process);
/** The next whole line, NUL-terminated, valid until the next call of
 * process_read(); NULL: none yet. */
char *process_line(struct process *process);
/** Waits for the worker's "done" line, in the arena; NULL: it ended without, or
 * took longer than that. */
char *process_await_done(struct process *process, int64_t max_ms,
			 struct arena *arena);
/** SIGKILL. */
void process_kill(const struct process *process);
/** Frees all when it has ended; *ret_status is as of waitpid(). Never waits. */
bool process_try_finish(struct process *process, int *ret_status);
/** The same, and waits for it. */
int process_finish(struct process *process);

#endif
