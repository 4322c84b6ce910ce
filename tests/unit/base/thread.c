/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As sched_getattr(2) has it; its header does not go with <pthread.h>. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attributes attributes(void)
{
	struct attributes attr = { .size = sizeof(attr) };

	cr_assert_eq(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
	return attr;
}

Test(thread, takes_short_turns_and_keeps_its_priority)
{
	struct attributes before, after;

	cr_assert_eq(setpriority(PRIO_PROCESS, 0, 3), 0);
	before = attributes();
	cr_assert(thread_take_short_turns());
	after = attributes();
	cr_assert_eq(after.policy, before.policy);
	cr_assert_eq(after.nice, 3);
	/* kernels without such turns (before 6.12) say 0 both times */
	cr_assert(after.runtime < before.runtime ||
		  (!after.runtime && !before.runtime));
	thread_take_usual_turns();
	cr_assert_eq(attributes().runtime, before.runtime);
}

static void *sleep_until_cancelled(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return NULL;
}

/* How many threads of the process have a nice level. */
static unsigned n_threads_of(int nice)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			n += getpriority(
				 PRIO_PROCESS,
				 (id_t)strtol(entry->d_name, NULL, 10)) == nice;
	(void)closedir(dir);
	return n;
}

Test(thread, lulls_all_but_itself)
{
	pthread_t other[2];

	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&other[i], NULL,
					    sleep_until_cancelled, NULL),
			     0);
	cr_assert_eq(n_threads_of(19), 0);
	thread_lull_others();
	cr_assert_geq(n_threads_of(19), 2);
	cr_assert_neq(getpriority(PRIO_PROCESS, (id_t)gettid()), 19);
	for (size_t i = 0; i < 2; i++) {
		(void)pthread_cancel(other[i]);
		(void)pthread_join(other[i], NULL);
	}
}
