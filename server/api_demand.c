/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_demand.h"

#include "base/str.h"

#include <stddef.h>

#include "base/clock.h"
#include "server/model_cache.h"
#include "server/model_park.h"
#include "server/rate.h"
#include "server/route.h"
#include "server/run_pool.h"
#include "server/server_priv.h"

static enum err_code find(struct api_request *request, const char *name,
			  const char *version, struct served_model **ret_model,
			  struct err *err)
{
	struct model_cache *models = request->context->models;
	int64_t number;
	enum err_code rc;

	if (!name)
		return model_cache_find_only(models, ret_model, err);
	rc = model_cache_version(models, name, version, &number, err);
	return rc ? rc : model_cache_find(models, name, number, ret_model, err);
}

enum err_code api_find_model(struct api_request *request, const char *name,
			     const char *version,
			     struct served_model **ret_model, struct err *err)
{
	enum err_code rc;

	/* another load may have pushed it out since */
	if (request->granted) {
		*ret_model = request->granted;
		request->granted = NULL;
		return ERR_NONE;
	}
	rc = find(request, name, version, ret_model, err);
	request->is_demanding =
	    rc && model_cache_is_parked(request->context->models, name);
	request->demanded = name;
	request->demanded_version = version;
	if (name)
		request->served.model = name;
	return rc;
}

struct demand {
	struct run_task task;
	struct api_request *request;
};

static void load(struct run_task *task)
{
	struct demand *demand =
	    (struct demand *)(void *)((char *)task -
				      offsetof(struct demand, task));
	struct api_request *request = demand->request;
	struct err err;

	model_cache_stand_back();
	/* why there is none is told to the handler, which asks again */
	if (model_cache_demand(request->context->models, request->demanded,
			       request->demanded_version, &request->granted,
			       &err))
		request->granted = NULL;
	api_finish(request);
}

static enum err_code again(struct api_request *request, struct err *err)
{
	request->then = NULL;
	if (clock_monotonic_ns() >= request->deadline_ns)
		return err_set(err, ERR_DEADLINE,
			       "the deadline passed while the model was being "
			       "loaded");
	return request->route->handler(request, err);
}

bool api_demand(struct api_request *request)
{
	struct demand *demand;

	if (!request->is_demanding || request->has_demanded)
		return false;
	request->has_demanded = true;
	demand = arena_alloc(request->arena, sizeof(*demand));
	if (!demand)
		return false;
	demand->task.run = load;
	demand->request = request;
	api_suspend(request, again);
	(void)run_pool_schedule(request->context->background, &demand->task, 0);
	return true;
}

/* --- before the body --- */

static enum err_code refuse_rate(struct api_request *request, int64_t wait_ns,
				 const char *whose, struct err *err)
{
	request->retry_s = 1 + wait_ns / 1000000000;
	return err_set(err, ERR_RATE,
		       "%s is beyond its rate of requests; the next one is "
		       "taken in %lld ms",
		       whose, (long long)(wait_ns / 1000000 + 1));
}

enum err_code api_take_rate(struct api_request *request, struct rate *rate,
			    const char *whose, struct err *err)
{
	const int64_t wait_ns =
	    rate ? rate_take(rate, clock_monotonic_ns()) : 0;

	return wait_ns ? refuse_rate(request, wait_ns, whose, err) : ERR_NONE;
}

static enum err_code refuse_model(struct api_request *request, int64_t wait_ns,
				  const char *name, struct err *err)
{
	char whose[96];

	(void)snprintf(whose, sizeof(whose), "model '%.80s'", name);
	return refuse_rate(request, wait_ns, whose, err);
}

/* A request of a higher priority may make itself room. */
static enum err_code check_queue(struct served_model *model, struct err *err)
{
	const struct batcher_options *options = batcher_options(model->batcher);

	if (model->priority_levels || !batcher_is_full(model->batcher))
		return ERR_NONE;
	model_stats_answered(model->stats, ERR_BUSY, 0);
	return err_set(err, ERR_BUSY, "model '%s': %u requests wait already",
		       options->name, options->max_queued);
}

enum err_code api_admit(struct api_request *request, const char *name,
			const char *version, struct err *err)
{
	struct model_cache *models = request->context->models;
	struct served_model *model;
	int64_t wait_ns;
	enum err_code rc;

	if (request->is_admitted)
		return ERR_NONE;
	request->is_admitted = true;
	wait_ns = model_cache_take_rate(models, name);
	if (wait_ns)
		return refuse_model(request, wait_ns, name, err);
	/* what it finds wrong, the handler finds too and tells */
	if (find(request, name, version, &model, NULL))
		return ERR_NONE;
	rc = check_queue(model, err);
	served_model_unref(model);
	return rc;
}

/* A client that waits for a word before it sends the body need not send it to a
 * model that is not there. */
static enum err_code check_model(struct api_request *request, const char *name,
				 struct err *err)
{
	struct model_cache *models = request->context->models;
	struct served_model *model;
	enum err_code rc;

	if (!api_client_waits(request))
		return ERR_NONE;
	rc = find(request, name, request->param[1], &model, err);
	if (!rc)
		served_model_unref(model);
	/* the handler loads one that is parked */
	return rc && model_cache_is_parked(models, name) ? ERR_NONE : rc;
}

enum err_code api_admit_head(struct api_request *request, struct err *err)
{
	const char *name = request->param[0];
	enum err_code rc;

	if (!name)
		name =
		    model_cache_sole(request->context->models, request->arena);
	if (!name)
		return ERR_NONE;
	request->served.model = name;
	rc = api_admit(request, name, request->param[1], err);
	return rc ? rc : check_model(request, name, err);
}

enum err_code api_version_wanted(const struct api_request *request,
				 int64_t *ret_version, struct err *err)
{
	*ret_version = 0;
	if (!request->param[1])
		return ERR_NONE;
	return model_cache_version(request->context->models, request->param[0],
				   request->param[1], ret_version, err);
}

enum err_code api_no_version(const struct api_request *request, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "model '%.128s' has no version '%.32s'",
		       request->param[0], request->param[1]);
}
