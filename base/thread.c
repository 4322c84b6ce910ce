/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <dirent.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

enum { TURN_NS = 200000, NICEST = 19 };

/* 0: the system's. Policy and nice level stay. */
static bool set_turn(uint64_t ns)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		return false;
	attr.sched_runtime = ns;
	return syscall(SYS_sched_setattr, 0, &attr, 0) == 0;
}

bool thread_take_short_turns(void)
{
	return set_turn(TURN_NS);
}

void thread_take_usual_turns(void)
{
	(void)set_turn(0);
}

void thread_lull_others(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	int64_t id;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
	while (dir && (entry = readdir(dir)))
		if (str_parse_int64(entry->d_name, &id) && id != gettid())
			(void)setpriority(PRIO_PROCESS, (id_t)id, NICEST);
	if (dir)
		(void)closedir(dir);
}
