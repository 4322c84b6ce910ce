/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <criterion/criterion.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sched_attr attributes(void)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	cr_assert_eq(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
	return attr;
}

Test(thread, takes_short_turns_and_keeps_its_priority)
{
	struct sched_attr before, after;

	cr_assert_eq(setpriority(PRIO_PROCESS, 0, 3), 0);
	before = attributes();
	cr_assert(thread_take_short_turns());
	after = attributes();
	cr_assert_eq(after.sched_policy, before.sched_policy);
	cr_assert_eq(after.sched_nice, 3);
	/* kernels without such turns (before 6.12) say 0 both times */
	cr_assert(after.sched_runtime < before.sched_runtime ||
		  (!after.sched_runtime && !before.sched_runtime));
}
