/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Whole runs against PyTorch: the same start and the same batches of
 * scikit-learn's digits, the loss of each of 25 steps, and the logits
 * afterwards.
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>

#include "base/str.h"
#include "engine/kernels/blas.h"
#include "models/network.h"
#include "reference.h"
#include "training/stepper.h"

/* Strict sums must agree as README.md says, others may be Winograd's. */
static const struct way {
	bool is_strict;
	double loss, logits; /* tolerances */
} ways[] = { { true, 1e-4, 1e-3 }, { false, 1e-3, 1e-3 } };

enum { PIXELS = 64, CLASSES = 10, BATCH = 64, LOGIT_ROWS = 32 };

/* How a network of the file is spelled in a job, and where its tensors are. */
struct row {
	const char *name, *model;
	struct shape input;
	struct {
		const char *ours, *theirs;
	} prefix[4];
};

/* clang-format off */
static const struct row rows[] = {
	{ .name = "mlp",
	  .model = "layers: [{type: linear, out_features: 32}, {type: silu},"
		   " {type: linear, out_features: 10}]",
	  .input = { .rank = 1, .dim = { PIXELS } },
	  .prefix = { { "0.", "0." }, { "2.", "2." } } },
	{ .name = "cnn",
	  .model = "layers: [{type: conv2d, out_channels: 8, kernel_size: 3,"
		   "          padding: 1, bias: false},"
		   " {type: batch_norm}, {type: silu},"
		   " {type: avg_pool2d, kernel_size: 2},"
		   " {type: conv2d, out_channels: 16, kernel_size: 3, padding: 1},"
		   " {type: silu}, {type: avg_pool2d, kernel_size: 2},"
		   " {type: flatten}, {type: linear, out_features: 10}]",
	  .input = { .rank = 3, .dim = { 1, 8, 8 } },
	  .prefix = { { "0.", "c1." }, { "1.", "b1." }, { "4.", "c2." },
		      { "8.", "f." } } },
	{ .name = "lstm",
	  .model = "layers: [{type: lstm, hidden_size: 16, output: last},"
		   " {type: linear, out_features: 10}]",
	  .input = { .rank = 2, .dim = { 8, 8 } },
	  .prefix = { { "0.", "r." }, { "1.", "f." } } },
};
/* clang-format on */

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (str_equal(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

struct run {
	const struct reference *reference;
	const struct row *row;
	const struct way *way;
	const char *name; /* of the optimizer in the file */
	struct network network;
	struct optimizer optimizer;
	double rate;
	struct stepper *stepper;
};

static const struct tensor_view *start_of(const struct run *run,
					  const char *theirs, const char *part)
{
	return reference_get(run->reference, "%s.init.%s%s", run->row->name,
			     theirs, part);
}

/* Rows of gates as ONNX has them, from PyTorch's i, f, g, o; what follows. */
static float *put_gates(const struct tensor_view *from, float *to)
{
	static const size_t order[] = { 0, 3, 1, 2 };
	const size_t n = (size_t)shape_count(&from->shape) / 4;

	for (int i = 0; i < 4; i++)
		memcpy(to + (size_t)i * n,
		       (const float *)from->data + order[i] * n,
		       n * sizeof(*to));
	return to + 4 * n;
}

static void load_part(const struct run *run, struct variable *variable,
		      const char *theirs, const char *part)
{
	const struct tensor_view *from;
	float *to = variable->view.data;

	if (str_equal(part, "bias_l0")) {
		to = put_gates(start_of(run, theirs, "bias_ih_l0"), to);
		to = put_gates(start_of(run, theirs, "bias_hh_l0"), to);
	} else if (str_ends_with(part, "_l0")) {
		to = put_gates(start_of(run, theirs, part), to);
	} else {
		from = start_of(run, theirs, part);
		cr_assert(shape_equal(&from->shape, &variable->view.shape),
			  "'%s' has another shape", variable->name);
		memcpy(to, from->data, tensor_bytes(from->dtype, &from->shape));
		to += shape_count(&from->shape);
	}
	cr_assert_eq(to - (float *)variable->view.data,
		     shape_count(&variable->view.shape),
		     "'%s' is of another "
		     "size",
		     variable->name);
}

static void load_start(const struct run *run)
{
	struct graph *graph = run->network.graph;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		struct variable *variable = &graph->variable[v];
		bool is_there = false;

		if (variable->role != ROLE_PARAM &&
		    variable->role != ROLE_STATE)
			continue;
		for (int i = 0; i < 4 && !is_there; i++) {
			const char *ours = run->row->prefix[i].ours;

			is_there =
			    ours && str_starts_with(variable->name, ours);
			if (is_there)
				load_part(run, variable,
					  run->row->prefix[i].theirs,
					  variable->name + strlen(ours));
		}
		cr_assert(is_there, "'%s' has no start", variable->name);
	}
}

static void build(struct run *run)
{
	struct network_port in = { .name = "x",
				   .dtype = DTYPE_F32,
				   .row = run->row->input };
	const struct network_target out = { "y", CLASSES, false };
	struct network_request request = {
		.in = &in, .n_in = 1, .out = &out, .n_out = 1
	};
	struct err err = { .code = ERR_NONE };
	struct doc *model;

	cr_assert_eq(doc_parse_yaml(run->row->model, strlen(run->row->model),
				    run->row->name, run->reference->arena,
				    &model, &err),
		     ERR_NONE, "%s", err.msg);
	request.model = model;
	cr_assert_eq(network_build(&request, &run->network, &err), ERR_NONE,
		     "%s: %s", run->row->name, err.msg);
	load_start(run);
}

/* PyTorch's arguments as a job's map: "sgd_nesterov_wd" is of type sgd. */
static void read_optimizer(struct run *run, const struct doc *arguments)
{
	struct arena *arena = run->reference->arena;
	struct doc *map = doc_new(arena, DOC_MAP);
	const char *end = strchr(run->name, '_');
	size_t len = end ? (size_t)(end - run->name) : strlen(run->name);
	struct err err = { .code = ERR_NONE };

	cr_assert(arguments, "optimizers.json has no '%s'", run->name);
	doc_add(map, "type",
		doc_new_text(arena, arena_strndup(arena, run->name, len)));
	for (const struct doc *at = arguments->first; at; at = at->next) {
		struct doc *copy = doc_new(arena, at->kind);

		*copy = *at;
		copy->next = NULL;
		if (str_equal(at->key, "lr"))
			run->rate = at->number;
		else
			doc_add(map, at->key, copy);
	}
	if (str_equal(run->name, "rmsprop"))
		run->rate =
		    doc_find(run->reference->meta, "rmsprop_lr")->number;
	cr_assert_eq(optimizer_read(map, &run->optimizer, arena, &err),
		     ERR_NONE, "%s: %s", run->name, err.msg);
}

static void make_stepper(struct run *run)
{
	struct stepper_port input = { DTYPE_F32, run->row->input };
	const struct stepper_options options = {
		.optimizer = &run->optimizer,
		.loss = { .op = "SoftmaxCrossEntropy",
			  .target = { .elem = DTYPE_I64 } },
		.input = &input,
		.n_inputs = 1,
		.target = { .dtype = DTYPE_I64 },
		.threads = 1,
		.strict_numerics = run->way->is_strict,
	};
	struct stepper_options with_loss = options;
	struct loss loss;
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(loss_read(NULL, "category", CLASSES, &loss,
			       run->reference->arena, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(loss_for_step(&loss, CLASSES, run->reference->arena,
				   &with_loss.loss, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(
	    stepper_create(run->network.graph, &with_loss, &run->stepper, &err),
	    ERR_NONE, "%s", err.msg);
}

/* Rows of the digits, by number; rows NULL: the first n. */
static void gather(const struct reference *reference, const int64_t *rows_of,
		   int64_t n, float *x, int64_t *y)
{
	const float *data = reference_get(reference, "data.x")->data;
	const int64_t *labels = reference_get(reference, "data.y")->data;

	for (int64_t i = 0; i < n; i++) {
		int64_t row = rows_of ? rows_of[i] : i;

		memcpy(x + i * PIXELS, data + row * PIXELS,
		       PIXELS * sizeof(float));
		y[i] = labels[row];
	}
}

static void check_losses(struct run *run)
{
	const struct tensor_view *batches =
	    reference_get(run->reference, "batches");
	const float *want = reference_get(run->reference, "%s.%s.loss",
					  run->row->name, run->name)
				->data;
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(batches->shape.dim[1], BATCH);
	for (int64_t i = 0; i < batches->shape.dim[0]; i++) {
		float x[BATCH * PIXELS];
		int64_t y[BATCH];
		void *inputs[] = { x };
		const struct stepper_batch batch = { .n = BATCH,
						     .input = inputs,
						     .target = y };
		const struct stepper_update update = {
			.step = (uint64_t)i + 1,
			.rate = run->rate,
			.momentum = (double)NAN,
		};
		struct stepper_result result;

		gather(run->reference,
		       (const int64_t *)batches->data + i * BATCH, BATCH, x, y);
		cr_assert_eq(
		    stepper_step(run->stepper, &batch, &update, &result, &err),
		    ERR_NONE, "%s", err.msg);
		cr_expect(fabs(result.loss - (double)want[i]) <=
			      run->way->loss * (double)want[i],
			  "%s with %s, step %lld: loss %.7g, expected %.7g",
			  run->row->name, run->name, (long long)i + 1,
			  result.loss, (double)want[i]);
	}
}

static void check_logits(struct run *run)
{
	float x[LOGIT_ROWS * PIXELS];
	int64_t y[LOGIT_ROWS];
	void *inputs[] = { x };
	const struct stepper_batch batch = { .n = LOGIT_ROWS,
					     .input = inputs,
					     .target = y };
	struct stepper_result result;
	struct err err = { .code = ERR_NONE };
	char what[64];

	gather(run->reference, NULL, LOGIT_ROWS, x, y);
	cr_assert_eq(stepper_evaluate(run->stepper, &batch, &result, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(result.width, CLASSES);
	snprintf(what, sizeof(what), "%s with %s, logits", run->row->name,
		 run->name);
	reference_compare(what,
			  reference_get(run->reference, "%s.%s.logits",
					run->row->name, run->name),
			  result.output, run->way->logits);
}

static void check_run(const struct run *what, const struct doc *arguments)
{
	struct run run = *what;

	build(&run);
	read_optimizer(&run, arguments);
	make_stepper(&run);
	check_losses(&run);
	check_logits(&run);
	stepper_destroy(run.stepper);
	graph_destroy(run.network.graph);
}

Test(runs, agree_with_pytorch_step_by_step)
{
	struct reference runs, optimizers;
	const struct doc *names;
	unsigned n_done = 0;
	struct err err = { .code = ERR_NONE };

	cr_assert_eq(blas_init(&err), ERR_NONE, "%s", err.msg);
	reference_open("runs", &runs);
	reference_open_meta("optimizers", &optimizers);
	names = doc_find(runs.meta, "optimizers");
	for (const struct doc *net = doc_find(runs.meta, "networks")->first;
	     net; net = net->next) {
		const struct row *row = find_row(net->key);

		for (const struct doc *at = names->first; row && at;
		     at = at->next) {
			for (size_t i = 0; i < sizeof(ways) / sizeof(*ways);
			     i++)
				check_run(&(struct run){ .reference = &runs,
							 .row = row,
							 .way = &ways[i],
							 .name = at->text },
					  doc_find(optimizers.meta, at->text));
			n_done++;
		}
	}
	reference_expect_all_seen(&runs);
	reference_close(&runs);
	reference_close(&optimizers);
	cr_assert(n_done >= 15, "only %u runs were compared", n_done);
}

Test(runs, all_networks_of_the_file_are_known)
{
	struct reference runs;

	reference_open_meta("runs", &runs);
	for (const struct doc *net = doc_find(runs.meta, "networks")->first;
	     net; net = net->next)
		cr_expect(find_row(net->key), "no test for '%s'", net->key);
	reference_close(&runs);
}
