/* SPDX-License-Identifier: Apache-2.0 */
#include "training/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 16 << 20, READ_MAX = 1 << 20, PIECE = 65536 };
enum { ARGS_MAX = 64 };

/* The command line: options are as main/ reads them. */
static enum err_code fill_args(const struct process_options *o, char *number,
			       size_t cap, const char *args[ARGS_MAX],
			       struct err *err)
{
	static const char *const task[] = { [WORKER_DRY_RUN] = "--dry-run",
					    [WORKER_LR_FIND] = "--lr-find",
					    [WORKER_CHECK] = "--check",
					    [WORKER_EVALUATE] = "--evaluate",
					    [WORKER_UNPACK] = "--unpack" };
	size_t n = 0;

	if (o->n_data_roots > (ARGS_MAX - 14) / 2)
		return err_set(err, ERR_INVALID,
			       "at most %d data roots can be given to a worker",
			       (ARGS_MAX - 14) / 2);
	(void)snprintf(number, cap, "%u", o->threads);
	args[n++] = o->program;
	args[n++] = "worker";
	args[n++] = "--job-dir";
	args[n++] = o->job_dir;
	args[n++] = "--threads";
	args[n++] = number;
	if (o->task)
		args[n++] = task[o->task];
	if (o->model_repository) {
		args[n++] = "--model-repository";
		args[n++] = o->model_repository;
	}
	if (o->datasets) {
		args[n++] = "--datasets";
		args[n++] = o->datasets;
	}
	for (size_t i = 0; i < o->n_data_roots; i++) {
		args[n++] = "--data-root";
		args[n++] = o->data_roots[i];
	}
	args[n] = NULL;
	return ERR_NONE;
}

/* The environment, but that OpenBLAS starts no threads: a worker has its own,
 * and theirs map 128 MiB each. */
static char **make_environment(void)
{
	static const char name[] = "OPENBLAS_NUM_THREADS=";
	static char only_one[] = "OPENBLAS_NUM_THREADS=1";
	size_t n = 0, kept = 0;
	char **made;

	while (environ[n])
		n++;
	made = mem_array(n + 2, sizeof(*made));
	for (size_t i = 0; made && i < n; i++) {
		if (!str_starts_with(environ[i], name))
			made[kept++] = environ[i];
	}
	if (made)
		made[kept] = only_one;
	return made;
}

static enum err_code spawn(struct process *process, const char *const *args,
			   const int in[2], const int out[2], struct err *err)
{
	char **environment = make_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t term, all;
	int error;

	if (!environment)
		return err_set(err, ERR_NO_MEMORY, "worker: out of memory");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	/* the worker reads SIGTERM; none of its threads may die of it */
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(&attr, &term);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	/* its own group: Ctrl-C in a terminal is for the daemon, which stops
	 * its workers in order */
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						  POSIX_SPAWN_SETSIGDEF |
						  POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(&process->pid, args[0], &actions, &attr,
			    /* the declaration predates const;
			     * NOLINTNEXTLINE(performance-no-int-to-ptr) */
			    (char *const *)(uintptr_t)args, environment);
	mem_free(environment);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return error ? file_err(err, error, "start", args[0]) : ERR_NONE;
}

static void close_both(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			(void)close(fd[i]);
		fd[i] = -1;
	}
}

enum err_code process_start(struct process *process,
			    const struct process_options *options,
			    struct err *err)
{
	const char *args[ARGS_MAX];
	char number[16];
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	enum err_code rc;

	*process = (struct process){ .in_fd = -1, .out_fd = -1 };
	rc = fill_args(options, number, sizeof(number), args, err);
	if (rc)
		return rc;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
		rc = file_err(err, errno, "make", "a pipe");
		goto out;
	}
	rc = spawn(process, args, in, out, err);
	if (rc)
		goto out;
	buf_init(&process->lines, LINE_MAX_BYTES + READ_MAX + PIECE);
	process->in_fd = in[1];
	process->out_fd = out[0];
	in[1] = out[0] = -1;
	(void)fcntl(process->out_fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(process->in_fd, F_SETFL, O_NONBLOCK);
out:
	close_both(in);
	close_both(out);
	return rc;
}

bool process_say(struct process *process, const char *word)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s\n", word);

	return process->in_fd >= 0 &&
	       write(process->in_fd, line, (size_t)n) == n;
}

/* Forgets what was handed out. */
static void make_room(struct process *process)
{
	struct buf *lines = &process->lines;

	if (!process->taken)
		return;
	lines->len -= process->taken;
	memmove(lines->data, lines->data + process->taken, lines->len + 1);
	process->taken = 0;
}

bool process_read(struct process *process)
{
	size_t left = READ_MAX;

	make_room(process);
	if (process->lines.len >= LINE_MAX_BYTES) {
		buf_reset(&process->lines);
		process->is_skipping = true;
	}
	while (left > 0) {
		char *room = buf_reserve(&process->lines, PIECE);
		ssize_t got;

		if (!room) { /* no memory: what is there goes lost */
			buf_reset(&process->lines);
			process->is_skipping = true;
			return true;
		}
		got = read(process->out_fd, room, PIECE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		buf_advance(&process->lines, (size_t)got);
		left -= (size_t)got < left ? (size_t)got : left;
	}
	return true;
}

char *process_line(struct process *process)
{
	struct buf *lines = &process->lines;

	for (;;) {
		char *start, *end;

		if (process->taken >= lines->len)
			return NULL;
		start = lines->data + process->taken;
		end = memchr(start, '\n', lines->len - process->taken);
		if (!end)
			return NULL;
		*end = '\0';
		process->taken += (size_t)(end - start) + 1;
		if (!process->is_skipping)
			return start;
		process->is_skipping = false; /* that was its tail */
	}
}

char *process_await_done(struct process *process, int64_t max_ms,
			 struct arena *arena)
{
	int64_t deadline = clock_deadline_ns(max_ms);

	while (clock_monotonic_ns() < deadline) {
		struct pollfd fd = { process->out_fd, POLLIN, 0 };
		bool is_open;
		char *line;

		if (poll(&fd, 1, 100) <= 0)
			continue;
		is_open = process_read(process);
		while ((line = process_line(process))) {
			if (strstr(line, "\"type\":\"done\""))
				return arena_strdup(arena, line);
		}
		if (!is_open)
			break;
	}
	return NULL;
}

void process_kill(const struct process *process)
{
	(void)kill(process->pid, SIGKILL);
}

static void free_all(struct process *process)
{
	if (process->in_fd >= 0)
		(void)close(process->in_fd);
	if (process->out_fd >= 0)
		(void)close(process->out_fd);
	buf_finish(&process->lines);
	*process = (struct process){ .in_fd = -1, .out_fd = -1 };
}

bool process_try_finish(struct process *process, int *ret_status)
{
	*ret_status = 0;
	if (waitpid(process->pid, ret_status, WNOHANG) == 0)
		return false;
	free_all(process);
	return true;
}

int process_finish(struct process *process)
{
	int status = 0;

	while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
		;
	free_all(process);
	return status;
}
