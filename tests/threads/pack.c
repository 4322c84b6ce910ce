/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Packs under ThreadSanitizer: many threads want, keep and let go a few packs
 * at once, in forms that come out equal, and some cannot be made the first
 * time.
 */
#include "engine/pack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 400, CONSTANTS = 3, FORMS = 2, ELEMENTS = 64 };

struct shared {
	struct packs *packs;
	const void *element[CONSTANTS];
	atomic_int n_making[CONSTANTS][FORMS], n_failures;
};

struct user {
	struct shared *shared;
	unsigned number;
	int bad;
};

struct making {
	struct shared *shared;
	unsigned constant, form;
	int *bad;
};

static enum err_code make(const void *data, const void *plain, void *to,
			  struct err *err)
{
	const struct making *m = data;
	float *y = to;

	*m->bad |= atomic_fetch_add(&m->shared->n_making[m->constant][m->form],
				    1) != 0;
	for (int i = 0; i < ELEMENTS; i++)
		y[i] = 2 * ((const float *)plain)[i];
	/* long enough for others to come and wait */
	(void)usleep(50);
	(void)atomic_fetch_sub(&m->shared->n_making[m->constant][m->form], 1);
	if (atomic_fetch_add(&m->shared->n_failures, 1) % 5 == 4)
		return err_set(err, ERR_NO_MEMORY, "not this time");
	return ERR_NONE;
}

static int use(struct user *user, unsigned round)
{
	const unsigned constant = (user->number + round * 5) % CONSTANTS;
	const float *plain = user->shared->element[constant];
	const unsigned form = round / CONSTANTS % FORMS;
	const struct making making = { user->shared, constant, form,
				       &user->bad };
	const struct pack_wish wish = { .plain = plain,
					.plain_bytes = ELEMENTS * sizeof(float),
					.form = &form,
					.form_bytes = sizeof(form),
					.bytes = ELEMENTS * sizeof(float),
					.make = make,
					.data = &making };
	struct pack *pack = NULL;
	const float *y;
	int bad = 0;

	switch (pack_get(user->shared->packs, &wish, &pack, NULL)) {
	case ERR_NONE:
		break;
	case ERR_NO_MEMORY:
		return 0;
	default:
		return 1;
	}
	y = pack_bytes(pack);
	for (int i = 0; i < ELEMENTS; i++)
		bad |= y[i] != 2 * plain[i];
	pack_put(pack);
	return bad;
}

static void *work(void *arg)
{
	struct user *user = arg;

	for (unsigned round = 0; round < ROUNDS; round++)
		user->bad |= use(user, round);
	return NULL;
}

static enum err_code begin(struct shared *shared, struct pack_store *store,
			   struct err *err)
{
	enum err_code rc = packs_create(store, &shared->packs, err);

	for (int i = 0; i < CONSTANTS && !rc; i++) {
		float element[ELEMENTS];

		for (int j = 0; j < ELEMENTS; j++)
			element[j] = (float)(i * ELEMENTS + j);
		rc = packs_keep(shared->packs, element, sizeof(element),
				&shared->element[i], err);
	}
	return rc;
}

int main(void)
{
	static struct shared shared;
	struct user user[THREADS] = { { 0 } };
	struct pack_store *store = NULL;
	struct pack_stats stats;
	pthread_t thread[THREADS];
	struct err err;
	int bad = 0;

	if (pack_store_create(&store, &err) || begin(&shared, store, &err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		user[i] = (struct user){ .shared = &shared, .number = i };
		bad |= pthread_create(&thread[i], NULL, work, &user[i]) != 0;
	}
	for (unsigned i = 0; i < THREADS && !bad; i++) {
		bad |= pthread_join(thread[i], NULL) != 0;
		bad |= user[i].bad;
	}
	packs_destroy(shared.packs);
	pack_store_stats(store, &stats);
	bad |= stats.n != 0 || stats.bytes != 0;
	bad |= stats.n_made + stats.n_shared < 1;
	pack_store_unref(store);
	if (bad)
		(void)fprintf(stderr, "packs: wrong\n");
	return bad;
}
