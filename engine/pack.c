/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fingerprint.h"
#include "base/mem.h"

enum { BUCKETS = 1024, FIRST_CAP = 64 };

enum pack_state { PACK_MAKING, PACK_READY, PACK_FAILED };

struct pack {
	struct pack_store *store; /* NULL: shared with nobody */
	/* of the store, under its lock */
	struct pack *next; /* in its bucket */
	size_t refs;	   /* those who wait count */
	enum pack_state state;
	struct pack *same; /* counted: has the bytes; NULL: they are its own */
	/* as they were made */
	struct fingerprint plain;
	size_t plain_bytes, bytes, form_bytes;
	pack_make *make;
	void *data;
	unsigned char form[];
};

struct pack_store {
	struct fingerprint_key key;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t made;
	size_t refs;
	struct pack *bucket[BUCKETS];
	struct pack_stats stats;
};

/* What is kept, and what it is like. */
struct constant {
	struct pack *pack;
	struct fingerprint fingerprint;
};

struct packs {
	struct pack_store *store;
	size_t n, cap;
	struct constant *constant;
	pthread_mutex_t lock; /* guards is_sorted and, until it is, the list */
	bool is_sorted;	      /* by address */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "packs: out of memory");
}

/* --- the store --- */

enum err_code pack_store_create(struct pack_store **ret_store, struct err *err)
{
	struct pack_store *store = mem_zero(sizeof(*store));
	enum err_code rc;

	if (!store)
		return no_memory(err);
	rc = fingerprint_key_draw(&store->key, err);
	if (rc) {
		mem_free(store);
		return rc;
	}
	(void)pthread_mutex_init(&store->lock, NULL);
	(void)pthread_cond_init(&store->made, NULL);
	store->refs = 1;
	*ret_store = store;
	return ERR_NONE;
}

struct pack_store *pack_store_ref(struct pack_store *store)
{
	(void)pthread_mutex_lock(&store->lock);
	store->refs++;
	(void)pthread_mutex_unlock(&store->lock);
	return store;
}

void pack_store_unref(struct pack_store *store)
{
	bool is_last;

	if (!store)
		return;
	(void)pthread_mutex_lock(&store->lock);
	is_last = --store->refs == 0;
	(void)pthread_mutex_unlock(&store->lock);
	if (!is_last)
		return;
	(void)pthread_cond_destroy(&store->made);
	(void)pthread_mutex_destroy(&store->lock);
	mem_free(store);
}

void pack_store_stats(struct pack_store *store, struct pack_stats *ret)
{
	(void)pthread_mutex_lock(&store->lock);
	*ret = store->stats;
	(void)pthread_mutex_unlock(&store->lock);
}

/* --- packs --- */

static struct pack *pack_create(struct packs *packs,
				const struct pack_wish *wish)
{
	struct pack *pack = mem_zero(sizeof(*pack) + wish->form_bytes);

	if (!pack)
		return NULL;
	pack->store = packs ? pack_store_ref(packs->store) : NULL;
	pack->refs = 1;
	pack->plain_bytes = wish->plain_bytes;
	pack->bytes = wish->bytes;
	pack->make = wish->make;
	pack->form_bytes = wish->form_bytes;
	if (wish->form_bytes)
		memcpy(pack->form, wish->form, wish->form_bytes);
	return pack;
}

static void pack_destroy(struct pack *pack)
{
	pack_store_unref(pack->store);
	if (!pack->same)
		mem_free(pack->data);
	mem_free(pack);
}

static enum err_code fill(struct pack *pack, const struct pack_wish *wish,
			  struct err *err)
{
	pack->data = mem_large(wish->bytes);
	if (!pack->data)
		return err_set(err, ERR_NO_MEMORY,
			       "packs: no memory for %zu bytes", wish->bytes);
	return wish->make(wish->data, wish->plain, pack->data, err);
}

static struct pack **bucket_of(struct pack_store *store,
			       struct fingerprint plain)
{
	return &store->bucket[plain.half[0] % BUCKETS];
}

static bool is_wanted(const struct pack *pack, const struct pack_wish *wish,
		      struct fingerprint plain)
{
	return pack->state != PACK_FAILED &&
	       fingerprint_equal(pack->plain, plain) &&
	       pack->plain_bytes == wish->plain_bytes &&
	       pack->bytes == wish->bytes && pack->make == wish->make &&
	       pack->form_bytes == wish->form_bytes &&
	       (!wish->form_bytes ||
		!memcmp(pack->form, wish->form, wish->form_bytes));
}

/* A place in the store that others wait at. Under the lock. */
static void announce(struct pack_store *store, struct pack *pack,
		     struct fingerprint plain)
{
	struct pack **bucket = bucket_of(store, plain);

	pack->plain = plain;
	pack->next = *bucket;
	*bucket = pack;
	store->stats.n++;
	store->stats.bytes += pack->bytes;
}

/* One has the pack no more. Under the lock; true: it is the caller's to
 * destroy. */
static bool leave(struct pack_store *store, struct pack *pack)
{
	struct pack **link = bucket_of(store, pack->plain);

	if (--pack->refs)
		return false;
	while (*link != pack)
		link = &(*link)->next;
	*link = pack->next;
	store->stats.n--;
	if (!pack->same)
		store->stats.bytes -= pack->bytes;
	return true;
}

/* A pack that was made, counted, or NULL; those that failed meanwhile and that
 * nobody else has are listed for the caller to destroy. Under the lock. */
static struct pack *find(struct pack_store *store, const struct pack_wish *wish,
			 struct fingerprint plain, struct pack **ret_failed)
{
	struct pack *pack;

	for (;;) {
		pack = *bucket_of(store, plain);
		while (pack && !is_wanted(pack, wish, plain))
			pack = pack->next;
		if (!pack)
			return NULL;
		pack->refs++;
		while (pack->state == PACK_MAKING)
			(void)pthread_cond_wait(&store->made, &store->lock);
		if (pack->state == PACK_READY)
			return pack;
		/* what failed there may succeed here */
		if (leave(store, pack)) {
			pack->next = *ret_failed;
			*ret_failed = pack;
		}
	}
}

/* What others made, or NULL after `mine` was announced. */
static struct pack *find_or_announce(struct pack_store *store,
				     const struct pack_wish *wish,
				     struct fingerprint plain,
				     struct pack *mine)
{
	struct pack *other, *failed = NULL;

	(void)pthread_mutex_lock(&store->lock);
	other = find(store, wish, plain, &failed);
	if (other)
		store->stats.n_shared++;
	else
		announce(store, mine, plain);
	(void)pthread_mutex_unlock(&store->lock);
	while (failed) {
		struct pack *next = failed->next;

		pack_destroy(failed);
		failed = next;
	}
	return other;
}

static void settle(struct pack_store *store, struct pack *pack, bool is_made)
{
	(void)pthread_mutex_lock(&store->lock);
	pack->state = is_made ? PACK_READY : PACK_FAILED;
	store->stats.n_made += is_made;
	(void)pthread_cond_broadcast(&store->made);
	(void)pthread_mutex_unlock(&store->lock);
}

/* Has one user less. */
static bool is_last(struct pack *pack)
{
	struct pack_store *store = pack->store;
	bool last;

	if (!store)
		return true;
	(void)pthread_mutex_lock(&store->lock);
	last = leave(store, pack);
	(void)pthread_mutex_unlock(&store->lock);
	return last;
}

void pack_put(struct pack *pack)
{
	while (pack && is_last(pack)) {
		struct pack *same = pack->same;

		pack_destroy(pack);
		pack = same;
	}
}

/* The next form of the same elements after `after` (NULL: the first) that takes
 * as many bytes, counted, or NULL. Lets `after` go. */
static struct pack *next_alike(struct pack_store *store,
			       const struct pack *mine, struct pack *after)
{
	struct pack *pack;

	(void)pthread_mutex_lock(&store->lock);
	pack = after ? after->next : *bucket_of(store, mine->plain);
	while (pack && (pack == mine || pack->state != PACK_READY ||
			pack->same || pack->bytes != mine->bytes ||
			pack->plain_bytes != mine->plain_bytes ||
			!fingerprint_equal(pack->plain, mine->plain)))
		pack = pack->next;
	if (pack)
		pack->refs++;
	(void)pthread_mutex_unlock(&store->lock);
	pack_put(after);
	return pack;
}

/* Slices one after the other are often what the whole is: one form's bytes
 * serve the other. */
static void join_alike(struct pack_store *store, struct pack *mine)
{
	struct pack *other = next_alike(store, mine, NULL);

	while (other && memcmp(mine->data, other->data, mine->bytes) != 0)
		other = next_alike(store, mine, other);
	if (!other)
		return;
	mem_free(mine->data);
	mine->data = other->data;
	(void)pthread_mutex_lock(&store->lock);
	mine->same = other;
	store->stats.bytes -= mine->bytes;
	(void)pthread_mutex_unlock(&store->lock);
}

/* The pack of a wish in the store of `mine`, which is taken. */
static enum err_code share(const struct pack_wish *wish,
			   struct fingerprint plain, struct pack *mine,
			   struct pack **ret_pack, struct err *err)
{
	struct pack_store *store = mine->store;
	struct pack *other = find_or_announce(store, wish, plain, mine);
	enum err_code rc;

	if (other) {
		pack_destroy(mine);
		*ret_pack = other;
		return ERR_NONE;
	}
	rc = fill(mine, wish, err);
	if (!rc)
		join_alike(store, mine);
	settle(store, mine, !rc);
	if (rc)
		pack_put(mine);
	else
		*ret_pack = mine;
	return rc;
}

/* --- what is kept --- */

enum err_code packs_create(struct pack_store *store, struct packs **ret_packs,
			   struct err *err)
{
	struct packs *packs = mem_zero(sizeof(*packs));
	enum err_code rc = ERR_NONE;

	if (!packs)
		return no_memory(err);
	(void)pthread_mutex_init(&packs->lock, NULL);
	if (store)
		packs->store = pack_store_ref(store);
	else
		rc = pack_store_create(&packs->store, err);
	if (rc)
		packs_destroy(packs);
	else
		*ret_packs = packs;
	return rc;
}

void packs_destroy(struct packs *packs)
{
	if (!packs)
		return;
	for (size_t i = 0; i < packs->n; i++)
		pack_put(packs->constant[i].pack);
	pack_store_unref(packs->store);
	(void)pthread_mutex_destroy(&packs->lock);
	mem_free(packs->constant);
	mem_free(packs);
}

static bool make_room(struct packs *packs)
{
	const size_t cap = packs->cap ? 2 * packs->cap : FIRST_CAP;
	struct constant *grown;

	if (packs->n < packs->cap)
		return true;
	grown = mem_resize(packs->constant, cap, sizeof(*grown));
	if (!grown)
		return false;
	packs->constant = grown;
	packs->cap = cap;
	return true;
}

static enum err_code copy(const void *data, const void *plain, void *to,
			  struct err *err)
{
	(void)err;
	memcpy(to, plain, *(const size_t *)data);
	return ERR_NONE;
}

enum err_code packs_keep(struct packs *packs, const void *bytes, size_t n,
			 const void **ret_bytes, struct err *err)
{
	static const char form[] = "plain";
	const struct pack_wish wish = { .plain = bytes,
					.plain_bytes = n,
					.form = form,
					.form_bytes = sizeof(form),
					.bytes = n,
					.make = copy,
					.data = &n };
	struct pack *mine = pack_create(packs, &wish);
	struct constant constant;
	enum err_code rc;

	if (!mine)
		return no_memory(err);
	if (!make_room(packs)) {
		pack_destroy(mine);
		return no_memory(err);
	}
	constant.fingerprint = fingerprint_of(&packs->store->key, bytes, n);
	rc = share(&wish, constant.fingerprint, mine, &constant.pack, err);
	if (rc)
		return rc;
	packs->constant[packs->n++] = constant;
	packs->is_sorted = false;
	*ret_bytes = pack_bytes(constant.pack);
	return ERR_NONE;
}

static int by_address(const void *x, const void *y)
{
	const struct constant *a = x, *b = y;
	const uintptr_t i = (uintptr_t)a->pack->data;
	const uintptr_t j = (uintptr_t)b->pack->data;

	return (i > j) - (i < j);
}

static void sort(struct packs *packs)
{
	(void)pthread_mutex_lock(&packs->lock);
	if (!packs->is_sorted && packs->n)
		qsort(packs->constant, packs->n, sizeof(*packs->constant),
		      by_address);
	packs->is_sorted = true;
	(void)pthread_mutex_unlock(&packs->lock);
}

/* What is kept at that address, or NULL. */
static const struct constant *kept_at(struct packs *packs, const void *bytes)
{
	size_t low = 0, high = packs->n;

	sort(packs);
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct constant *constant = &packs->constant[middle];
		const uintptr_t at = (uintptr_t)constant->pack->data;

		if (at == (uintptr_t)bytes)
			return constant;
		if (at < (uintptr_t)bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool packs_has(struct packs *packs, const void *bytes)
{
	return kept_at(packs, bytes) != NULL;
}

void packs_drop(struct packs *packs, const void *bytes)
{
	const struct constant *found = kept_at(packs, bytes);
	size_t at;

	if (!found)
		return;
	pack_put(found->pack);
	at = (size_t)(found - packs->constant);
	packs->n--;
	memmove(packs->constant + at, packs->constant + at + 1,
		(packs->n - at) * sizeof(*packs->constant));
}

/* What is not kept was made for one plan: its address says nothing about the
 * next elements there. */
static struct fingerprint fingerprint(struct packs *packs, const void *plain,
				      size_t bytes)
{
	const struct constant *kept = kept_at(packs, plain);

	return kept && kept->pack->bytes == bytes
		   ? kept->fingerprint
		   : fingerprint_of(&packs->store->key, plain, bytes);
}

/* --- what kernels ask for --- */

enum err_code pack_get(struct packs *packs, const struct pack_wish *wish,
		       struct pack **ret_pack, struct err *err)
{
	struct pack *mine = pack_create(packs, wish);
	enum err_code rc;

	if (!mine)
		return no_memory(err);
	if (packs)
		return share(wish,
			     fingerprint(packs, wish->plain, wish->plain_bytes),
			     mine, ret_pack, err);
	rc = fill(mine, wish, err);
	if (rc)
		pack_destroy(mine);
	else
		*ret_pack = mine;
	return rc;
}

size_t pack_size(const struct pack *pack)
{
	return pack && !pack->same ? pack->bytes : 0;
}

const void *pack_bytes(const struct pack *pack)
{
	return pack->data;
}
