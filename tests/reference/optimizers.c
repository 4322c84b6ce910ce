/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizers against PyTorch: the same start and the same gradients, and the
 * parameters after 1, 2, 10 and 20 steps.
 */
#include "engine/ops/optimizer.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"
#include "reference.h"

enum { N_STEPS = 20, N_TENSORS = 2, MAX_FLAT = 64, MAX_TEXT = 512 };

/* op NULL: not there yet; the numbers of a rule stand in the JSON */
struct rule {
	const char *name, *op;
	struct optimizer_attrs attrs;
	struct optimizer_setting defaults; /* PyTorch's */
};

/* clang-format off */
#define NO_FLAG { .momentum = 0 }
#define SGD_DEFAULTS { .rate = 1e-3 }
#define RMSPROP_DEFAULTS { .rate = 1e-2, .square = 0.99, .eps = 1e-8 }
#define ADAM_DEFAULTS { .rate = 1e-3, .momentum = 0.9, .square = 0.999, .eps = 1e-8 }

static const struct rule rules[] = {
	{ "sgd", "Sgd", NO_FLAG, SGD_DEFAULTS },
	{ "sgd_momentum", "Sgd", { .momentum = 1 }, SGD_DEFAULTS },
	{ "sgd_nesterov_wd", "Sgd", { .momentum = 1, .nesterov = 1 }, SGD_DEFAULTS },
	{ "sgd_dampening", "Sgd", { .momentum = 1 }, SGD_DEFAULTS },
	{ "rmsprop", "RMSprop", NO_FLAG, RMSPROP_DEFAULTS },
	{ "rmsprop_centered_momentum", "RMSprop", { .momentum = 1, .centered = 1 },
	  RMSPROP_DEFAULTS },
	{ "adam", "Adam", NO_FLAG, ADAM_DEFAULTS },
	{ "adam_l2_amsgrad", "Adam", { .amsgrad = 1 }, ADAM_DEFAULTS },
	{ "adamw", "Adam", { .decoupled = 1 }, ADAM_DEFAULTS },
	{ .name = "adagrad" },
	{ .name = "adadelta" },
	{ .name = "nadam" },
	{ .name = "radam" },
	{ .name = "adamax" },
};
/* clang-format on */

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	}
	return NULL;
}

/* PyTorch's spelling. What a rule has as a flag must be in its row too. */
static void read_setting(const struct doc *meta, const struct rule *rule,
			 struct optimizer_setting *ret)
{
	*ret = rule->defaults;
	for (const struct doc *at = meta->first; at; at = at->next) {
		if (!strcmp(at->key, "lr"))
			ret->rate = at->number;
		else if (!strcmp(at->key, "momentum"))
			ret->momentum = at->number;
		else if (!strcmp(at->key, "dampening"))
			ret->dampening = at->number;
		else if (!strcmp(at->key, "weight_decay"))
			ret->weight_decay = at->number;
		else if (!strcmp(at->key, "alpha"))
			ret->square = at->number;
		else if (!strcmp(at->key, "eps"))
			ret->eps = at->number;
		else if (!strcmp(at->key, "nesterov"))
			cr_assert_eq(at->boolean, rule->attrs.nesterov);
		else if (!strcmp(at->key, "centered"))
			cr_assert_eq(at->boolean, rule->attrs.centered);
		else if (!strcmp(at->key, "amsgrad"))
			cr_assert_eq(at->boolean, rule->attrs.amsgrad);
		else if (!strcmp(at->key, "betas")) {
			ret->momentum = at->first->number;
			ret->square = at->first->next->number;
		} else {
			cr_assert(false, "%s: unknown '%s'", rule->name,
				  at->key);
		}
	}
}

/* The flat arena of all tensors, and where each begins. */
struct flat {
	size_t n, start[N_TENSORS + 1];
};

static struct flat layout(const struct reference *reference)
{
	struct flat flat = { 0 };

	for (int k = 0; k < N_TENSORS; k++) {
		flat.start[k] = flat.n;
		flat.n += (size_t)shape_count(
		    &reference_get(reference, "param.%d", k)->shape);
	}
	flat.start[N_TENSORS] = flat.n;
	cr_assert_leq(flat.n, MAX_FLAT);
	return flat;
}

static void load_flat(const struct reference *reference,
		      const struct flat *flat, const char *prefix, float *to)
{
	for (int k = 0; k < N_TENSORS; k++)
		memcpy(to + flat->start[k],
		       reference_get(reference, "%s.%d", prefix, k)->data,
		       (flat->start[k + 1] - flat->start[k]) * sizeof(float));
}

/* "p, m0 = predictd.Sgd<...>(param:float[22], s0:float[22], , , ...)" */
static void make_graph(const struct rule *rule, const struct flat *flat,
		       unsigned n_moments, char *text, size_t cap)
{
	static const char *const moments[4][2] = {
		{ "p", ", , , " },
		{ "p, m0", ", s0:float[N], , " },
		{ "p, m0, m1", ", s0:float[N], s1:float[N], " },
		{ "p, m0, m1, m2", ", s0:float[N], s1:float[N], s2:float[N]" },
	};
	const struct optimizer_attrs *attrs = &rule->attrs;
	const struct op *op = op_find("predictd", rule->op);
	char flags[128] = "", operands[128], *at;
	const char *from = moments[n_moments][1];
	size_t len = 0;

	for (const struct op_attr *row = op->attrs; row->name; row++) {
		const int64_t *flag =
		    (const int64_t *)(const void *)((const char *)attrs +
						    row->offset);

		if (row->kind == ATTR_INT)
			len +=
			    (size_t)snprintf(flags + len, sizeof(flags) - len,
					     ", %s=%d", row->name, (int)*flag);
	}
	at = operands;
	for (; *from; from++) {
		if (*from == 'N')
			at += snprintf(at, 8, "%zu", flat->n);
		else
			*at++ = *from;
	}
	*at = '\0';
	snprintf(text, cap,
		 "%s = predictd.%s<segments=[0,%zu,0, %zu,%zu,0]%s>"
		 "(param:float[%zu]%s, grad:float[%zu], "
		 "norm:float[], hyper:float[1,%d])",
		 moments[n_moments][0], rule->op, flat->start[1],
		 flat->start[1], flat->n, flags, flat->n, operands, flat->n,
		 OPTIMIZER_HYPER);
}

/* Everything that goes round: parameters and moments, then what is new. */
struct state {
	float param[1 + OPTIMIZER_MAX_MOMENTS][MAX_FLAT];
	float grad[MAX_FLAT], norm, hyper[OPTIMIZER_HYPER];
};

static void run_step(const struct graph *graph, struct state *state, size_t n)
{
	const struct interpreter_options options = { .max_bytes = 1 << 20 };
	const int32_t n_flat = graph->n_output;
	struct tensor_view in[OPTIMIZER_N_IN];
	struct interpreter_result result;
	struct err err = { .code = ERR_NONE };
	enum err_code rc;

	for (int32_t i = 0; i <= n_flat; i++)
		in[i] =
		    (struct tensor_view){ .data = i < n_flat ? state->param[i]
							     : state->grad,
					  .dtype = DTYPE_F32,
					  .shape = { 1, { (int64_t)n } } };
	in[n_flat + 1] =
	    (struct tensor_view){ .data = &state->norm, .dtype = DTYPE_F32 };
	in[n_flat + 2] =
	    (struct tensor_view){ .data = state->hyper,
				  .dtype = DTYPE_F32,
				  .shape = { 2, { 1, OPTIMIZER_HYPER } } };
	rc = interpret(graph, in, &options, &result, &err);
	cr_assert_eq(rc, ERR_NONE, "%s", err.msg);
	for (int32_t i = 0; i < n_flat; i++)
		memcpy(state->param[i], result.value[graph->output[i]].data,
		       n * sizeof(float));
	interpreter_result_finish(&result);
}

static void compare(const struct reference *reference, const struct rule *rule,
		    int step, const struct flat *flat, const float *param)
{
	char what[128];

	for (int k = 0; k < N_TENSORS; k++) {
		const struct tensor_view *want = reference_find(
		    reference, "%s.after.%d.%d", rule->name, step, k);

		snprintf(what, sizeof(what), "%s, step %d, tensor %d",
			 rule->name, step, k);
		if (want)
			reference_compare(what, want, param + flat->start[k],
					  2e-6);
	}
}

static void check_rule(const struct reference *reference,
		       const struct rule *rule)
{
	const struct op *op = op_find("predictd", rule->op);
	const struct flat flat = layout(reference);
	struct optimizer_setting setting;
	struct state state = { .norm = 1 };
	struct graph *graph = NULL;
	struct fact *input = NULL;
	struct err err = { .code = ERR_NONE };
	char text[MAX_TEXT], prefix[32];
	enum err_code rc;

	read_setting(doc_find(reference->meta, rule->name), rule, &setting);
	make_graph(rule, &flat, optimizer_moments(op, &rule->attrs), text,
		   sizeof(text));
	rc = graph_text_parse(text, &graph, &input, &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", text, err.msg);
	load_flat(reference, &flat, "param", state.param[0]);
	for (int step = 1; step <= N_STEPS; step++) {
		snprintf(prefix, sizeof(prefix), "grad.%d", step - 1);
		load_flat(reference, &flat, prefix, state.grad);
		optimizer_hyper_fill(op, &rule->attrs, &setting, (uint64_t)step,
				     state.hyper);
		run_step(graph, &state, flat.n);
		compare(reference, rule, step, &flat, state.param[0]);
	}
	graph_destroy(graph);
}

Test(optimizers, agree_with_pytorch)
{
	struct reference reference;

	reference_open("optimizers", &reference);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].op)
			check_rule(&reference, &rules[i]);
	}
	reference_close(&reference);
}

Test(optimizers, all_rules_of_the_file_are_known)
{
	struct reference reference;
	unsigned n_missing = 0;

	reference_open("optimizers", &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next) {
		const struct rule *rule = find_rule(at->key);

		cr_expect(rule, "no test for '%s'", at->key);
		if (rule && !rule->op) {
			fprintf(stderr,
				"not compared: %s (there is no such rule)\n",
				at->key);
			n_missing++;
		}
	}
	reference_close(&reference);
	if (n_missing)
		fprintf(stderr, "%u rules are not compared yet\n", n_missing);
}

static const struct optimizer_attrs no_flags = { .momentum = 0 };

/* One step of three parameters from gradients 3, -4 and 0. */
static void one_step(const char *name, struct optimizer_attrs attrs,
		     const struct optimizer_setting *setting, float norm,
		     float param[3])
{
	const struct rule rule = { .op = name, .attrs = attrs };
	const struct flat flat = { .n = 3, .start = { 0, 1, 3 } };
	const struct op *op = op_find("predictd", name);
	struct state state = { .grad = { 3, -4, 0 }, .norm = norm };
	struct graph *graph = NULL;
	struct fact *input = NULL;
	struct err err = { .code = ERR_NONE };
	char text[MAX_TEXT];
	enum err_code rc;

	memcpy(state.param[0], param, 3 * sizeof(float));
	make_graph(&rule, &flat, optimizer_moments(op, &attrs), text,
		   sizeof(text));
	rc = graph_text_parse(text, &graph, &input, &err);
	cr_assert_eq(rc, ERR_NONE, "%s: %s", text, err.msg);
	optimizer_hyper_fill(op, &attrs, setting, 1, state.hyper);
	run_step(graph, &state, 3);
	memcpy(param, state.param[0], 3 * sizeof(float));
	graph_destroy(graph);
}

Test(optimizers, a_norm_that_is_not_finite_changes_nothing)
{
	static const char *const names[] = { "Sgd", "RMSprop", "Adam" };
	const struct optimizer_setting setting = {
		.rate = 0.1, .weight_decay = 0.1, .square = 0.9, .eps = 1e-8
	};

	for (int i = 0; i < 3; i++) {
		float param[3] = { 1, 2, 3 };

		one_step(names[i], no_flags, &setting, NAN, param);
		cr_expect(param[0] == 1 && param[1] == 2 && param[2] == 3, "%s",
			  names[i]);
		one_step(names[i], no_flags, &setting, INFINITY, param);
		cr_expect(param[0] == 1 && param[1] == 2 && param[2] == 3, "%s",
			  names[i]);
	}
}

Test(optimizers, gradients_are_clipped_by_norm_and_by_value)
{
	struct optimizer_setting setting = { .rate = 1 };
	float param[3] = { 0, 0, 0 };

	setting.max_norm = 2.5;
	one_step("Sgd", no_flags, &setting, 5, param);
	cr_expect_float_eq(param[0], -1.5, 1e-6);
	cr_expect_float_eq(param[1], 2, 1e-6);
	memset(param, 0, sizeof(param));
	setting.max_norm = 10;
	one_step("Sgd", no_flags, &setting, 5, param);
	cr_expect_eq(param[0], -3);
	memset(param, 0, sizeof(param));
	setting.max_norm = 0;
	setting.max_value = 3.5;
	one_step("Sgd", no_flags, &setting, 5, param);
	cr_expect_eq(param[0], -3);
	cr_expect_eq(param[1], 3.5f);
}

Test(optimizers, adam_leaves_parameters_without_gradient_alone)
{
	const struct optimizer_setting setting = {
		.rate = 0.1, .momentum = 0.9, .square = 0.999, .eps = 1e-8
	};
	float param[3] = { 1, 2, 3 };

	one_step("Adam", no_flags, &setting, 5, param);
	cr_expect_eq(param[2], 3);
	cr_expect_float_eq(param[0], 0.9, 1e-6);
}
