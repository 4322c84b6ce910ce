/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_help.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "plan_check.h"

void bench_parse(struct bench *bench, const char *text)
{
	enum err_code rc;

	memset(bench, 0, sizeof(*bench));
	rc = graph_text_parse(text, &bench->graph, &bench->input, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s\n%s", bench->err.msg, text);
	rc = facts_type_graph(bench->graph, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s\n%s", bench->err.msg, text);
}

void bench_plan(struct bench *bench, const struct plan_options *options)
{
	const struct signature signature = {
		.n = (unsigned)bench->graph->n_input,
		.input = bench->input,
	};
	/* steps as the graph has them */
	struct plan_options plain =
	    options ? *options : (struct plan_options){ 0 };
	enum err_code rc;
	char text[256];

	plain.passes.off = ~(uint64_t)0;
	instance_destroy(bench->instance);
	plan_unref(bench->plan);
	bench->instance = NULL;
	bench->plan = NULL;
	rc = plan_create(bench->graph, &signature, &plain, &bench->plan,
			 &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	cr_assert(plan_check(bench->plan, text, sizeof(text)), "%s", text);
	rc = instance_create(bench->plan, &bench->instance, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
}

static void know(struct bench *bench, unsigned i)
{
	struct fact *fact = &bench->input[i];
	const size_t n = (size_t)shape_count(&fact->shape);
	float *value = arena_array(bench->known, n, sizeof(*value));

	cr_assert(value && fact->type.elem == DTYPE_F32);
	for (size_t j = 0; j < n; j++)
		value[j] = (float)((int)(j * 37 % 101) - 50) / 64;
	fact->value = value;
}

void bench_plan_known(struct bench *bench, const struct plan_options *options,
		      unsigned first)
{
	const struct signature signature = {
		.n = (unsigned)bench->graph->n_input,
		.input = bench->input,
	};
	enum err_code rc;

	bench->known = arena_create((size_t)1 << 26);
	cr_assert(bench->known);
	for (unsigned i = first; i < signature.n; i++)
		know(bench, i);
	rc = plan_create(bench->graph, &signature, options, &bench->plan,
			 &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
}

void bench_finish(struct bench *bench)
{
	arena_destroy(bench->known);
	instance_destroy(bench->instance);
	plan_unref(bench->plan);
	graph_destroy(bench->graph);
}

static unsigned draw(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

void bench_fill(struct bench *bench, unsigned seed)
{
	for (unsigned i = 0; i < plan_n_inputs(bench->plan); i++) {
		const struct tensor_view view =
		    instance_input(bench->instance, i);
		const int64_t n = shape_count(&view.shape);

		for (int64_t j = 0; j < n; j++) {
			double x = (double)(draw(&seed) % 2001) / 1000 - 1;

			if (dtype_is_integer(view.dtype))
				x = (double)(draw(&seed) % 4);
			dtype_convert(DTYPE_F64, &x, view.dtype,
				      (char *)view.data +
					  (size_t)j *
					      dtype_info(view.dtype)->size,
				      1, false);
		}
	}
}

static size_t variable_bytes(const struct variable *variable)
{
	return tensor_bytes(variable->view.dtype, &variable->view.shape);
}

/** Copies of all variables' bytes, one after the other. */
static void save(const struct graph *graph, char *into, bool back)
{
	for (int32_t i = 0; i < graph->n_variable; i++) {
		const struct variable *variable = &graph->variable[i];
		const size_t bytes = variable_bytes(variable);

		if (back)
			memcpy(variable->view.data, into, bytes);
		else
			memcpy(into, variable->view.data, bytes);
		into += bytes;
	}
}

static void interpret_all(struct bench *bench,
			  struct interpreter_result *result)
{
	const struct interpreter_options options = { .reference = false };
	struct tensor_view input[16];
	enum err_code rc;

	cr_assert(plan_n_inputs(bench->plan) <= 16);
	for (unsigned i = 0; i < plan_n_inputs(bench->plan); i++)
		input[i] = instance_input(bench->instance, i);
	rc = interpret(bench->graph, input, &options, result, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
}

static void compare_outputs(struct bench *bench,
			    const struct interpreter_result *result)
{
	for (unsigned i = 0; i < plan_n_outputs(bench->plan); i++) {
		const struct tensor_view got =
		    instance_output(bench->instance, i);
		const struct tensor_view *want =
		    &result->value[bench->graph->output[i]];
		const size_t bytes = tensor_bytes(want->dtype, &want->shape);

		cr_assert_eq(got.dtype, want->dtype);
		cr_assert(shape_equal(&got.shape, &want->shape));
		cr_assert(!memcmp(got.data, want->data, bytes),
			  "output %u differs", i);
	}
}

void bench_compare(struct bench *bench, struct team *team)
{
	struct interpreter_result result;
	size_t bytes = 1;
	char *start, *want;
	enum err_code rc;

	for (int32_t i = 0; i < bench->graph->n_variable; i++)
		bytes += variable_bytes(&bench->graph->variable[i]);
	start = mem_zero(bytes);
	want = mem_zero(bytes);
	save(bench->graph, start, false);
	interpret_all(bench, &result);
	save(bench->graph, want, false);
	save(bench->graph, start, true);
	rc = instance_run(bench->instance, team, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	save(bench->graph, start, false);
	cr_assert(!memcmp(start, want, bytes), "variables differ");
	compare_outputs(bench, &result);
	interpreter_result_finish(&result);
	mem_free(start);
	mem_free(want);
}

const float *bench_floats(struct bench *bench, unsigned output)
{
	return instance_output(bench->instance, output).data;
}

/* Random graphs: values are matrices of `rows` x `cols`. */

struct maker {
	unsigned state;
	char *text;
	size_t cap, len;
	int rows[64], cols[64], n;
};

__attribute__((format(printf, 2, 3))) static void say(struct maker *m,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	m->len +=
	    (size_t)vsnprintf(m->text + m->len, m->cap - m->len, format, args);
	va_end(args);
	cr_assert(m->len < m->cap);
}

static int new_value(struct maker *m, int rows, int cols)
{
	m->rows[m->n] = rows;
	m->cols[m->n] = cols;
	return m->n++;
}

/** Another value of the same shape as a, or a itself. */
static int like(struct maker *m, int a)
{
	int b = (int)(draw(&m->state) % (unsigned)m->n);

	for (int i = 0; i < m->n; i++, b = (b + 1) % m->n)
		if (m->rows[b] == m->rows[a] && m->cols[b] == m->cols[a])
			return b;
	return a;
}

static void make_move(struct maker *m, int a)
{
	const int rows = m->rows[a], cols = m->cols[a], cut = rows / 2;
	int b = like(m, a);

	switch (draw(&m->state) % 5) {
	case 0:
		say(m, "v%d = Concat<axis=0>(v%d, v%d)\n",
		    new_value(m, 2 * rows, cols), a, b);
		break;
	case 1:
		say(m, "v%d = Reshape(v%d, s%d:int64[2]={%d,%d})\n", m->n, a,
		    m->n, cols, rows);
		(void)new_value(m, cols, rows);
		break;
	case 2:
		say(m, "v%d = Transpose<perm=[1,0]>(v%d)\n",
		    new_value(m, cols, rows), a);
		break;
	case 3:
		if (rows < 2)
			break;
		say(m, "v%d, v%d = Split<axis=0>(v%d, s%d:int64[2]={%d,%d})\n",
		    m->n, m->n + 1, a, m->n, cut, rows - cut);
		(void)new_value(m, cut, cols);
		(void)new_value(m, rows - cut, cols);
		break;
	default:
		if (rows < 2)
			break;
		say(m,
		    "v%d = Slice(v%d, s%d:int64[1]={%d}, e%d:int64[1]={%d}, "
		    "a%d:int64[1]={0})\n",
		    m->n, a, m->n, cut, m->n, rows, m->n);
		(void)new_value(m, rows - cut, cols);
		break;
	}
}

static void make_node(struct maker *m)
{
	static const char *const unary[] = { "Relu", "Sigmoid", "Tanh",
					     "Identity", "Softmax" };
	static const char *const binary[] = { "Add", "Mul", "Sub" };
	const int a = (int)(draw(&m->state) % (unsigned)m->n);
	const int b = like(m, a);
	const unsigned kind = draw(&m->state) % 4;

	if (kind == 0)
		say(m, "v%d = %s(v%d)\n", new_value(m, m->rows[a], m->cols[a]),
		    unary[draw(&m->state) % 5], a);
	else if (kind == 1)
		say(m, "v%d = %s(v%d, v%d)\n",
		    new_value(m, m->rows[a], m->cols[a]),
		    binary[draw(&m->state) % 3], a, b);
	else if (kind == 2 || m->rows[a] * m->cols[a] > 4000)
		make_move(m, a);
	else
		say(m, "v%d = MatMul(v%d, Transpose<perm=[1,0]>(v%d))\n",
		    new_value(m, m->rows[a], m->rows[b]), a, b);
}

void bench_random(unsigned seed, int n_nodes, char *text, size_t cap)
{
	struct maker m = { .state = seed * 2654435761u,
			   .text = text,
			   .cap = cap };
	int rows, cols;

	for (int i = 0; i < 3; i++) {
		rows = 1 + (int)(draw(&m.state) % 4);
		cols = 1 + (int)(draw(&m.state) % 5);
		say(&m, "v%d:float[%d,%d]%s\n", new_value(&m, rows, cols), rows,
		    cols, i == 2 ? "!" : "");
	}
	for (int i = 0; i < n_nodes && m.n < 60; i++)
		make_node(&m);
	rows = like(&m, 2);
	if (rows > 2)
		say(&m, "assign v2 = v%d\n", rows);
	say(&m, "return v%d, v%d, v%d\n", m.n - 1, m.n / 2, m.n / 3);
}
