/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A plan cache under ThreadSanitizer: many threads want instances of more
 * signatures than it may keep, run them and look at the results.
 */
#include "engine/plan_cache.h"

#include <pthread.h>
#include <stdio.h>

#include "engine/graph_text.h"

enum { THREADS = 6, ROUNDS = 300, SIGNATURES = 5, COLUMNS = 8 };

struct user {
	struct plan_cache *cache;
	unsigned number;
	int bad;
};

static int use(struct user *user, unsigned round)
{
	const int64_t rows = 1 + (user->number * 7 + round * 3) % SIGNATURES;
	const struct fact x = {
		.type = { .elem = DTYPE_F32 },
		.shape = { 2, { rows, COLUMNS } },
		.has_shape = true,
	};
	const struct signature signature = { 1, &x };
	struct instance *instance = NULL;
	const float *y;
	float *in;
	int bad = 0;

	if (plan_cache_acquire(user->cache, &signature, &instance, NULL))
		return 1;
	in = instance_input(instance, 0).data;
	for (int i = 0; i < (int)rows * COLUMNS; i++)
		in[i] = (float)(i + (int)user->number + (int)round);
	bad |= instance_run(instance, NULL, NULL) != ERR_NONE;
	bad |= instance_output(instance, 0).shape.dim[0] != rows;
	y = instance_output(instance, 0).data;
	for (int i = 0; i < (int)rows * COLUMNS; i++)
		bad |= y[i] != 2.0f * in[i] + 1.0f;
	plan_cache_release(user->cache, instance);
	return bad;
}

static void *work(void *arg)
{
	struct user *user = arg;

	for (unsigned round = 0; round < ROUNDS; round++)
		user->bad |= use(user, round);
	return NULL;
}

int main(void)
{
	const struct plan_cache_options options = { .plan = { .quick = true },
						    .max_plans = 3,
						    .max_bytes = 2000 };
	struct user user[THREADS] = { { 0 } };
	struct plan_cache *cache = NULL;
	struct plan_cache_stats stats;
	struct graph *graph = NULL;
	pthread_t thread[THREADS];
	struct err err;
	int bad = 0;

	if (graph_text_parse("y = Add(Mul(x:float[1,8], 2), 1)", &graph, NULL,
			     &err) ||
	    facts_type_graph(graph, &err) ||
	    plan_cache_create(graph, &options, &cache, &err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		user[i] = (struct user){ .cache = cache, .number = i };
		bad |= pthread_create(&thread[i], NULL, work, &user[i]) != 0;
	}
	for (unsigned i = 0; i < THREADS && !bad; i++) {
		bad |= pthread_join(thread[i], NULL) != 0;
		bad |= user[i].bad;
	}
	plan_cache_stats(cache, &stats);
	bad |= stats.n_lent != 0 || stats.lent_bytes != 0;
	bad |= stats.n_plans > 3 || stats.idle_bytes > 2000;
	bad |= stats.n_hits + stats.n_grown + stats.n_misses !=
	       (uint64_t)THREADS * ROUNDS;
	plan_cache_destroy(cache);
	graph_destroy(graph);
	if (bad)
		(void)fprintf(stderr, "plan cache: wrong\n");
	return bad;
}
