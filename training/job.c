/* SPDX-License-Identifier: Apache-2.0 */
#include "training/job.h"

#include "base/str.h"

static const struct {
	const char *name;
	bool is_over, has_worker;
} states[] = {
#define JOB_ROW(state, text, over, worker) { text, over, worker },
	JOB_STATE_LIST(JOB_ROW)
#undef JOB_ROW
};

const char *job_state_name(enum job_state state)
{
	return states[state].name;
}

enum job_state job_state_find(const char *name)
{
	unsigned i = 0;

	while (i < JOB_STATE_COUNT && !str_equal(states[i].name, name))
		i++;
	return (enum job_state)i;
}

bool job_state_is_over(enum job_state state)
{
	return state < JOB_STATE_COUNT && states[state].is_over;
}

bool job_state_has_worker(enum job_state state)
{
	return state < JOB_STATE_COUNT && states[state].has_worker;
}
