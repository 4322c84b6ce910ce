/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/json_write.h"
#include "server/api.h"
#include "server/api_handlers.h"
#include "server/api_jobs.h"
#include "server/run_pool.h"
#include "server/server_priv.h"
#include "training/supervisor.h"

/* It waits for a worker on a thread of its own. */
struct evaluation_task {
	struct run_task task;
	struct api_request *request;
	const char *json;
	struct err err;
	enum err_code rc;
};

static void run(struct run_task *task)
{
	/* the task is the first member */
	struct evaluation_task *e = (struct evaluation_task *)(void *)task;
	struct api_request *request = e->request;

	e->rc = supervisor_evaluate(request->context->jobs->supervisor,
				    request->param[0], request->arena, &e->json,
				    &e->err);
	api_finish(request);
}

static enum err_code answer(struct api_request *request, struct err *err)
{
	const struct evaluation_task *e = request->state;
	struct json_writer w;

	if (e->rc) {
		if (err)
			*err = e->err;
		return e->rc;
	}
	api_answer_json(request, 200, &w);
	json_write_raw(&w, NULL, e->json, strlen(e->json));
	return ERR_NONE;
}

enum err_code api_jobs_evaluate(struct api_request *request, struct err *err)
{
	struct evaluation_task *e = arena_alloc(request->arena, sizeof(*e));

	if (!request->context->jobs)
		return err_set(err, ERR_NOT_FOUND,
			       "this server does not train");
	if (!e)
		return err_set(err, ERR_NO_MEMORY, "evaluate: out of memory");
	e->task.run = run;
	e->request = request;
	request->state = e;
	request->deadline_ns = CLOCK_FOREVER;
	api_suspend(request, answer);
	(void)run_pool_schedule(request->context->jobs->background, &e->task,
				0);
	return ERR_NONE;
}
