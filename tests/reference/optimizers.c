/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizers against PyTorch: the same start and the same gradients, and the
 * parameters after 1, 2, 10 and 20 steps.
 */
#include "engine/ops/optimizer.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "engine/graph_text.h"
#include "engine/interpreter.h"
#include "reference.h"

enum {
	N_STEPS = 20,
	N_TENSORS = 2,
	MAX_FLAT = 64,
	MAX_TEXT = 512,
	MATRIX_COLUMNS = 3
};

/* the numbers of a rule stand in the JSON */
struct rule {
	const char *name, *op;
	struct optimizer_attrs attrs;
	struct optimizer_setting defaults; /* PyTorch's */
};

/* clang-format off */
#define NO_FLAG { .momentum = 0 }
#define SGD_DEFAULTS { .rate = 1e-3 }
#define RMSPROP_DEFAULTS { .rate = 1e-2, .square = 0.99, .eps = 1e-8 }
#define ADAGRAD_DEFAULTS { .rate = 1e-2, .eps = 1e-10 }
#define ADADELTA_DEFAULTS { .rate = 1, .square = 0.9, .eps = 1e-6 }
#define RPROP_DEFAULTS { .rate = 1e-2, .etas = { 0.5, 1.2 }, .sizes = { 1e-6, 50 } }
#define NADAM_DEFAULTS { .rate = 2e-3, .momentum = 0.9, .square = 0.999, .eps = 1e-8, \
			 .momentum_decay = 4e-3 }
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
	{ "adagrad", "Adagrad", NO_FLAG, ADAGRAD_DEFAULTS },
	{ "adadelta", "Adadelta", NO_FLAG, ADADELTA_DEFAULTS },
	{ "nadam", "NAdam", NO_FLAG, NADAM_DEFAULTS },
	{ "radam", "RAdam", NO_FLAG, ADAM_DEFAULTS },
	{ "adamax", "Adamax", NO_FLAG, ADAM_DEFAULTS },
	/* optimizers_more */
	{ "adagrad_decay_initial", "Adagrad", NO_FLAG, ADAGRAD_DEFAULTS },
	{ "adadelta_l2", "Adadelta", NO_FLAG, ADADELTA_DEFAULTS },
	{ "adamax_l2", "Adamax", NO_FLAG, ADAM_DEFAULTS },
	{ "nadam_l2", "NAdam", NO_FLAG, NADAM_DEFAULTS },
	{ "nadam_decoupled", "NAdam", { .decoupled = 1 }, NADAM_DEFAULTS },
	{ "radam_l2", "RAdam", NO_FLAG, ADAM_DEFAULTS },
	{ "radam_decoupled", "RAdam", { .decoupled = 1 }, ADAM_DEFAULTS },
	{ "rprop", "Rprop", NO_FLAG, RPROP_DEFAULTS },
	{ "rprop_bounds", "Rprop", NO_FLAG, RPROP_DEFAULTS },
	{ "rmsprop_momentum", "RMSprop", { .momentum = 1 }, RMSPROP_DEFAULTS },
	{ "sgd_dampening_l2", "Sgd", { .momentum = 1 }, SGD_DEFAULTS },
	{ "lion", "Lion", { .decoupled = 1 }, NO_FLAG },
	{ "lamb", "Lamb", NO_FLAG, NO_FLAG },
	{ "lars", "Lars", NO_FLAG, NO_FLAG },
	{ "sgd_ewma", "Sgd", { .momentum = 1 }, { .ewma = true } },
	{ "sgd_l1", "Sgd", NO_FLAG, NO_FLAG },
	{ "muon", "Muon", { .decoupled = 1 }, NO_FLAG },
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

/* PyTorch's spelling, by the member it fills. */
#define S(member) offsetof(struct optimizer_setting, member)
static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{ "lr", S(rate) },
	{ "momentum", S(momentum) },
	{ "dampening", S(dampening) },
	{ "weight_decay", S(weight_decay) },
	{ "alpha", S(square) },
	{ "rho", S(square) },
	{ "eps", S(eps) },
	{ "lr_decay", S(lr_decay) },
	{ "initial_accumulator_value", S(initial) },
	{ "momentum_decay", S(momentum_decay) },
	{ "trust", S(trust) },
	{ "l1", S(l1) },
};

static bool read_number(const struct doc *at, struct optimizer_setting *to)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(numbers[i].key, at->key) != 0)
			continue;
		memcpy((char *)to + numbers[i].offset, &at->number,
		       sizeof(double));
		return true;
	}
	return false;
}

static bool read_pair(const struct doc *at, const char *key, double *first,
		      double *second)
{
	if (strcmp(at->key, key) != 0)
		return false;
	*first = at->first->number;
	*second = at->first->next->number;
	return true;
}

/* What a rule has as a flag must be in its row too. */
static bool check_flag(const struct doc *at,
		       const struct optimizer_attrs *attrs)
{
	const struct {
		const char *key;
		int64_t has;
	} flags[] = { { "nesterov", attrs->nesterov },
		      { "centered", attrs->centered },
		      { "amsgrad", attrs->amsgrad },
		      { "decoupled_weight_decay", attrs->decoupled } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(flags[i].key, at->key) != 0)
			continue;
		cr_assert_eq(at->boolean, flags[i].has, "%s", at->key);
		return true;
	}
	return false;
}

static void read_setting(const struct doc *meta, const struct rule *rule,
			 struct optimizer_setting *ret)
{
	*ret = rule->defaults;
	for (const struct doc *at = meta->first; at; at = at->next) {
		bool is_known =
		    read_number(at, ret) || check_flag(at, &rule->attrs) ||
		    read_pair(at, "betas", &ret->momentum, &ret->square) ||
		    read_pair(at, "etas", &ret->etas[0], &ret->etas[1]) ||
		    read_pair(at, "step_sizes", &ret->sizes[0], &ret->sizes[1]);

		cr_assert(is_known, "%s: unknown '%s'", rule->name, at->key);
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

/* The first tensor is a matrix, whose columns a rule may ask for.
 * "p, m0 = predictd.Sgd<...>(param:float[22], s0:float[22], , , ...)" */
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
		else if (!strcmp(row->name, "columns"))
			len += (size_t)snprintf(
			    flags + len, sizeof(flags) - len,
			    ", columns=[%d,0]", MATRIX_COLUMNS);
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

/* Every rule of a file. */
static void check_file(const char *name)
{
	struct reference reference;

	reference_open(name, &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next) {
		const struct rule *rule = find_rule(at->key);

		cr_assert(rule, "no test for '%s'", at->key);
		check_rule(&reference, rule);
	}
	reference_expect_all_seen(&reference);
	reference_close(&reference);
}

Test(optimizers, agree_with_pytorch)
{
	check_file("optimizers");
}

Test(optimizers, agree_with_pytorch_and_papers_beyond)
{
	check_file("optimizers_more");
}

Test(optimizers, muon_sees_matrices_of_a_row_for_each_output)
{
	static const struct {
		struct shape shape;
		int64_t columns;
	} rows[] = {
		{ { 2, { 5, 3 } }, 3 },	      { { 4, { 32, 2, 3, 3 } }, 18 },
		{ { 3, { 1, 4, 6 } }, 6 },    { { 1, { 7 } }, 0 },
		{ { 3, { 1, 1, 9 } }, 0 },    { { 2, { 7, 1 } }, 0 },
		{ { 2, { 60000, 400 } }, 0 }, { { 2, { 4, 8193 } }, 0 },
		{ { 0, { 0 } }, 0 },	      { { 2, { 4, 0 } }, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(optimizer_columns(&rows[i].shape), rows[i].columns,
			     "%zu", i);
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
	static const char *const names[] = { "Adadelta", "Adagrad", "Adam",
					     "Adamax",	 "Lamb",    "Lars",
					     "Lion",	 "NAdam",   "RMSprop",
					     "RAdam",	 "Rprop",   "Sgd" };
	const struct optimizer_setting setting = {
		.rate = 0.1, .weight_decay = 0.1, .square = 0.9, .eps = 1e-8
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
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
