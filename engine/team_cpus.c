/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * How many CPUs this process may use: its affinity, then the quotas of its
 * control groups and of every group above (v2: cpu.max; v1: cpu.cfs_quota_us
 * over cpu.cfs_period_us), rounded up.
 */
#include "engine/team_priv.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* room for 8192 CPUs: the kernel refuses a set smaller than its own */
enum { CPU_SETS = 8 };

/** First line of a small file; false when there is none. */
static bool read_line(const char *path, char *line, size_t cap)
{
	FILE *file = fopen(path, "re");
	bool ok;

	if (!file)
		return false;
	ok = fgets(line, (int)cap, file) != NULL;
	(void)fclose(file);
	return ok;
}

/** quota / period rounded up; 0 where that makes no sense. */
static unsigned round_up(long long quota, long long period)
{
	long long cpus;

	if (quota <= 0 || period <= 0)
		return 0;
	cpus = quota / period + (quota % period != 0);
	return cpus > INT_MAX ? 0 : (unsigned)cpus;
}

/** "max 100000" or "150000 100000" in dir/cpu.max. */
static unsigned quota_v2(const char *dir)
{
	char path[PATH_MAX + 32], line[128], *rest;
	long long quota;

	(void)snprintf(path, sizeof(path), "%s/cpu.max", dir);
	if (!read_line(path, line, sizeof(line)))
		return 0;
	quota = strtoll(line, &rest, 10); /* "max" gives 0: no quota */
	return round_up(quota, strtoll(rest, NULL, 10));
}

static unsigned quota_v1(const char *dir)
{
	char path[PATH_MAX + 32], quota[64], period[64];

	(void)snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	if (!read_line(path, quota, sizeof(quota)))
		return 0;
	(void)snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
	if (!read_line(path, period, sizeof(period)))
		return 0;
	return round_up(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/** The least quota of root/group and of all groups above it. */
static unsigned least_quota(const char *root, const char *group,
			    unsigned (*quota)(const char *dir))
{
	char dir[PATH_MAX];
	size_t root_len = strlen(root);
	unsigned least = 0;
	char *slash;

	if (snprintf(dir, sizeof(dir), "%s%s", root, group) >= (int)sizeof(dir))
		return 0;
	for (;;) {
		unsigned cpus = quota(dir);

		if (cpus && (!least || cpus < least))
			least = cpus;
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < root_len)
			return least;
		*slash = '\0';
	}
}

/** "cpu" in a list such as "cpu,cpuacct". */
static bool names_cpu(const char *list)
{
	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strcspn(list, ",") == 3 && !strncmp(list, "cpu", 3))
			return true;
	}
	return false;
}

/** One line "4:cpu,cpuacct:/group" or "0::/group". */
static unsigned line_quota(const char *root, char *line)
{
	char *list = strchr(line, ':');
	char *group = list ? strchr(list + 1, ':') : NULL;
	char dir[PATH_MAX];

	if (!group)
		return 0;
	*group++ = '\0';
	list++;
	group[strcspn(group, "\n")] = '\0';
	if (!*list)
		return least_quota(root, group, quota_v2);
	if (!names_cpu(list))
		return 0;
	if (snprintf(dir, sizeof(dir), "%s/cpu", root) >= (int)sizeof(dir))
		return 0;
	return least_quota(dir, group, quota_v1);
}

unsigned cgroup_cpus(const char *root, const char *membership)
{
	FILE *file = fopen(membership, "re");
	char line[PATH_MAX];
	unsigned least = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		unsigned cpus = line_quota(root, line);

		if (cpus && (!least || cpus < least))
			least = cpus;
	}
	(void)fclose(file);
	return least;
}

unsigned pool_cpus(void)
{
	cpu_set_t set[CPU_SETS];
	unsigned cpus = 1, quota;
	int count;

	CPU_ZERO_S(sizeof(set), set);
	if (!sched_getaffinity(0, sizeof(set), set)) {
		count = CPU_COUNT_S(sizeof(set), set);
		cpus = count > 0 ? (unsigned)count : 1;
	}
	quota = cgroup_cpus("/sys/fs/cgroup", "/proc/self/cgroup");
	return quota && quota < cpus ? quota : cpus;
}
