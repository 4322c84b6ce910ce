/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_tuner.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void batch_tuner_init(struct batch_tuner *tuner, int64_t objective_ns,
		      int64_t window_ns, int64_t max_batch)
{
	*tuner = (struct batch_tuner){ .objective_ns = objective_ns,
				       .max_batch = max_batch,
				       .window_ns = window_ns,
				       .max_rows = max_batch };
}

static int by_size(const void *x, const void *y)
{
	const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* What 19 runs of 20 stay below. */
static int64_t late_ns(const struct batch_tuner *tuner)
{
	int64_t sorted[TUNER_RUNS];

	memcpy(sorted, tuner->spent_ns, sizeof(sorted));
	qsort(sorted, TUNER_RUNS, sizeof(*sorted), by_size);
	return sorted[TUNER_RUNS - 1 - TUNER_RUNS / 20];
}

static void shrink(struct batch_tuner *tuner, int64_t step)
{
	if (tuner->window_ns > step) {
		tuner->window_ns /= 2;
	} else if (tuner->window_ns) {
		tuner->window_ns = 0;
	} else if (tuner->max_rows > 1) {
		tuner->max_rows -= (tuner->max_rows + 3) / 4;
	}
}

static void grow(struct batch_tuner *tuner, int64_t step)
{
	if (tuner->max_rows < tuner->max_batch) {
		tuner->max_rows++;
		return;
	}
	/* runs that are full do not get fuller by waiting */
	if (tuner->rows < TUNER_RUNS * tuner->max_rows && !tuner->n_pause &&
	    tuner->window_ns + step <= tuner->objective_ns / 2)
		tuner->window_ns += step;
}

/* Clients that wait for their answers before they ask again come often, but not
 * within the window. */
static bool finds_nobody(const struct batch_tuner *tuner)
{
	return tuner->window_ns &&
	       tuner->n_calls <= TUNER_RUNS + TUNER_RUNS / 16;
}

static void wait_less(struct batch_tuner *tuner, int64_t step)
{
	if (tuner->window_ns > 2 * step) {
		tuner->window_ns /= 2;
		return;
	}
	tuner->window_ns = 0;
	tuner->n_pause = TUNER_PAUSE;
}

static void decide(struct batch_tuner *tuner, int64_t now_ns)
{
	const int64_t objective = tuner->objective_ns;
	const int64_t step = objective / 50 + 1;
	const int64_t passed = now_ns - tuner->since_ns;
	/* of one more call, within the window as it would be */
	const int64_t expected =
	    passed > 0 ? tuner->n_calls * (tuner->window_ns + step) / passed
		       : tuner->n_calls;

	tuner->late_ns = late_ns(tuner);
	if (tuner->n_pause)
		tuner->n_pause--;
	if (tuner->late_ns > objective)
		shrink(tuner, step);
	else if (expected < 1 || finds_nobody(tuner))
		wait_less(tuner, step);
	else if (tuner->late_ns < objective - objective / 5)
		grow(tuner, step);
}

void batch_tuner_observe(struct batch_tuner *tuner, unsigned n_calls,
			 int64_t rows, int64_t spent_ns, int64_t now_ns)
{
	if (!tuner->objective_ns)
		return;
	if (!tuner->since_ns)
		tuner->since_ns = now_ns;
	tuner->spent_ns[tuner->n_runs++] = spent_ns;
	tuner->n_calls += n_calls;
	tuner->rows += rows;
	if (tuner->n_runs < TUNER_RUNS)
		return;
	decide(tuner, now_ns);
	tuner->n_decisions++;
	tuner->n_runs = 0;
	tuner->n_calls = 0;
	tuner->rows = 0;
	tuner->since_ns = now_ns;
}
