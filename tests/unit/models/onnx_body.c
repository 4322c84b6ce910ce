/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Nodes with bodies, from the file to a run.
 */
#include "models/onnx.h"

#include <criterion/criterion.h>
#include <math.h>

#include "engine/autodiff.h"
#include "engine/op.h"
#include "tests/unit/models/run_onnx.h"

static enum err_code read_made(struct run *f)
{
	make_end(&f->m);
	return run_read(f);
}

static void refuse(struct run *f, const char *says)
{
	make_end(&f->m);
	run_expect_refusal(f, says);
}

static const float w[] = { 10, 20 };

/* y = c ? x + w : Relu(Relu(x)); w is an initializer, h a value outside */
static void make_if(struct make *m, const char *read_by_else)
{
	struct make_body body;

	make_begin(m, 8, 17);
	make_node(m, "Relu", "x", "h");
	make_node_open(m, "If", "c", "y");
	body = make_body_open(m, "then_branch");
	make_node(m, "Add", "x w", "sum");
	make_port(m, MAKE_OUTPUT, "sum", DTYPE_F32, NULL);
	make_body_close(m, body);
	body = make_body_open(m, "else_branch");
	make_node(m, "Relu", read_by_else, "other");
	make_port(m, MAKE_OUTPUT, "other", DTYPE_F32, NULL);
	make_body_close(m, body);
	make_node_close(m);
	make_floats(m, "w", "2", w, 2);
	make_port(m, MAKE_INPUT, "c", DTYPE_BOOL, "");
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "2");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, "2");
}

Test(onnx_body, values_of_the_outer_graph_become_inputs)
{
	struct run f = { 0 };
	const struct graph_node *node;

	make_if(&f.m, "h");
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	node = &f.graph->node[f.graph->n_node - 1];
	cr_assert_str_eq(node->op->name, "If");
	/* h and x; w is each body's own constant */
	cr_assert_eq(node->n_captured, 2);
	cr_assert_eq(node->n_in, 3);
	cr_assert_eq(node->n_body, 2);
	cr_assert_eq(node->body[0]->n_input, 2);
	cr_assert_eq(node->body[1]->n_input, 2);
	cr_assert_geq(node->body[0]->n_constant, 1);
	run_end(&f);
}

Test(onnx_body, a_condition_chooses_in_the_run_or_before)
{
	const float x[] = { -1, 3 };
	const float want[2][2] = { { 0, 3 }, { 9, 23 } };
	struct run f = { 0 };

	make_if(&f.m, "h");
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	for (int i = 0; i < 4; i++) {
		const bool c = i & 1;
		const struct fact input[] = { run_known(DTYPE_BOOL, 0, 0, &c),
					      run_known(DTYPE_F32, 1, 2, x) };

		cr_assert_eq(run_plan(&f, input, i > 1), ERR_NONE, "%s",
			     f.err.msg);
		/* a known condition leaves nothing to the run */
		cr_assert_eq(plan_output(f.plan, 0)->has_shape, i > 1);
		run_expect_floats(&f, 0, want[c], 2);
	}
	run_end(&f);
}

Test(onnx_body, what_nothing_defines_is_refused)
{
	struct run f = { 0 };

	make_if(&f.m, "nowhere");
	refuse(&f, "'nowhere', which nothing defines");
}

Test(onnx_body, branches_agree_in_types)
{
	struct run f = { 0 };

	make_if(&f.m, "c");
	refuse(&f, "Relu");
}

Test(onnx_body, a_missing_branch_is_refused)
{
	struct run f = { 0 };
	struct make_body body;

	make_begin(&f.m, 8, 17);
	make_node_open(&f.m, "If", "c", "y");
	body = make_body_open(&f.m, "then_branch");
	make_node(&f.m, "Relu", "x", "z");
	make_port(&f.m, MAKE_OUTPUT, "z", DTYPE_F32, NULL);
	make_body_close(&f.m, body);
	make_node_close(&f.m);
	make_port(&f.m, MAKE_INPUT, "c", DTYPE_BOOL, "");
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "2");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "2");
	refuse(&f, "the body 'else_branch' is missing");
}

static void make_branch(struct make *m, const char *name, const char *output)
{
	struct make_body body = make_body_open(m, name);

	make_node(m, "Relu", "x", output);
	make_port(m, MAKE_OUTPUT, output, DTYPE_F32, NULL);
	make_body_close(m, body);
}

/* Ifs in then_branches, one in the other. */
static enum err_code read_nest(struct run *f, unsigned depth)
{
	struct make_body body[32];
	char name[32];

	make_begin(&f->m, 8, 17);
	for (unsigned i = 0; i < depth; i++) {
		snprintf(name, sizeof(name), "y%u", i);
		make_node_open(&f->m, "If", "c", i ? name : "y");
		snprintf(name, sizeof(name), "e%u", i);
		make_branch(&f->m, "else_branch", name);
		body[i] = make_body_open(&f->m, "then_branch");
		body[i].node = f->m.node;
	}
	make_node(&f->m, "Neg", "x", "deep");
	for (unsigned i = depth; i-- > 0;) {
		snprintf(name, sizeof(name), "y%u", i + 1);
		make_port(&f->m, MAKE_OUTPUT, i + 1 < depth ? name : "deep",
			  DTYPE_F32, NULL);
		make_body_close(&f->m, body[i]);
		make_node_close(&f->m);
	}
	make_port(&f->m, MAKE_INPUT, "c", DTYPE_BOOL, "");
	make_port(&f->m, MAKE_INPUT, "x", DTYPE_F32, "2");
	make_port(&f->m, MAKE_OUTPUT, "y", DTYPE_F32, "2");
	return read_made(f);
}

Test(onnx_body, bodies_nest_to_a_depth)
{
	const float x[] = { 1, -2 }, want[] = { -1, 2 };
	const bool c = true;
	const struct fact input[] = { run_known(DTYPE_BOOL, 0, 0, &c),
				      run_known(DTYPE_F32, 1, 2, x) };
	struct run f = { 0 }, g = { 0 };

	cr_assert_eq(read_nest(&f, 16), ERR_NONE, "%s", f.err.msg);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(run_plan(&f, input, i), ERR_NONE, "%s", f.err.msg);
		run_expect_floats(&f, 0, want, 2);
	}
	run_end(&f);
	cr_assert_eq(read_nest(&g, 17), ERR_TOO_LARGE);
	cr_assert(strstr(g.err.msg, "nest deeper than 16") != NULL, "%s",
		  g.err.msg);
	run_end(&g);
}

/* a, s = Loop(M, c, x): a += a; s = a of each turn; on while a < limit */
static void make_loop(struct make *m, const char *in)
{
	struct make_body body;

	make_begin(m, 8, 17);
	make_node_open(m, "Loop", in, "a s");
	body = make_body_open(m, "body");
	make_node(m, "Add", "v v", "next");
	make_node(m, "Less", "next limit", "less");
	make_node(m, "Identity", "next", "seen");
	make_port(m, MAKE_INPUT, "i", DTYPE_I64, "");
	make_port(m, MAKE_INPUT, "go", DTYPE_BOOL, "");
	make_port(m, MAKE_INPUT, "v", DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "less", DTYPE_BOOL, "");
	make_port(m, MAKE_OUTPUT, "next", DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "seen", DTYPE_F32, NULL);
	make_body_close(m, body);
	make_node_close(m);
	make_port(m, MAKE_INPUT, "M", DTYPE_I64, "");
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "1");
	make_port(m, MAKE_INPUT, "limit", DTYPE_F32, "1");
	make_port(m, MAKE_OUTPUT, "a", DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "s", DTYPE_F32, NULL);
}

Test(onnx_body, a_loop_ends_by_number_or_condition)
{
	const float x[] = { 1 }, limit[] = { 20 };
	const float all[] = { 2, 4, 8, 16, 32 };
	static const struct {
		int64_t most, turns;
	} rows[] = { { 0, 0 }, { 3, 3 }, { 100, 5 }, { -1, 0 } };
	struct run f = { 0 };

	make_loop(&f.m, "M - x");
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const int64_t n = rows[i].turns;
		const struct fact input[] = {
			run_known(DTYPE_I64, 0, 0, &rows[i].most),
			run_known(DTYPE_F32, 1, 1, x),
			run_known(DTYPE_F32, 1, 1, limit)
		};
		struct tensor_view seen;

		cr_assert_eq(run_plan(&f, input, false), ERR_NONE, "%s",
			     f.err.msg);
		run_expect_floats(&f, 0, n ? &all[n - 1] : x, 1);
		run_expect_floats(&f, 1, all, n);
		seen = instance_output(f.instance, 1);
		cr_assert_eq(seen.shape.rank, 2);
		cr_assert_eq(seen.shape.dim[0], n);
		cr_assert_eq(seen.shape.dim[1], 1);
	}
	run_end(&f);
}

Test(onnx_body, a_loop_without_number_or_condition_is_bounded)
{
	const float x[] = { 0 }, limit[] = { 1 };
	const int64_t none = 0;
	const struct fact input[] = { run_known(DTYPE_I64, 0, 0, &none),
				      run_known(DTYPE_F32, 1, 1, x),
				      run_known(DTYPE_F32, 1, 1, limit) };
	struct run f = { 0 };
	const struct signature signature = { 3, input };
	const struct plan_options options = { .memory_limit = 1 << 20 };

	make_loop(&f.m, "- - x");
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(
	    plan_create(f.graph, &signature, &options, &f.plan, &f.err),
	    ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(instance_create(f.plan, &f.instance, &f.err), ERR_NONE);
	memcpy(instance_input(f.instance, 1).data, x, sizeof(x));
	memcpy(instance_input(f.instance, 2).data, limit, sizeof(limit));
	cr_assert_eq(instance_run(f.instance, NULL, &f.err), ERR_NO_MEMORY);
	cr_assert(strstr(f.err.msg, "Loop") != NULL, "%s", f.err.msg);
	run_end(&f);
}

Test(onnx_body, a_loop_takes_what_its_body_takes)
{
	struct run f = { 0 };

	make_loop(&f.m, "M - x x");
	refuse(&f, "takes 3 inputs; expected 4");
}

/* Scan of opset 8: rows of a batch have lengths; y = running sums */
Test(onnx_body, the_old_scan_has_a_batch)
{
	const float x[] = { 1, 2, 3, 10, 20, 30 };
	const float sums[] = { 1, 3, 6, 10, 30, 0 }, last[] = { 6, 30 };
	const int64_t lens[] = { 3, 2 };
	const float zero[] = { 0, 0 };
	struct fact input[] = { run_known(DTYPE_I64, 1, 2, lens),
				run_known(DTYPE_F32, 2, 2, zero),
				run_known(DTYPE_F32, 3, 2, x) };
	struct run f = { 0 };
	struct make_body body;

	input[1].shape.dim[1] = 1;
	input[2].shape.dim[1] = 3;
	input[2].shape.dim[2] = 1;
	make_begin(&f.m, 3, 8);
	make_node_open(&f.m, "Scan", "lens s x", "a y");
	make_attr_int(&f.m, "num_scan_inputs", 1);
	body = make_body_open(&f.m, "body");
	make_node(&f.m, "Add", "state slice", "sum");
	make_node(&f.m, "Identity", "sum", "seen");
	make_port(&f.m, MAKE_INPUT, "state", DTYPE_F32, "1");
	make_port(&f.m, MAKE_INPUT, "slice", DTYPE_F32, "1");
	make_port(&f.m, MAKE_OUTPUT, "sum", DTYPE_F32, "1");
	make_port(&f.m, MAKE_OUTPUT, "seen", DTYPE_F32, "1");
	make_body_close(&f.m, body);
	make_node_close(&f.m);
	make_port(&f.m, MAKE_INPUT, "lens", DTYPE_I64, "2");
	make_port(&f.m, MAKE_INPUT, "s", DTYPE_F32, "2 1");
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "2 3 1");
	make_port(&f.m, MAKE_OUTPUT, "a", DTYPE_F32, NULL);
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, NULL);
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(run_plan(&f, input, false), ERR_NONE, "%s", f.err.msg);
	run_expect_floats(&f, 0, last, 2);
	run_expect_floats(&f, 1, sums, 6);
	run_end(&f);
}

/* --- bodies that are appended to the graph --- */

/* Two heads of queries share one of keys. Both graphs call their values alike;
 * one reads h of the graph around it, in an If, and one has a weight. */
static void make_flex(struct make *m, const char *mod_in)
{
	struct make_body outer, inner;

	make_begin(m, 13, 26);
	make_node(m, "Abs", "bias", "h");
	make_node_open(m, "ai.onnx.preview:FlexAttention", "q k v", "y");
	make_attr_float(m, "scale", 0.5F);
	outer = make_body_open(m, "score_mod");
	make_node_open(m, "If", "c", "t");
	for (int i = 0; i < 2; i++) {
		inner = make_body_open(m, i ? "else_branch" : "then_branch");
		make_node(m, i ? "Sub" : "Add", "s h", "o");
		make_port(m, MAKE_OUTPUT, "o", DTYPE_F32, NULL);
		make_body_close(m, inner);
	}
	make_node_close(m);
	make_port(m, MAKE_INPUT, mod_in, DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "t", DTYPE_F32, NULL);
	make_body_close(m, outer);
	outer = make_body_open(m, "prob_mod");
	make_floats(m, "h", "", (float[]){ 3 }, 1);
	make_node(m, "Mul", "s h", "t");
	make_port(m, MAKE_INPUT, "s", DTYPE_F32, NULL);
	make_port(m, MAKE_OUTPUT, "t", DTYPE_F32, NULL);
	make_body_close(m, outer);
	make_node_close(m);
	make_floats(m, "bias", "2", (float[]){ -1, 0.25F }, 2);
	make_ints(m, "shape", "4", (int64_t[]){ 1, 1, 2, 2 }, 4);
	make_node(m, "Reshape", "flat shape", "k");
	make_node(m, "Identity", "k", "v");
	make_node(m, "Reshape", "flat turned", "q");
	make_ints(m, "turned", "4", (int64_t[]){ 1, 2, 1, 2 }, 4);
	make_port(m, MAKE_INPUT, "c", DTYPE_BOOL, "");
	make_port(m, MAKE_INPUT, "flat", DTYPE_F32, "4");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, NULL);
}

/* The same by its formula: x are two rows, of queries and of keys. */
static void expect_flex(struct run *f, const float x[4], double sign)
{
	float want[4];

	for (int i = 0; i < 2; i++) {
		const float *q = x + 2 * i;
		double a = 0.5 * (double)(q[0] * x[0] + q[1] * x[1]) + sign;
		double b =
		    0.5 * (double)(q[0] * x[2] + q[1] * x[3]) + sign * 0.25;
		double p = 1 / (1 + exp(b - a));

		for (int j = 0; j < 2; j++)
			want[2 * i + j] =
			    (float)(3 * (p * (double)x[j] +
					 (1 - p) * (double)x[2 + j]));
	}
	run_expect_floats(f, 0, want, 4);
}

Test(onnx_body, flex_attention_takes_its_graphs_in)
{
	const float x[] = { 1, -2, 0.5F, 3 };
	struct run f = { 0 };

	make_flex(&f.m, "s");
	cr_assert_eq(read_made(&f), ERR_NONE, "%s", f.err.msg);
	for (int i = 0; i < 2; i++) {
		const bool c = i;
		const struct fact input[] = { run_known(DTYPE_BOOL, 0, 0, &c),
					      run_known(DTYPE_F32, 1, 4, x) };

		cr_assert_eq(run_plan(&f, input, false), ERR_NONE, "%s",
			     f.err.msg);
		expect_flex(&f, x, i ? 1 : -1);
	}
	run_end(&f);
}

Test(onnx_body, flex_attention_refuses_other_graphs)
{
	struct run f = { 0 };

	make_flex(&f.m, "other");
	refuse(&f, "'s', which nothing defines");
	f = (struct run){ 0 };
	make_begin(&f.m, 13, 26);
	make_node_open(&f.m, "ai.onnx.preview:FlexAttention", "q q q", "y");
	make_body_close(&f.m, make_body_open(&f.m, "prob_mod"));
	make_node_close(&f.m);
	make_port(&f.m, MAKE_INPUT, "q", DTYPE_F32, "1 1 1 1");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, NULL);
	refuse(&f, "'prob_mod' must have one input and one output");
}

Test(onnx_body, training_refuses_bodies_by_name)
{
	struct run f = { 0 };
	const struct onnx_options options = { .trainable = true };
	struct fact input[] = { run_known(DTYPE_BOOL, 0, 0, NULL),
				run_known(DTYPE_F32, 1, 2, NULL) };
	int32_t loss, wrt, grad;
	struct facts *facts;
	struct build build;

	make_if(&f.m, "h");
	make_end(&f.m);
	cr_assert_eq(onnx_read(f.m.buf.data, f.m.buf.len, "m.onnx", &options,
			       &f.graph, &f.signature, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(facts_create(f.graph, input, &facts, &f.err), ERR_NONE,
		     "%s", f.err.msg);
	build_init(&build, f.graph, facts);
	wrt = graph_find_value(f.graph, "x");
	loss = build_1(&build, "ReduceSum", f.graph->output[0]);
	cr_assert_neq(
	    autodiff(&build, loss, VALUE_NONE, &wrt, 1, &grad, &f.err),
	    ERR_NONE);
	cr_assert(strstr(f.err.msg, "(If), which cannot be trained") != NULL,
		  "%s", f.err.msg);
	facts_destroy(facts);
	run_end(&f);
}
