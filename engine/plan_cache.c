/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_cache.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/mutex.h"

/** A plan and its idle instances; in a list, used last first. */
struct entry {
	struct entry *next;
	struct plan *plan;
	uint64_t hash;
	struct fact *input; /* signature; values are in `values` */
	char *values;
	struct instance *idle[PLAN_CACHE_IDLE];
	unsigned n_idle;
};

/** What is looked for. */
struct key {
	const struct signature *signature;
	bool has_values; /**< those of inputs that decide shapes count */
	uint64_t hash;
};

struct plan_cache {
	const struct graph *graph;
	struct plan_cache_options options;
	unsigned n_input;
	bool *wants_value;    /* by input */
	pthread_mutex_t lock; /* guards what follows */
	struct entry *first;
	struct plan_cache_stats stats;
};

/* Shape and Size read no element; what a run shapes stays so. */
static bool hides_values(const struct op *op)
{
	return !strcmp(op->name, "Shape") || !strcmp(op->name, "Size") ||
	       op->flags & OP_DYNAMIC;
}

static enum err_code mark_wanted(const struct graph *graph, bool *wanted,
				 struct err *err);

/** An If may become its branch, which reads captured values. */
/* NOLINTNEXTLINE(misc-no-recursion): bodies nest to a bounded depth */
static enum err_code mark_branches(const struct graph *graph,
				   const struct graph_node *node, bool *wanted,
				   struct err *err)
{
	const int32_t *in = graph_in(graph, node);
	enum err_code rc = ERR_NONE;

	if (strcmp(node->op->name, "If") != 0)
		return ERR_NONE;
	wanted[in[0]] = true;
	for (unsigned i = 0; i < node->n_body && !rc; i++) {
		const struct graph *body = node->body[i];
		bool *inner =
		    mem_array((size_t)body->n_value + 1, sizeof(bool));

		if (!inner)
			return err_set(err, ERR_NO_MEMORY,
				       "plan cache: out of memory");
		rc = mark_wanted(body, inner, err);
		for (int32_t j = 0; j < body->n_input && !rc; j++)
			if (inner[body->input[j]])
				wanted[in[1 + j]] = true;
		mem_free(inner);
	}
	return rc;
}

/** Marks the values that shapes depend on, from the ports that say so back to
 * the inputs. */
/* NOLINTNEXTLINE(misc-no-recursion): bodies nest to a bounded depth */
static enum err_code mark_wanted(const struct graph *graph, bool *wanted,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = graph->n_node - 1; i >= 0 && !rc; i--) {
		const struct graph_node *node = &graph->node[i];
		bool passes_on = false;

		if (!node->op)
			continue;
		for (int32_t j = 0; j < node->n_out; j++) {
			int32_t v = graph_out(graph, node)[j];

			passes_on = passes_on || (v != VALUE_NONE && wanted[v]);
		}
		passes_on = passes_on && !hides_values(node->op);
		for (int32_t j = 0; j < node->n_in; j++) {
			int32_t v = graph_in(graph, node)[j];

			if (v != VALUE_NONE &&
			    (passes_on ||
			     (j < 32 && node->op->value_inputs >> j & 1)))
				wanted[v] = true;
		}
		if (node->n_body)
			rc = mark_branches(graph, node, wanted, err);
	}
	return rc;
}

static enum err_code find_wanted(struct plan_cache *cache, struct err *err)
{
	const struct graph *graph = cache->graph;
	bool *wanted = mem_array((size_t)graph->n_value + 1, sizeof(bool));
	enum err_code rc;

	if (!wanted)
		return err_set(err, ERR_NO_MEMORY, "plan cache: out of memory");
	rc = mark_wanted(graph, wanted, err);
	for (int32_t i = 0; i < graph->n_input && !rc; i++)
		cache->wants_value[i] = wanted[graph->input[i]];
	mem_free(wanted);
	return rc;
}

enum err_code plan_cache_create(const struct graph *graph,
				const struct plan_cache_options *options,
				struct plan_cache **ret_cache, struct err *err)
{
	struct plan_cache *cache = mem_zero(sizeof(*cache));
	enum err_code rc;

	if (!cache)
		return err_set(err, ERR_NO_MEMORY, "plan cache: out of memory");
	mutex_init(&cache->lock);
	cache->graph = graph;
	cache->n_input = (unsigned)graph->n_input;
	if (options)
		cache->options = *options;
	if (!cache->options.max_plans)
		cache->options.max_plans = PLAN_CACHE_PLANS;
	cache->wants_value =
	    mem_array((size_t)cache->n_input + 1, sizeof(*cache->wants_value));
	rc = cache->wants_value
		 ? find_wanted(cache, err)
		 : err_set(err, ERR_NO_MEMORY, "plan cache: out of memory");
	if (rc) {
		plan_cache_destroy(cache);
		return rc;
	}
	*ret_cache = cache;
	return ERR_NONE;
}

static void entry_destroy(struct entry *entry)
{
	if (!entry)
		return;
	for (unsigned i = 0; i < entry->n_idle; i++)
		instance_destroy(entry->idle[i]);
	plan_unref(entry->plan);
	mem_free(entry->input);
	mem_free(entry->values);
	mem_free(entry);
}

void plan_cache_destroy(struct plan_cache *cache)
{
	if (!cache)
		return;
	assert(!cache->stats.n_lent);
	while (cache->first) {
		struct entry *entry = cache->first;

		cache->first = entry->next;
		entry_destroy(entry);
	}
	(void)pthread_mutex_destroy(&cache->lock);
	mem_free(cache->wants_value);
	mem_free(cache);
}

bool plan_cache_wants_value(const struct plan_cache *cache, unsigned i)
{
	return i < cache->n_input && cache->wants_value[i];
}

/** Bytes of input i's value that count in a signature. */
static size_t value_bytes(const struct plan_cache *cache, const struct key *key,
			  unsigned i)
{
	const struct fact *fact = &key->signature->input[i];
	size_t bytes;

	if (!fact->value || !key->has_values || !cache->wants_value[i] ||
	    fact->type.elem == DTYPE_STRING)
		return 0;
	bytes = tensor_bytes(fact->type.elem, &fact->shape);
	return bytes <= PLAN_CACHE_VALUE_BYTES ? bytes : 0;
}

static uint64_t hash_of(const struct plan_cache *cache, const struct key *key)
{
	uint64_t hash = HASH_BEGIN;

	for (unsigned i = 0; i < key->signature->n; i++) {
		const struct fact *fact = &key->signature->input[i];
		const struct shape *shape = &fact->shape;

		hash =
		    hash_mix(hash, &fact->type.elem, sizeof(fact->type.elem));
		hash = hash_mix(hash, &shape->rank, sizeof(shape->rank));
		hash = hash_mix(hash, shape->dim,
				shape->rank * sizeof(*shape->dim));
		hash = hash_mix(hash, fact->value, value_bytes(cache, key, i));
	}
	return hash;
}

static bool has_shapes(const struct entry *entry,
		       const struct signature *signature)
{
	for (unsigned i = 0; i < signature->n; i++) {
		const struct fact *a = &entry->input[i];
		const struct fact *b = &signature->input[i];

		if (a->type.elem != b->type.elem ||
		    !shape_equal(&a->shape, &b->shape))
			return false;
	}
	return true;
}

static bool is_of(const struct plan_cache *cache, const struct entry *entry,
		  const struct key *key)
{
	if (entry->hash != key->hash || !has_shapes(entry, key->signature))
		return false;
	for (unsigned i = 0; i < key->signature->n; i++) {
		const void *a = entry->input[i].value;
		const void *b = key->signature->input[i].value;
		const size_t bytes = value_bytes(cache, key, i);

		if ((a != NULL) != (bytes != 0) ||
		    (bytes && memcmp(a, b, bytes) != 0))
			return false;
	}
	return true;
}

/** The entry of a signature, moved to the front, or NULL. Under the lock. */
static struct entry *find(struct plan_cache *cache, const struct key *key)
{
	struct entry **link = &cache->first, *entry;

	for (; (entry = *link) != NULL; link = &entry->next) {
		if (!is_of(cache, entry, key))
			continue;
		*link = entry->next;
		entry->next = cache->first;
		cache->first = entry;
		return entry;
	}
	return NULL;
}

static size_t bytes_of(const struct plan *plan)
{
	return plan_report(plan)->arena;
}

static struct instance *take_idle(struct plan_cache *cache, struct entry *entry)
{
	if (!entry->n_idle)
		return NULL;
	cache->stats.n_idle--;
	cache->stats.idle_bytes -= bytes_of(entry->plan);
	return entry->idle[--entry->n_idle];
}

static void count_lent(struct plan_cache *cache, const struct plan *plan)
{
	cache->stats.n_lent++;
	cache->stats.lent_bytes += bytes_of(plan);
}

/** Takes the plan or the instance that was used longest ago and is too much.
 * False when the bounds are kept. Under the lock. */
static bool take_victim(struct plan_cache *cache, struct entry **ret_entry,
			struct instance **ret_instance)
{
	struct entry **last = &cache->first, *idle = NULL;
	const size_t max = cache->options.max_bytes;

	*ret_entry = NULL;
	*ret_instance = NULL;
	for (struct entry **link = &cache->first; *link;
	     link = &(*link)->next) {
		last = link;
		if ((*link)->n_idle)
			idle = *link;
	}
	if (*last && cache->stats.n_plans > cache->options.max_plans) {
		struct entry *entry = *last;

		*last = NULL;
		cache->stats.n_plans--;
		cache->stats.n_evicted++;
		cache->stats.n_idle -= entry->n_idle;
		cache->stats.idle_bytes -=
		    entry->n_idle * bytes_of(entry->plan);
		*ret_entry = entry;
		return true;
	}
	if (max && cache->stats.idle_bytes > max && idle) {
		*ret_instance = take_idle(cache, idle);
		return true;
	}
	return false;
}

/** Back to the bounds; what goes is destroyed outside the lock. */
static void trim(struct plan_cache *cache)
{
	struct instance *instance;
	struct entry *entry;
	bool again;

	do {
		(void)pthread_mutex_lock(&cache->lock);
		again = take_victim(cache, &entry, &instance);
		(void)pthread_mutex_unlock(&cache->lock);
		entry_destroy(entry);
		instance_destroy(instance);
	} while (again);
}

/** An entry with a copy of the signature, values only where they count. */
static struct entry *entry_create(const struct plan_cache *cache,
				  const struct key *key)
{
	const size_t n = key->signature->n;
	struct entry *entry = mem_zero(sizeof(*entry));

	if (!entry)
		return NULL;
	entry->hash = key->hash;
	entry->input = mem_array(n + 1, sizeof(*entry->input));
	entry->values = mem_array(n + 1, PLAN_CACHE_VALUE_BYTES);
	if (!entry->input || !entry->values) {
		entry_destroy(entry);
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct fact *fact = &key->signature->input[i];
		const size_t bytes = value_bytes(cache, key, i);
		char *value =
		    entry->values + (size_t)i * PLAN_CACHE_VALUE_BYTES;

		entry->input[i] = *fact;
		entry->input[i].value = NULL;
		if (!bytes)
			continue;
		memcpy(value, fact->value, bytes);
		entry->input[i].value = value;
	}
	return entry;
}

/** Puts a new entry in front, unless another thread was faster. */
static void insert(struct plan_cache *cache, struct entry *entry,
		   const struct key *key)
{
	struct entry *other;

	(void)pthread_mutex_lock(&cache->lock);
	other = find(cache, key);
	if (!other) {
		entry->next = cache->first;
		cache->first = entry;
		cache->stats.n_plans++;
	}
	cache->stats.n_misses++;
	count_lent(cache, entry->plan);
	(void)pthread_mutex_unlock(&cache->lock);
	if (other)
		entry_destroy(entry);
}

static enum err_code add_plan(struct plan_cache *cache, const struct key *key,
			      struct instance **ret, struct err *err)
{
	struct entry *entry = entry_create(cache, key);
	enum err_code rc;

	if (!entry)
		return err_set(err, ERR_NO_MEMORY, "plan cache: out of memory");
	rc = plan_create(cache->graph,
			 &(struct signature){ key->signature->n, entry->input },
			 &cache->options.plan, &entry->plan, err);
	if (!rc)
		rc = instance_create(entry->plan, ret, err);
	if (rc) {
		entry_destroy(entry);
		return rc;
	}
	insert(cache, entry, key);
	trim(cache);
	return ERR_NONE;
}

/** One more instance of a plan, which is handed in counted. */
static enum err_code add_instance(struct plan_cache *cache, struct plan *plan,
				  struct instance **ret, struct err *err)
{
	enum err_code rc = instance_create(plan, ret, err);

	if (!rc) {
		(void)pthread_mutex_lock(&cache->lock);
		cache->stats.n_grown++;
		count_lent(cache, plan);
		(void)pthread_mutex_unlock(&cache->lock);
	}
	plan_unref(plan);
	return rc;
}

/** Values that change with every request must not make a plan each: when half
 * of the plans are of the same shapes, one more serves all other values. Under
 * the lock. */
static bool is_crowded(const struct plan_cache *cache,
		       const struct signature *signature)
{
	unsigned n = 0;

	for (const struct entry *entry = cache->first; entry;
	     entry = entry->next)
		n += has_shapes(entry, signature);
	return n >= cache->options.max_plans / 2 && n > 0;
}

static struct entry *find_or_join(struct plan_cache *cache, struct key *key)
{
	struct entry *entry = find(cache, key);

	if (entry || !is_crowded(cache, key->signature))
		return entry;
	key->has_values = false;
	key->hash = hash_of(cache, key);
	return find(cache, key);
}

enum err_code plan_cache_acquire(struct plan_cache *cache,
				 const struct signature *signature,
				 struct instance **ret_instance,
				 struct err *err)
{
	struct instance *instance = NULL;
	struct plan *plan = NULL;
	struct entry *entry;
	struct key key = { signature, true, 0 };

	if (signature->n != cache->n_input)
		return err_set(err, ERR_INVALID, "expected %u inputs, got %u",
			       cache->n_input, signature->n);
	key.hash = hash_of(cache, &key);
	(void)pthread_mutex_lock(&cache->lock);
	entry = find_or_join(cache, &key);
	if (entry) {
		instance = take_idle(cache, entry);
		plan = entry->plan;
	}
	if (instance) {
		cache->stats.n_hits++;
		count_lent(cache, plan);
	} else if (plan) {
		(void)plan_ref(plan);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	if (instance) {
		*ret_instance = instance;
		return ERR_NONE;
	}
	return plan ? add_instance(cache, plan, ret_instance, err)
		    : add_plan(cache, &key, ret_instance, err);
}

void plan_cache_release(struct plan_cache *cache, struct instance *instance)
{
	struct plan *plan;
	struct entry *entry;

	if (!instance)
		return;
	plan = instance_plan(instance);
	(void)pthread_mutex_lock(&cache->lock);
	cache->stats.n_lent--;
	cache->stats.lent_bytes -= bytes_of(plan);
	entry = cache->first;
	while (entry && entry->plan != plan)
		entry = entry->next;
	if (entry && entry->n_idle < PLAN_CACHE_IDLE) {
		entry->idle[entry->n_idle++] = instance;
		cache->stats.n_idle++;
		cache->stats.idle_bytes += bytes_of(plan);
		instance = NULL;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	instance_destroy(instance);
	trim(cache);
}

enum { FOLLOW_INSTANCES = 2 }; /* runs at the same time, at first */

/* What is copied of a plan's entry, to make it anew elsewhere. */
struct followed {
	struct fact *input;
	unsigned n_idle;
};

/** Copies the entries, at most max of them, in the order of their last use, at
 * one moment: they change places with every run. `input` and `values` have room
 * for those of all. */
static unsigned copy_entries(struct plan_cache *cache, unsigned max,
			     struct followed *followed, struct fact *input,
			     char *values)
{
	const size_t k = cache->n_input;
	const struct entry *entry;
	unsigned n = 0;

	(void)pthread_mutex_lock(&cache->lock);
	for (entry = cache->first; entry && n < max; entry = entry->next) {
		followed[n].input = input + n * k;
		followed[n].n_idle = entry->n_idle;
		memcpy(input + n * k, entry->input, k * sizeof(*input));
		memcpy(values + n * k * PLAN_CACHE_VALUE_BYTES, entry->values,
		       k * PLAN_CACHE_VALUE_BYTES);
		n++;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	for (size_t j = 0; j < n * k; j++)
		if (input[j].value)
			input[j].value = values + j * PLAN_CACHE_VALUE_BYTES;
	return n;
}

/** A plan, and as many instances as were idle; false: there is no plan. */
static bool follow_one(struct plan_cache *cache, const struct followed *one)
{
	const struct signature signature = { cache->n_input, one->input };
	struct instance *instance[FOLLOW_INSTANCES];
	unsigned n = 0;
	struct err err;

	while (n < FOLLOW_INSTANCES && (n == 0 || n < one->n_idle) &&
	       !plan_cache_acquire(cache, &signature, &instance[n], &err))
		n++;
	for (unsigned i = 0; i < n; i++)
		plan_cache_release(cache, instance[i]);
	return n > 0;
}

unsigned plan_cache_follow(struct plan_cache *cache, struct plan_cache *from)
{
	const size_t k = from->n_input;
	struct plan_cache_stats stats;
	struct followed *followed;
	unsigned n_made = 0, n = 0;
	struct fact *input;
	char *values;

	plan_cache_stats(from, &stats);
	if (cache->n_input != k)
		return 0;
	followed = mem_array(stats.n_plans + 1, sizeof(*followed));
	input = mem_array((stats.n_plans + 1) * (k + 1), sizeof(*input));
	values =
	    mem_array((stats.n_plans + 1) * (k + 1), PLAN_CACHE_VALUE_BYTES);
	if (followed && input && values)
		n = copy_entries(from, (unsigned)stats.n_plans, followed, input,
				 values);
	/* the one used last is made last, and so is used last here, too */
	while (n > 0)
		n_made += follow_one(cache, &followed[--n]);
	mem_free(followed);
	mem_free(input);
	mem_free(values);
	return n_made;
}

void plan_cache_stats(struct plan_cache *cache, struct plan_cache_stats *ret)
{
	(void)pthread_mutex_lock(&cache->lock);
	*ret = cache->stats;
	(void)pthread_mutex_unlock(&cache->lock);
}
