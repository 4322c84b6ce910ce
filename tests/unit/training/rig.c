/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/training/rig.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/kernels/blas.h"

enum { ARENA = 64 << 20 };

static void take_step(void *ctx, const struct trainer_progress *progress)
{
	struct rig *rig = ctx;

	cr_expect(progress->step > 0 &&
		  progress->step <= progress->total_steps);
	rig->n_steps++;
}

static void take_eval(void *ctx, const struct trainer_eval *eval)
{
	struct rig *rig = ctx;

	if (rig->n_evals < (int)(sizeof(rig->eval) / sizeof(rig->eval[0])))
		rig->eval[rig->n_evals++] = *eval;
}

static void take_checkpoint(void *ctx, int64_t step, const char *name)
{
	struct rig *rig = ctx;

	cr_expect(step >= 0 && str_starts_with(name, "ckpt-"));
	rig->n_checkpoints++;
}

static void take_rate(void *ctx, const struct lr_curve *curve, double rate)
{
	struct rig *rig = ctx;

	cr_expect_gt(curve->n, 0);
	rig->n_found++;
	rig->found = rate;
}

static void take_warning(void *ctx, const char *code, const char *message)
{
	struct rig *rig = ctx;

	cr_expect(*message);
	for (int i = 0; i <= DIAGNOSIS_PLATEAU; i++) {
		if (str_equal(code, diagnosis_name((enum diagnosis)i)))
			return; /* the evaluations tell */
	}
	rig->n_warnings++;
	(void)str_copy(rig->warning, sizeof(rig->warning), code);
}

static enum trainer_order give_order(void *ctx)
{
	struct rig *rig = ctx;

	return ++rig->n_polls == rig->order_at ? rig->order : ORDER_NONE;
}

static void read_spec(struct rig *rig, const char *text)
{
	const char *whole =
	    arena_printf(rig->arena, "%s%s%s%s",
			 strstr(text, "data:")
			     ? ""
			     : "data: {source: synthetic, rows: 100, split:"
			       " {probabilities: [0.7, 0.2, 0.1]}}\n",
			 strstr(text, "input_features:")
			     ? ""
			     : "input_features: [{name: x, type: image, shape: "
			       "[1, 6, 6]}]\n",
			 strstr(text, "output_features:")
			     ? ""
			     : "output_features: [{name: y, type: category, "
			       "num_classes: 4}]\n",
			 text);

	cr_assert_eq(job_spec_parse(whole, strlen(whole), "rig", &rig->spec,
				    rig->arena, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

static void open_data(struct rig *rig)
{
	const struct dataset_options options = {
		.spec = &rig->spec.data,
		.pipeline = rig->pipeline,
		.seed = (uint64_t)rig->spec.trainer.seed,
	};

	cr_assert_eq(dataset_create(&options, &rig->dataset, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	cr_assert_eq(dataset_fit(rig->dataset, rig->pipeline, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

static void build(struct rig *rig)
{
	struct network_port in[STEPPER_MAX_PORTS];
	struct network_target out;
	const struct network_request request = {
		.model = rig->spec.model,
		.in = in,
		.out = &out,
		.n_in = pipeline_n_inputs(rig->pipeline),
		.n_out = 1,
		.seed = (uint64_t)rig->spec.trainer.seed,
	};

	cr_assert_eq(network_ports(rig->pipeline, in, STEPPER_MAX_PORTS, &out,
				   &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	cr_assert_eq(network_build(&request, &rig->network, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

void rig_begin(struct rig *rig, const char *text, unsigned threads)
{
	*rig = (struct rig){ .arena = arena_create(ARENA), .threads = threads };
	rig->events = (struct trainer_events){
		.ctx = rig,
		.step = take_step,
		.eval = take_eval,
		.checkpoint = take_checkpoint,
		.lr_find = take_rate,
		.warning = take_warning,
		.poll = give_order,
	};
	cr_assert_eq(blas_init(&rig->err), ERR_NONE, "%s", rig->err.msg);
	read_spec(rig, text);
	cr_assert_eq(pipeline_create(rig->spec.input_features,
				     rig->spec.output_features, &rig->pipeline,
				     &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	open_data(rig);
	build(rig);
	cr_assert_eq(pool_create(threads - 1, &rig->pool, &rig->err), ERR_NONE,
		     "%s", rig->err.msg);
}

void rig_create(struct rig *rig, const char *dir)
{
	const struct trainer_options options = {
		.spec = &rig->spec,
		.dataset = rig->dataset,
		.pipeline = rig->pipeline,
		.graph = rig->network.graph,
		.state = rig->network.state,
		.pool = rig->pool,
		.threads = rig->threads,
		.job_dir = dir,
		.spec_digest = "00",
		.events = &rig->events,
	};

	cr_assert_eq(trainer_create(&options, &rig->trainer, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

void rig_run(struct rig *rig, const char *dir)
{
	rig_create(rig, dir);
	cr_assert_eq(trainer_run(rig->trainer, &rig->result, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

void rig_end(struct rig *rig)
{
	trainer_destroy(rig->trainer);
	pool_destroy(rig->pool);
	graph_destroy(rig->network.graph);
	dataset_destroy(rig->dataset);
	pipeline_destroy(rig->pipeline);
	arena_destroy(rig->arena);
}

void rig_weights(const struct rig *rig, struct buf *ret)
{
	const struct graph *graph = rig->network.graph;

	buf_init(ret, ARENA);
	for (int32_t v = 0; v < graph->n_variable; v++) {
		const struct variable *variable = &graph->variable[v];

		buf_put(
		    ret, variable->view.data,
		    tensor_bytes(variable->view.dtype, &variable->view.shape));
	}
	cr_assert_eq(buf_check(ret, "weights", NULL), ERR_NONE);
}

void rig_set_weights(struct rig *rig, const struct buf *from)
{
	const struct graph *graph = rig->network.graph;
	const char *at = from->data;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		const struct variable *variable = &graph->variable[v];
		const size_t bytes =
		    tensor_bytes(variable->view.dtype, &variable->view.shape);

		memcpy(variable->view.data, at, bytes);
		at += bytes;
	}
}

void rig_make_dir(char dir[64])
{
	/* memory, where there is such a folder: syncing it costs nothing */
	(void)snprintf(dir, 64, "/dev/shm/predictd-test-XXXXXX");
	if (mkdtemp(dir))
		return;
	(void)snprintf(dir, 64, "/tmp/predictd-test-XXXXXX");
	cr_assert(mkdtemp(dir));
}

void rig_remove_dir(const char *dir)
{
	cr_assert_eq(file_remove_tree(dir, NULL), ERR_NONE);
}

double rig_figure(const struct trainer_eval *eval, const char *name)
{
	for (size_t i = 0; eval->name && eval->name[i]; i++) {
		if (str_equal(eval->name[i], name))
			return eval->value[i];
	}
	return (double)NAN;
}

bool rig_attempt(const char *text, const char *dir, enum trainer_order order,
		 int64_t at, struct rig_outcome *ret_outcome)
{
	struct rig rig;
	bool is_over;

	rig_begin(&rig, text, 1);
	rig.order = order;
	rig.order_at = at;
	rig_run(&rig, dir);
	ret_outcome->result = rig.result;
	ret_outcome->result.last.name = ret_outcome->result.best.name = NULL;
	ret_outcome->n_polls = rig.n_polls;
	rig_weights(&rig, &ret_outcome->weights);
	is_over = rig.result.reason != STOP_PAUSED &&
		  rig.result.reason != STOP_INTERRUPTED &&
		  rig.result.reason != STOP_CANCELLED;
	rig_end(&rig);
	if (!is_over)
		buf_finish(&ret_outcome->weights);
	return is_over;
}

bool rig_is_same_eval(const struct trainer_eval *a,
		      const struct trainer_eval *b)
{
	for (size_t i = 0; i < 3 * METRIC_MAX; i++) {
		if (memcmp(&a->value[i], &b->value[i], sizeof(double)) != 0 &&
		    !(isnan(a->value[i]) && isnan(b->value[i])))
			return false;
	}
	return a->epoch == b->epoch && a->step == b->step;
}

void rig_expect_same(const char *text, int64_t at,
		     const struct rig_outcome *got,
		     const struct rig_outcome *want)
{
	cr_expect_eq(got->result.reason, want->result.reason,
		     "%s poll %lld: reason %d", text, (long long)at,
		     (int)got->result.reason);
	cr_expect(got->weights.len == want->weights.len &&
		      memcmp(got->weights.data, want->weights.data,
			     want->weights.len) == 0,
		  "%s poll %lld: other weights", text, (long long)at);
	cr_expect(rig_is_same_eval(&got->result.last, &want->result.last),
		  "%s poll %lld: other figures", text, (long long)at);
	cr_expect_eq(got->result.best.step, want->result.best.step,
		     "%s poll %lld: best of another step", text, (long long)at);
}
