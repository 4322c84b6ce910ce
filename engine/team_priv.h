/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What team.c and its tests share.
 *
 * Threads: any.
 */
#ifndef ENGINE_TEAM_PRIV_H
#define ENGINE_TEAM_PRIV_H

#include <stdbool.h>

#include "engine/team.h"

/** While paused, helper i stops between its look at the work and its claim:
 * the worst moment for a neighbour to take its CPU. For tests. */
void pool_pause(struct pool *pool, unsigned i, bool is_paused);

/** CPUs that the quotas above this process allow, rounded up; 0: no quota.
 * root: where cgroups are mounted; membership: /proc/self/cgroup. */
unsigned cgroup_cpus(const char *root, const char *membership);

#endif
