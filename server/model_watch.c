/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	EVENTS_BYTES = 4096,
	SETTLE_MS = 20, /* a change is over when so long nothing follows */
	SETTLE_MAX = 25
};

struct model_watch {
	int changes; /* -1: the kernel does not tell */
	int stop;
};

enum err_code model_watch_create(struct model_watch **ret_watch,
				 struct err *err)
{
	struct model_watch *watch = mem_zero(sizeof(*watch));

	if (!watch)
		return err_set(err, ERR_NO_MEMORY, "model watch: no memory");
	watch->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->stop < 0) {
		model_watch_destroy(watch);
		return err_set(err, ERR_IO,
			       "model watch: no descriptor is left");
	}
	*ret_watch = watch;
	return ERR_NONE;
}

void model_watch_destroy(struct model_watch *watch)
{
	if (!watch)
		return;
	if (watch->changes >= 0)
		(void)close(watch->changes);
	if (watch->stop >= 0)
		(void)close(watch->stop);
	mem_free(watch);
}

void model_watch_add(struct model_watch *watch, const char *path)
{
	if (watch->changes >= 0)
		(void)inotify_add_watch(watch->changes, path,
					IN_CREATE | IN_DELETE | IN_MOVED_FROM |
					    IN_MOVED_TO | IN_CLOSE_WRITE |
					    IN_MODIFY | IN_ONLYDIR);
}

/* Waits for either descriptor; false when the time is up. */
static bool wait_ms(struct model_watch *watch, int ms, bool *ret_stopped)
{
	struct pollfd fds[] = {
		{ .fd = watch->stop, .events = POLLIN },
		{ .fd = watch->changes, .events = POLLIN }, /* -1: ignored */
	};
	const int n = poll(fds, 2, ms);

	*ret_stopped = n > 0 && fds[0].revents;
	return n > 0;
}

static void forget_events(struct model_watch *watch)
{
	char events[EVENTS_BYTES];

	while (read(watch->changes, events, sizeof(events)) > 0)
		;
}

static int ms_until(int64_t due_ns)
{
	const int64_t now = clock_monotonic_ns();
	const int64_t ms = due_ns <= now ? 0 : (due_ns - now) / 1000000 + 1;

	return ms > 3600000 ? 3600000 : (int)ms;
}

enum model_watch_event model_watch_wait(struct model_watch *watch,
					int64_t due_ns)
{
	bool is_stopped = false, is_changed;

	do
		is_changed = wait_ms(watch, ms_until(due_ns), &is_stopped);
	while (!is_changed && clock_monotonic_ns() < due_ns);
	for (int i = 0; is_changed && !is_stopped && i < SETTLE_MAX; i++) {
		forget_events(watch);
		if (!wait_ms(watch, SETTLE_MS, &is_stopped))
			break;
	}
	return is_stopped   ? WATCH_STOPPED
	       : is_changed ? WATCH_CHANGED
			    : WATCH_TIMEOUT;
}

void model_watch_stop(struct model_watch *watch)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(watch->stop, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}
