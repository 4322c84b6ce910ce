/* SPDX-License-Identifier: Apache-2.0 */
#include "main/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

/* FILES: of models, jobs, datasets, the store and the log */
enum { FILES = 256 };

unsigned descriptors_for(unsigned connections)
{
	const rlim_t wanted = (rlim_t)connections + FILES;
	struct rlimit limit;
	rlim_t possible;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return connections;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return connections;
	possible = limit.rlim_cur / 2;
	if (possible > FILES)
		possible = limit.rlim_cur - FILES;
	log_write(LOG_LEVEL_WARNING, "main",
		  "max_connections: %u of %u, as this process may open %u "
		  "files at once (ulimit -n)",
		  (unsigned)possible, connections, (unsigned)limit.rlim_cur);
	return (unsigned)possible;
}
