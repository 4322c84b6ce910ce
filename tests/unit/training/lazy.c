/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Lazy updates: rows of an embedding without a gradient stay, in every rule
 * that can; dense ones move by moments and decay.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/str.h"
#include "engine/graph_text.h"
#include "engine/kernels/blas.h"
#include "engine/train_tables.h"
#include "training/stepper.h"

enum { ROWS = 5, WIDTH = 3, N = 4, STEPS = 2 };
/* the second step is about row 0 alone; 3 and 4 are in none */
static const int64_t index_of[STEPS][N] = { { 0, 1, 2, 1 }, { 0, 0, 0, 0 } };

static const char *const rules[] = { "adadelta", "adagrad", "adam",  "adamw",
				     "adamax",	 "lion",    "nadam", "radam",
				     "rmsprop",	 "rprop",   "sgd",   NULL };

/* The table after each step. */
struct run {
	float start[ROWS * WIDTH], after[STEPS][ROWS * WIDTH];
};

static void read_rule(const char *type, const char *sparse,
		      struct optimizer *ret, struct arena *arena)
{
	struct doc *map = doc_new(arena, DOC_MAP);
	struct err err = { 0 };

	doc_add(map, "type", doc_new_text(arena, type));
	if (sparse)
		doc_add(map, "sparse", doc_new_text(arena, sparse));
	if (!str_equal(type, "rprop"))
		doc_add(map, "weight_decay", doc_new_double(arena, 0.1));
	if (str_equal(type, "sgd") || str_equal(type, "rmsprop"))
		doc_add(map, "momentum", doc_new_double(arena, 0.9));
	cr_assert_eq(optimizer_read(map, ret, arena, &err), ERR_NONE, "%s",
		     err.msg);
}

/* y = w[x] beside a parameter that is no table. */
static struct graph *make_base(void)
{
	struct fact *input = NULL;
	struct graph *graph;
	struct err err = { 0 };

	cr_assert_eq(graph_text_parse("w:float[5,3]!\nb:float[3]!\n"
				      "y = Add(Gather(w, x:int64[4]), b)\n"
				      "return y",
				      &graph, &input, &err),
		     ERR_NONE, "%s", err.msg);
	for (int i = 0; i < ROWS * WIDTH; i++)
		((float *)graph->variable[0].view.data)[i] =
		    (float)(i % 7 - 3) / 4 + 0.125f;
	memset(graph->variable[1].view.data, 0, WIDTH * sizeof(float));
	return graph;
}

static void do_steps(struct stepper *stepper, const struct graph *base,
		     struct run *ret)
{
	float target[N * WIDTH];
	struct err err = { 0 };

	for (int i = 0; i < N * WIDTH; i++)
		target[i] = (float)(i % 5) - 1.75f;
	for (int i = 0; i < STEPS; i++) {
		int64_t index[N];
		void *input = index;
		const struct stepper_batch batch = { N, &input, target, false };
		const struct stepper_update update = { .step = (uint64_t)i + 1,
						       .share = 1,
						       .rate = 0.1,
						       .momentum =
							   (double)NAN };
		struct stepper_result result;

		memcpy(index, index_of[i], sizeof(index));
		cr_assert_eq(
		    stepper_step(stepper, &batch, &update, &result, &err),
		    ERR_NONE, "%s", err.msg);
		memcpy(ret->after[i], base->variable[0].view.data,
		       sizeof(ret->after[i]));
	}
}

static void train(const char *type, const char *sparse, struct run *ret)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer optimizer;
	struct graph *base = make_base();
	struct stepper_port in = { DTYPE_I64, { 0, { 0 } } };
	struct stepper_options options = {
		.optimizer = &optimizer,
		.input = &in,
		.n_inputs = 1,
		.target = { DTYPE_F32, { 1, { WIDTH } } },
		.threads = 1,
	};
	struct stepper *stepper;
	struct loss loss;
	struct err err = { 0 };

	memcpy(ret->start, base->variable[0].view.data, sizeof(ret->start));
	read_rule(type, sparse, &optimizer, arena);
	cr_assert_eq(loss_read(NULL, "vector", WIDTH, &loss, arena, &err),
		     ERR_NONE);
	cr_assert_eq(loss_for_step(&loss, WIDTH, arena, &options.loss, &err),
		     ERR_NONE);
	cr_assert_eq(stepper_create(base, &options, &stepper, &err), ERR_NONE,
		     "%s", err.msg);
	do_steps(stepper, base, ret);
	stepper_destroy(stepper);
	graph_destroy(base);
	arena_destroy(arena);
}

static bool same_row(const float *a, const float *b, int row)
{
	return !memcmp(a + (ptrdiff_t)row * WIDTH, b + (ptrdiff_t)row * WIDTH,
		       WIDTH * sizeof(float));
}

Test(lazy, rows_without_a_gradient_stay)
{
	cr_assert_eq(blas_init(NULL), ERR_NONE);
	for (size_t r = 0; rules[r]; r++) {
		struct run lazy, dense;

		train(rules[r], "lazy", &lazy);
		train(rules[r], "dense", &dense);
		for (int row = 3; row < ROWS; row++)
			cr_expect(same_row(lazy.start, lazy.after[1], row),
				  "%s moves row %d", rules[r], row);
		for (int row = 1; row < 3; row++) {
			cr_expect_not(same_row(lazy.start, lazy.after[0], row),
				      "%s", rules[r]);
			cr_expect(same_row(lazy.after[0], lazy.after[1], row),
				  "%s moves row %d again", rules[r], row);
		}
		/* what has a gradient moves as ever */
		cr_expect(same_row(lazy.after[1], dense.after[1], 0), "%s",
			  rules[r]);
		/* without a gradient, or where it turned, rprop stands */
		if (str_equal(rules[r], "rprop"))
			continue;
		cr_expect_not(same_row(lazy.after[0], lazy.after[1], 0), "%s",
			      rules[r]);
		cr_expect_not(same_row(dense.start, dense.after[1], 3), "%s",
			      rules[r]);
	}
}

Test(lazy, large_tables_are_when_nothing_is_said)
{
	struct arena *arena = arena_create(1 << 20);
	struct optimizer o;
	struct run usual, dense;

	cr_assert_eq(blas_init(NULL), ERR_NONE);
	train("adam", NULL, &usual);
	train("adam", "dense", &dense);
	cr_expect(!memcmp(&usual, &dense, sizeof(usual)));
	read_rule("adam", NULL, &o, arena);
	cr_expect_not(optimizer_is_lazy(&o, 10000));
	cr_expect(optimizer_is_lazy(&o, 10001));
	read_rule("adam", "dense", &o, arena);
	cr_expect_not(optimizer_is_lazy(&o, 1 << 30));
	/* whole parameters are scaled by their norms */
	read_rule("lamb", NULL, &o, arena);
	cr_expect_not(optimizer_is_lazy(&o, 1 << 30));
	arena_destroy(arena);
}

Test(lazy, tables_are_what_rows_are_picked_from)
{
	static const struct {
		const char *text;
		int64_t width;
	} cases[] = {
		{ "w:float[4,6]!\ny = Gather(w, i:int64[2])\nreturn y", 6 },
		{ "w:float[4,6]!\ny = Gather(Dropout(w), i:int64[2])\nreturn y",
		  6 },
		{ "w:float[4,6]!\ny = Gather<axis=1>(w, i:int64[2])\nreturn y",
		  0 },
		{ "w:float[4]!\ny = Gather(w, i:int64[2])\nreturn y", 0 },
		{ "w:float[4,6]!\ny = Add(w, x:float[6])\nreturn y", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fact *input = NULL;
		struct graph *graph;
		struct err err = { 0 };
		int64_t width = -1;

		cr_assert_eq(
		    graph_text_parse(cases[i].text, &graph, &input, &err),
		    ERR_NONE, "%s", err.msg);
		train_tables(graph, &width);
		cr_expect_eq(width, cases[i].width, "%s", cases[i].text);
		graph_destroy(graph);
	}
}
