/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/sse.h"

enum {
	EVENT_ARENA = 8 << 20,
	LINE_MAX_BYTES = 4096,
	DELAY_FIRST_MS = 250,
	DELAY_MAX_MS = 4000,
};

struct follow {
	struct cli *cli;
	const char *id;
	struct sse sse;
	struct arena *arena; /* of one event, or of one look at the job */
	struct progress progress;
	int64_t line_ns;    /* when the last line of progress was written */
	int64_t contact_ns; /* when the server last said something */
	int64_t delay_ms;
	int interrupt_fd;
	bool is_raw;	/* lines of JSON, nothing else */
	bool has_bar;	/* one stands on the last line */
	bool is_lost;	/* said that the connection is */
	bool has_line;	/* line_ns holds */
	char state[32]; /* the last one shown */
};

/* --- what is shown --- */

static void clear_bar(struct follow *f)
{
	if (f->has_bar)
		(void)fputs("\r\x1b[K", stderr);
	f->has_bar = false;
}

static void draw_bar(struct follow *f)
{
	unsigned width = terminal_width(&f->cli->err);
	struct buf buf;

	buf_init(&buf, LINE_MAX_BYTES);
	progress_bar(&f->progress, width > 1 ? width - 1 : width, &buf);
	(void)fprintf(stderr, "\r%s\x1b[K", buf.len ? buf.data : "");
	(void)fflush(stderr);
	f->has_bar = true;
	buf_finish(&buf);
}

static void show_step(struct follow *f, const struct doc *event)
{
	int64_t now = clock_monotonic_ns();
	struct buf buf;

	progress_take_step(&f->progress, event);
	if (f->cli->err.is_tty) {
		draw_bar(f);
		return;
	}
	if (f->has_line && now - f->line_ns < FOLLOW_LINE_MS * INT64_C(1000000))
		return;
	f->line_ns = now;
	f->has_line = true;
	buf_init(&buf, LINE_MAX_BYTES);
	progress_line(&f->progress, &buf);
	cli_note(f->cli, COLOUR_PLAIN, "%s", buf.len ? buf.data : "");
	buf_finish(&buf);
}

static void show_eval(struct follow *f, const struct doc *event)
{
	struct buf buf;

	progress_take_eval(&f->progress, event);
	clear_bar(f);
	buf_init(&buf, LINE_MAX_BYTES);
	progress_eval_line(&f->progress, &buf);
	cli_note(f->cli, COLOUR_PLAIN, "%s", buf.len ? buf.data : "");
	buf_finish(&buf);
}

static void show_state(struct follow *f, const struct doc *event)
{
	const char *state = cli_text(event, "state", "");

	if (str_equal(state, f->state) || !*state)
		return;
	(void)str_copy(f->state, sizeof(f->state), state);
	clear_bar(f);
	cli_note(f->cli, COLOUR_DIM, "%s", state);
}

static void show_warning(struct follow *f, const struct doc *event)
{
	clear_bar(f);
	cli_note(f->cli, COLOUR_YELLOW, "warning (%s): %s",
		 cli_text(event, "code", "?"), cli_text(event, "message", ""));
}

static const struct {
	const char *name;
	void (*show)(struct follow *f, const struct doc *event);
} shows[] = {
	{ "step", show_step },
	{ "eval", show_eval },
	{ "state", show_state },
	{ "warning", show_warning },
};

static enum err_code take_event(void *ctx, const struct sse_event *event,
				struct err *err)
{
	struct follow *f = ctx;
	struct doc *doc;

	(void)err;
	if (f->is_raw) {
		(void)puts(event->data);
		(void)fflush(stdout);
		return ERR_NONE;
	}
	arena_reset(f->arena);
	/* what cannot be read is passed over: the job's end is asked for */
	if (doc_parse_json(event->data, event->len, "event", f->arena, &doc,
			   NULL))
		return ERR_NONE;
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		if (str_equal(shows[i].name, event->name))
			shows[i].show(f, doc);
	}
	return ERR_NONE;
}

static enum err_code take_bytes(void *ctx, const char *bytes, size_t len,
				struct err *err)
{
	struct follow *f = ctx;

	f->contact_ns = clock_monotonic_ns();
	f->delay_ms = DELAY_FIRST_MS;
	if (f->is_lost && !f->is_raw)
		cli_note(f->cli, COLOUR_DIM, "connected again");
	f->is_lost = false;
	return sse_feed(&f->sse, bytes, len, err);
}

/* --- the end --- */

/* succeeded, failed and cancelled are what nothing follows */
static bool is_over(const char *state)
{
	return str_equal(state, "succeeded") || str_equal(state, "failed") ||
	       str_equal(state, "cancelled");
}

static void print_end(const struct doc *job)
{
	const struct doc *result = doc_find(job, "result");
	const struct doc *published = doc_find(job, "published");
	const struct doc *version = doc_find(published, "version");
	const struct doc *seconds = doc_find(result, "seconds");
	struct buf buf;

	buf_init(&buf, LINE_MAX_BYTES);
	buf_printf(&buf, "%s: ", cli_text(job, "state", "?"));
	progress_metrics(doc_find(result, "metrics"), &buf);
	if (seconds && seconds->kind == DOC_DOUBLE) {
		buf_puts(&buf, "  in ");
		progress_duration(seconds->number, &buf);
	}
	(void)puts(buf.len && !buf.fault ? buf.data : "");
	buf_reset(&buf);
	if (version && version->kind == DOC_INT) {
		terminal_clean(&buf, cli_text(published, "model", "?"));
		(void)printf("published: %s version %lld\n",
			     buf.len ? buf.data : "",
			     (long long)version->integer);
	}
	buf_finish(&buf);
}

static int tell_end(struct follow *f, const struct doc *job,
		    const struct client_answer *answer)
{
	const char *state = cli_text(job, "state", "");
	const char *error = cli_text(job, "error", NULL);

	clear_bar(f);
	if (f->is_raw)
		return str_equal(state, "succeeded") ? CLI_OK : CLI_FAILED;
	if (f->cli->json)
		cli_print_raw(f->cli, answer);
	if (str_equal(state, "succeeded")) {
		if (!f->cli->json)
			print_end(job);
		return CLI_OK;
	}
	cli_note(f->cli, COLOUR_RED, "job %s %s%s%s", f->id,
		 str_equal(state, "failed") ? "failed" : "was cancelled",
		 error ? ": " : "", error ? error : "");
	return CLI_FAILED;
}

static enum err_code look(struct follow *f, bool *ret_over, int *ret_status,
			  struct err *err)
{
	struct client_request request = { .method = "GET" };
	struct client_answer answer;
	struct doc *job;
	enum err_code rc;

	rc = cli_path(f->cli, "/jobs", f->id, "", &request.path, err);
	if (!rc)
		rc = cli_ask(f->cli, &request, &answer, err);
	if (rc)
		return rc;
	arena_reset(f->arena);
	rc = doc_parse_json(answer.body.data ? answer.body.data : "",
			    answer.body.len, "the server's answer", f->arena,
			    &job, err);
	*ret_over = !rc && is_over(cli_text(job, "state", ""));
	if (*ret_over)
		*ret_status = tell_end(f, job, &answer);
	buf_finish(&answer.body);
	return rc;
}

/* --- the connection --- */

/* What another try may mend: the daemon is away, or starting, or ending. */
static bool is_passing(enum err_code code)
{
	return code == ERR_NOT_READY || code == ERR_IO ||
	       code == ERR_DEADLINE || code == ERR_INTERNAL ||
	       code == ERR_FORMAT;
}

static enum err_code pause_before_retry(struct follow *f, struct err *err)
{
	struct pollfd wake = { f->interrupt_fd, POLLIN, 0 };

	if (clock_monotonic_ns() - f->contact_ns >
	    FOLLOW_GIVE_UP_MS * INT64_C(1000000))
		return err_set(err, ERR_NOT_READY,
			       "%s has not answered for %d s; the job may go "
			       "on there",
			       client_server(f->cli->client),
			       FOLLOW_GIVE_UP_MS / 1000);
	if (poll(&wake, 1, (int)f->delay_ms) > 0)
		return err_set(err, ERR_CANCELLED, "interrupted");
	f->delay_ms *= 2;
	f->delay_ms = f->delay_ms > DELAY_MAX_MS ? DELAY_MAX_MS : f->delay_ms;
	return ERR_NONE;
}

static enum err_code listen_once(struct follow *f, struct err *err)
{
	struct client_request request = { .method = "GET",
					  .accept = "text/event-stream",
					  .last_event_id = f->sse.id };
	enum err_code rc;

	rc = cli_path(f->cli, "/jobs", f->id, "/events", &request.path, err);
	sse_reset(&f->sse);
	return rc ? rc
		  : client_stream(f->cli->client, &request,
				  (struct response_sink){ take_bytes, f }, err);
}

static enum err_code follow_until_over(struct follow *f, int *ret_status,
				       struct err *err)
{
	for (;;) {
		bool over = false;
		enum err_code rc = listen_once(f, err);

		if (!rc || is_passing(rc))
			rc = rc ? rc : look(f, &over, ret_status, err);
		if (over)
			return ERR_NONE;
		if (rc && !is_passing(rc))
			return rc;
		if (rc && !f->is_lost) {
			clear_bar(f);
			cli_note(f->cli, COLOUR_YELLOW,
				 "%s: trying again (the job goes on)",
				 err->msg);
			f->is_lost = true;
		}
		rc = pause_before_retry(f, err);
		if (rc)
			return rc;
	}
}

/* --- the whole --- */

static int tell_interrupted(struct follow *f)
{
	clear_bar(f);
	cli_note(f->cli, COLOUR_PLAIN,
		 "job %s goes on; 'predictctl jobs follow %s' shows it again, "
		 "'predictctl jobs cancel %s' ends it",
		 f->id, f->id, f->id);
	return CLI_INTERRUPTED;
}

/* What is still pending would end the process once it is not blocked. */
static void drop_interrupts(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		;
	(void)close(fd);
}

static enum err_code begin(struct follow *f, sigset_t *old, struct err *err)
{
	sigset_t set;
	enum err_code rc;

	sse_init(&f->sse, take_event, f);
	progress_init(&f->progress);
	f->delay_ms = DELAY_FIRST_MS;
	f->contact_ns = clock_monotonic_ns();
	f->arena = arena_create(EVENT_ARENA);
	if (!f->arena)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, old);
	f->interrupt_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	f->cli->options.wake_fd = f->interrupt_fd;
	client_destroy(f->cli->client);
	f->cli->client = NULL;
	rc = cli_client(f->cli, err);
	return rc;
}

static int follow(struct follow *f)
{
	struct err err = { 0 };
	sigset_t old;
	int status = CLI_FAILED;
	enum err_code rc;

	(void)pthread_sigmask(SIG_BLOCK, NULL, &old);
	f->interrupt_fd = -1;
	rc = begin(f, &old, &err);
	if (!rc)
		rc = follow_until_over(f, &status, &err);
	if (rc == ERR_CANCELLED) {
		status = tell_interrupted(f);
	} else if (rc) {
		clear_bar(f);
		status = cli_fail(f->cli, &err);
	}
	if (f->interrupt_fd >= 0)
		drop_interrupts(f->interrupt_fd);
	f->cli->options.wake_fd = -1;
	client_destroy(f->cli->client);
	f->cli->client = NULL;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	sse_finish(&f->sse);
	arena_destroy(f->arena);
	return status;
}

int follow_job(struct cli *cli, const char *id)
{
	struct follow f = { .cli = cli, .id = id };

	return follow(&f);
}

int follow_events(struct cli *cli, const char *id)
{
	struct follow f = { .cli = cli, .id = id, .is_raw = true };

	return follow(&f);
}
