/* SPDX-License-Identifier: Apache-2.0 */
#include "server/response_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS = 4096, LARGEST_SHARE = 8, ALIGN = 64 };

/* The outputs, then their elements, each aligned, then bytes of strings. */
struct answer {
	struct answer *next;	      /* in its bucket */
	struct answer *newer, *older; /* by use */
	atomic_uint refs;
	struct fingerprint key;
	uint64_t model;
	unsigned n_outputs;
	size_t bytes; /* of the block */
	char *block;
	struct tensor_view output[]; /* data: in the block */
};

struct response_cache {
	struct fingerprint_key key;
	size_t max_bytes;
	pthread_mutex_t lock; /* guards what follows */
	struct answer *bucket[BUCKETS];
	struct answer *newest, *oldest;
	size_t bytes;
};

enum err_code response_cache_create(size_t max_bytes,
				    struct response_cache **ret_cache,
				    struct err *err)
{
	struct response_cache *cache = mem_zero(sizeof(*cache));
	enum err_code rc;

	if (!cache)
		return err_set(err, ERR_NO_MEMORY, "response cache: no memory");
	rc = fingerprint_key_draw(&cache->key, err);
	if (rc) {
		mem_free(cache);
		return rc;
	}
	cache->max_bytes = max_bytes;
	(void)pthread_mutex_init(&cache->lock, NULL);
	*ret_cache = cache;
	return ERR_NONE;
}

static void answer_unref(struct answer *answer)
{
	if (atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) !=
	    1)
		return;
	mem_free(answer->block);
	mem_free(answer);
}

void response_cache_destroy(struct response_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest) {
		struct answer *answer = cache->oldest;

		cache->oldest = answer->newer;
		answer_unref(answer);
	}
	(void)pthread_mutex_destroy(&cache->lock);
	mem_free(cache);
}

/* --- the question --- */

static struct fingerprint of_strings(const struct fingerprint_key *key,
				     const struct tensor_view *view)
{
	const struct str *text = view->data;
	const size_t n = (size_t)shape_count(&view->shape);
	struct fingerprint two[2] = { 0 };

	for (size_t i = 0; i < n; i++) {
		two[1] = fingerprint_of(key, text[i].bytes, text[i].len);
		two[1].half[0] ^= text[i].len;
		two[0] = fingerprint_of(key, two, sizeof(two));
	}
	return two[0];
}

static struct fingerprint of_view(const struct fingerprint_key *key,
				  const struct tensor_view *view)
{
	struct {
		struct fingerprint elements;
		uint64_t dtype, rank;
		int64_t dim[SHAPE_MAX_RANK];
	} all = { .dtype = view->dtype, .rank = view->shape.rank };
	const size_t bytes = tensor_bytes(view->dtype, &view->shape);

	for (unsigned d = 0; d < view->shape.rank; d++)
		all.dim[d] = view->shape.dim[d];
	if (view->dtype == DTYPE_STRING)
		all.elements = of_strings(key, view);
	else if (bytes)
		all.elements = fingerprint_of(key, view->data, bytes);
	return fingerprint_of(key, &all, sizeof(all));
}

struct fingerprint response_cache_key(const struct response_cache *cache,
				      const struct response_question *question)
{
	const struct response_question *q = question;
	struct {
		struct fingerprint before, this;
	} two = { { { q->model, q->n_inputs } }, { { 0 } } };

	for (unsigned i = 0; i < q->n_inputs; i++) {
		two.this = of_view(&cache->key, &q->input[i]);
		two.before = fingerprint_of(&cache->key, &two, sizeof(two));
	}
	for (unsigned j = 0; j < q->n_outputs; j++) {
		two.this.half[0] = !q->is_wanted || q->is_wanted[j];
		two.this.half[1] = j;
		two.before = fingerprint_of(&cache->key, &two, sizeof(two));
	}
	return two.before;
}

/* --- the table, under the lock --- */

static struct answer **bucket_of(struct response_cache *cache,
				 struct fingerprint key)
{
	return &cache->bucket[key.half[0] % BUCKETS];
}

static void take_out_of_age(struct response_cache *cache, struct answer *answer)
{
	*(answer->newer ? &answer->newer->older : &cache->newest) =
	    answer->older;
	*(answer->older ? &answer->older->newer : &cache->oldest) =
	    answer->newer;
}

static void put_newest(struct response_cache *cache, struct answer *answer)
{
	answer->newer = NULL;
	answer->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = answer;
	cache->newest = answer;
}

static struct answer *find(struct response_cache *cache, struct fingerprint key)
{
	struct answer *answer = *bucket_of(cache, key);

	while (answer && !fingerprint_equal(answer->key, key))
		answer = answer->next;
	return answer;
}

/* Those who copy from it have it, too. */
static void drop(struct response_cache *cache, struct answer *answer)
{
	struct answer **link = bucket_of(cache, answer->key);

	while (*link != answer)
		link = &(*link)->next;
	*link = answer->next;
	take_out_of_age(cache, answer);
	cache->bytes -= answer->bytes;
	answer_unref(answer);
}

/* --- answers --- */

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t bytes_of(const struct tensor_view *view)
{
	const size_t bytes = tensor_bytes(view->dtype, &view->shape);
	const struct str *text = view->data;
	size_t texts = 0;

	if (!view->data)
		return 0;
	for (size_t i = 0;
	     view->dtype == DTYPE_STRING && i < bytes / sizeof(*text); i++)
		texts += text[i].len;
	return aligned(bytes + 1) + aligned(texts);
}

/* Copies a view to `to`; strings point to their bytes behind it. */
static void copy_view(const struct tensor_view *from, char *to,
		      struct tensor_view *ret)
{
	const size_t bytes = tensor_bytes(from->dtype, &from->shape);
	char *at = to + aligned(bytes + 1);

	*ret = *from;
	if (!from->data)
		return;
	ret->data = to;
	if (bytes)
		memcpy(to, from->data, bytes);
	for (size_t i = 0;
	     from->dtype == DTYPE_STRING && i < bytes / sizeof(struct str);
	     i++) {
		struct str *text = (struct str *)(void *)to + i;

		if (text->len)
			memcpy(at, text->bytes, text->len);
		text->bytes = at;
		at += text->len;
	}
}

static struct answer *answer_create(const struct tensor_view *output,
				    unsigned n, size_t bytes)
{
	struct answer *answer =
	    mem_zero(sizeof(*answer) + n * sizeof(*answer->output));
	char *at;

	if (!answer)
		return NULL;
	answer->block = mem_aligned(bytes + 1);
	if (!answer->block) {
		mem_free(answer);
		return NULL;
	}
	atomic_init(&answer->refs, 1);
	answer->n_outputs = n;
	answer->bytes = bytes;
	at = answer->block;
	for (unsigned i = 0; i < n; i++) {
		copy_view(&output[i], at, &answer->output[i]);
		at += bytes_of(&output[i]);
	}
	return answer;
}

void response_cache_keep(struct response_cache *cache, struct fingerprint key,
			 uint64_t model, const struct tensor_view *output,
			 unsigned n_outputs)
{
	struct answer *answer, **bucket;
	size_t bytes = 0;

	for (unsigned i = 0; i < n_outputs; i++)
		bytes += bytes_of(&output[i]);
	if (bytes > cache->max_bytes / LARGEST_SHARE)
		return;
	answer = answer_create(output, n_outputs, bytes);
	if (!answer)
		return;
	answer->key = key;
	answer->model = model;
	(void)pthread_mutex_lock(&cache->lock);
	if (find(cache, key)) { /* another one was faster */
		answer_unref(answer);
	} else {
		while (cache->oldest && cache->bytes + bytes > cache->max_bytes)
			drop(cache, cache->oldest);
		bucket = bucket_of(cache, key);
		answer->next = *bucket;
		*bucket = answer;
		put_newest(cache, answer);
		cache->bytes += bytes;
	}
	(void)pthread_mutex_unlock(&cache->lock);
}

bool response_cache_find(struct response_cache *cache, struct fingerprint key,
			 struct arena *arena, struct tensor_view *output,
			 unsigned n_outputs)
{
	struct answer *answer;
	char *at = NULL;

	(void)pthread_mutex_lock(&cache->lock);
	answer = find(cache, key);
	if (answer && answer->n_outputs == n_outputs) {
		take_out_of_age(cache, answer);
		put_newest(cache, answer);
		atomic_fetch_add_explicit(&answer->refs, 1,
					  memory_order_relaxed);
	} else {
		answer = NULL;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	if (!answer)
		return false;
	at = arena_aligned(arena, answer->bytes + 1);
	for (unsigned i = 0; at && i < n_outputs; i++) {
		copy_view(&answer->output[i], at, &output[i]);
		at += bytes_of(&answer->output[i]);
	}
	answer_unref(answer);
	return at != NULL;
}

void response_cache_forget(struct response_cache *cache, uint64_t model)
{
	struct answer *answer, *newer;

	(void)pthread_mutex_lock(&cache->lock);
	for (answer = cache->oldest; answer; answer = newer) {
		newer = answer->newer;
		if (answer->model == model)
			drop(cache, answer);
	}
	(void)pthread_mutex_unlock(&cache->lock);
}

size_t response_cache_bytes(struct response_cache *cache)
{
	size_t bytes;

	(void)pthread_mutex_lock(&cache->lock);
	bytes = cache->bytes;
	(void)pthread_mutex_unlock(&cache->lock);
	return bytes;
}
