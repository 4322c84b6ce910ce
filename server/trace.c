/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/str.h"
#include "server/inference.h"
#include "server/trace_priv.h"

/* Settings of the server or of one model. */
struct owner {
	struct owner *next;
	char *model; /* NULL: the server */
	bool has[TRACE_KEYS];
	struct trace_settings settings;
	uint64_t n_seen;
};

struct trace {
	atomic_bool is_on; /* anywhere */
	pthread_mutex_t lock;
	struct owner server; /* first of the list */
	unsigned n_models;
	uint64_t n_followed;
};

static const struct trace_settings defaults = {
	.value = { [TRACE_LEVEL] = 0, [TRACE_RATE] = 1000, [TRACE_COUNT] = -1 }
};

enum err_code trace_create(struct trace **ret_trace, struct err *err)
{
	struct trace *trace = mem_zero(sizeof(*trace));

	if (!trace)
		return err_set(err, ERR_NO_MEMORY, "trace: out of memory");
	(void)pthread_mutex_init(&trace->lock, NULL);
	trace->server.settings = defaults;
	*ret_trace = trace;
	return ERR_NONE;
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	for (struct owner *o = trace->server.next, *next; o; o = next) {
		next = o->next;
		mem_free(o->model);
		mem_free(o);
	}
	(void)pthread_mutex_destroy(&trace->lock);
	mem_free(trace);
}

static struct owner *find(struct trace *trace, const char *model)
{
	struct owner *owner = trace->server.next;

	if (!model)
		return &trace->server;
	while (owner && !str_equal(owner->model, model))
		owner = owner->next;
	return owner;
}

/* Whose setting of that key counts for a model; owner NULL: it has none. */
static struct owner *owner_of(struct trace *trace, struct owner *owner,
			      enum trace_key key)
{
	return owner && owner->has[key] ? owner : &trace->server;
}

void trace_read(struct trace *trace, const char *model,
		struct trace_settings *ret_settings)
{
	struct owner *owner;

	(void)pthread_mutex_lock(&trace->lock);
	owner = find(trace, model);
	for (enum trace_key key = 0; key < TRACE_KEYS; key++)
		ret_settings->value[key] =
		    owner_of(trace, owner, key)->settings.value[key];
	(void)pthread_mutex_unlock(&trace->lock);
}

static enum err_code add_model(struct trace *trace, const char *model,
			       struct owner **ret_owner, struct err *err)
{
	struct owner *owner;

	if (trace->n_models == TRACE_MODELS_MAX)
		return err_set(err, ERR_CONFLICT,
			       "%d models have trace settings of their own "
			       "already",
			       TRACE_MODELS_MAX);
	owner = mem_zero(sizeof(*owner));
	if (owner)
		owner->model = mem_strdup(model);
	if (!owner || !owner->model) {
		mem_free(owner);
		return err_set(err, ERR_NO_MEMORY, "trace: out of memory");
	}
	owner->next = trace->server.next;
	trace->server.next = owner;
	trace->n_models++;
	*ret_owner = owner;
	return ERR_NONE;
}

static void apply(struct trace *trace, struct owner *owner,
		  const struct trace_change *change)
{
	const bool is_server = owner == &trace->server;
	bool is_on = false;

	for (enum trace_key key = 0; key < TRACE_KEYS; key++) {
		if (!change->has[key])
			continue;
		owner->has[key] = !change->clears[key];
		owner->settings.value[key] = change->clears[key] && is_server
						 ? defaults.value[key]
						 : change->to.value[key];
	}
	owner->n_seen = 0;
	for (struct owner *o = &trace->server; o; o = o->next)
		is_on = is_on || o->settings.value[TRACE_LEVEL];
	atomic_store(&trace->is_on, is_on);
}

enum err_code trace_set(struct trace *trace, const char *model,
			const struct trace_change *change, struct err *err)
{
	struct owner *owner;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&trace->lock);
	owner = find(trace, model);
	if (!owner)
		rc = add_model(trace, model, &owner, err);
	if (!rc)
		apply(trace, owner, change);
	(void)pthread_mutex_unlock(&trace->lock);
	return rc;
}

/* The level of this request, 0 when it is not followed. */
static int64_t take_turn(struct trace *trace, const char *model,
			 uint64_t *ret_number)
{
	struct owner *owner = find(trace, model);
	struct owner *counts = owner_of(trace, owner, TRACE_COUNT);
	struct owner *rated = owner_of(trace, owner, TRACE_RATE);
	const int64_t level =
	    owner_of(trace, owner, TRACE_LEVEL)->settings.value[TRACE_LEVEL];
	int64_t *left = &counts->settings.value[TRACE_COUNT];

	if (!level || !*left)
		return 0;
	if (rated->n_seen++ % (uint64_t)rated->settings.value[TRACE_RATE])
		return 0;
	if (*left > 0)
		--*left;
	*ret_number = ++trace->n_followed;
	return level;
}

void trace_request(struct trace *trace, const struct inference *inference)
{
	uint64_t number = 0;
	int64_t level;

	if (!trace ||
	    !atomic_load_explicit(&trace->is_on, memory_order_relaxed))
		return;
	(void)pthread_mutex_lock(&trace->lock);
	level = take_turn(trace, inference->model->package->name, &number);
	(void)pthread_mutex_unlock(&trace->lock);
	if (level)
		trace_write(number, level, inference);
}
