/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * How the weights of networks begin.
 */
#include "models/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

struct fixture {
	struct arena *arena;
	struct network_port in[3];
	struct network_target out;
	struct network_request request;
	struct network network;
	struct err err;
};

static void begin(struct fixture *f, struct shape row, int64_t width)
{
	memset(f, 0, sizeof(*f));
	f->arena = arena_create(1 << 20);
	f->in[0] = (struct network_port){ .name = "image",
					  .dtype = DTYPE_F32,
					  .row = row };
	f->out = (struct network_target){ "label", width, false };
	f->request = (struct network_request){
		.in = f->in, .n_in = 1, .out = &f->out, .n_out = 1, .seed = 1
	};
}

static enum err_code build(struct fixture *f, const char *yaml)
{
	struct doc *doc = NULL;

	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "job", f->arena, &doc, &f->err),
	    ERR_NONE, "%s", f->err.msg);
	f->request.model = doc;
	graph_destroy(f->network.graph);
	f->network.graph = NULL;
	return network_build(&f->request, &f->network, &f->err);
}

static void end(struct fixture *f)
{
	graph_destroy(f->network.graph);
	arena_destroy(f->arena);
}

static const struct variable *variable(const struct fixture *f,
				       const char *name)
{
	const struct graph *graph = f->network.graph;

	for (int32_t i = 0; i < graph->n_variable; i++) {
		if (!strcmp(graph->variable[i].name, name))
			return &graph->variable[i];
	}
	cr_assert(false, "no variable '%s'", name);
	return NULL;
}

static const float *values(const struct fixture *f, const char *name)
{
	return variable(f, name)->view.data;
}

static void moments(const float *v, size_t n, double *mean, double *deviation,
		    double *largest)
{
	double sum = 0, squares = 0;

	*largest = 0;
	for (size_t i = 0; i < n; i++) {
		sum += (double)v[i];
		squares += (double)v[i] * (double)v[i];
		if (fabs((double)v[i]) > *largest)
			*largest = fabs((double)v[i]);
	}
	*mean = sum / (double)n;
	*deviation = sqrt(squares / (double)n - *mean * *mean);
}

Test(network, weights_begin_as_asked)
{
	static const struct {
		const char *init;
		double deviation, bound; /* bound 0: none */
	} rows[] = {
		{ "default", 1 / 20.0 / 1.7320508, 1 / 20.0 },
		{ "kaiming_normal", 0.0707107, 0 },
		{ "kaiming_uniform", 0.0707107, 0.1224745 },
		{ "xavier_normal", 0.0632456, 0 },
		{ "xavier_uniform", 0.0632456, 0.1095445 },
		{ "normal", 0.01, 0 },
		{ "trunc_normal", 0.02 * 0.8796, 0.04 },
		{ "orthogonal", 0.05, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double mean, deviation, largest;
		struct fixture f;
		char yaml[128];

		begin(&f, (struct shape){ 1, { 400 } }, 100);
		(void)snprintf(yaml, sizeof(yaml),
			       "{type: mlp, hidden_sizes: [], init: %s}",
			       rows[i].init);
		cr_assert_eq(build(&f, yaml), ERR_NONE, "%s", f.err.msg);
		moments(values(&f, "0.weight"), 40000, &mean, &deviation,
			&largest);
		cr_expect_float_eq(mean, 0, rows[i].deviation / 40);
		cr_expect_float_eq(deviation, rows[i].deviation,
				   rows[i].deviation / 50, "%s: %g",
				   rows[i].init, deviation);
		if (rows[i].bound > 0)
			cr_expect(largest <= rows[i].bound &&
				  largest > rows[i].bound * 0.99);
		moments(values(&f, "0.bias"), 100, &mean, &deviation, &largest);
		cr_expect(i ? largest == 0 : largest > 0.04 && largest <= 0.05);
		end(&f);
	}
}

/* In both directions: 100 rows of 400, and 400 rows of 100. */
Test(network, orthogonal_weights_are_at_right_angles)
{
	for (int tall = 0; tall < 2; tall++) {
		int64_t in = tall ? 100 : 400, out = tall ? 400 : 100;
		int64_t next = tall ? 1 : in, along = tall ? in : 1;
		struct fixture f;
		const float *w;
		double most = 0;

		begin(&f, (struct shape){ 1, { in } }, out);
		cr_assert_eq(build(&f, "{type: mlp, hidden_sizes: [], init: "
				       "orthogonal}"),
			     ERR_NONE, "%s", f.err.msg);
		w = values(&f, "0.weight");
		for (int64_t i = 0; i < 100; i++) {
			for (int64_t j = 0; j <= i; j++) {
				double dot = i == j ? -1 : 0;

				for (int64_t k = 0; k < 400; k++)
					dot += (double)w[i * next + k * along] *
					       (double)w[j * next + k * along];
				most = fmax(most, fabs(dot));
			}
		}
		cr_expect_leq(most, 1e-5, "%g", most);
		end(&f);
	}
}

Test(network, draws_the_same_for_the_same_seed)
{
	struct fixture f, g;
	const float *a, *b;

	begin(&f, (struct shape){ 1, { 8 } }, 3);
	begin(&g, (struct shape){ 1, { 8 } }, 3);
	cr_assert_eq(build(&f, "type: mlp"), ERR_NONE);
	cr_assert_eq(build(&g, "type: mlp"), ERR_NONE);
	a = values(&f, "0.weight");
	cr_assert(!memcmp(a, values(&g, "0.weight"), 4096));
	b = values(&f, "2.weight");
	cr_assert(a[0] * 1000 != b[0] * 1000, "each parameter has its stream");
	g.request.seed = 2;
	cr_assert_eq(build(&g, "type: mlp"), ERR_NONE);
	cr_assert(memcmp(a, values(&g, "0.weight"), 4096) != 0);
	end(&f);
	end(&g);
}
