/* SPDX-License-Identifier: Apache-2.0 */
#include "models/network.h"

#include <criterion/criterion.h>
#include <math.h>

/* clang-format off */
static const char model[] =
	"{layers: [{type: reshape, shape: [7, -1]},"
	" {type: gru, hidden_size: 5, num_layers: 2, bidirectional: true},"
	" {type: lstm, hidden_size: 3, output: last, bias: false, bidirectional: true}]}";
/* clang-format on */

static const struct variable *variable(const struct graph *graph,
				       const char *name)
{
	for (int32_t i = 0; i < graph->n_variable; i++)
		if (!strcmp(graph->variable[i].name, name))
			return &graph->variable[i];
	cr_assert(false, "no variable '%s'", name);
	return NULL;
}

Test(network, recurrent_layers_lie_on_each_other_in_both_directions)
{
	const struct network_port in = {
		.name = "x",
		.dtype = DTYPE_F32,
		.row = { 3, { 1, 4, 7 } },
	};
	const struct network_target out = { "label", 6, false };
	struct network_request request = {
		.in = &in, .n_in = 1, .out = &out, .n_out = 1, .seed = 1
	};
	struct arena *arena = arena_create(1 << 20);
	const struct network_layer *layer;
	struct network network;
	struct doc *doc = NULL;
	const float *weight;
	struct err err;

	cr_assert_eq(
	    doc_parse_yaml(model, sizeof(model) - 1, "job", arena, &doc, &err),
	    ERR_NONE, "%s", err.msg);
	request.model = doc;
	cr_assert_eq(network_build(&request, &network, &err), ERR_NONE, "%s",
		     err.msg);
	layer = network.summary.layer + 1;
	cr_expect(shape_equal(&layer[0].row, &(struct shape){ 2, { 7, 10 } }));
	cr_expect_eq(layer[0].n_params,
		     2 * 15 * (4 + 5 + 2) + 2 * 15 * (10 + 5 + 2));
	cr_expect_eq(layer[1].n_params, 2 * 12 * (10 + 3));
	cr_expect(
	    shape_equal(&variable(network.graph, "1.weight_ih_l1")->view.shape,
			&(struct shape){ 3, { 2, 15, 10 } }));
	weight = variable(network.graph, "2.weight_ih_l0")->view.data;
	for (int i = 0; i < 2 * 12 * 10; i++)
		cr_expect_leq(fabsf(weight[i]), 1 / sqrtf(3));
	graph_destroy(network.graph);
	arena_destroy(arena);
}

Test(network, says_what_is_wrong_with_a_recurrent_layer)
{
	static const struct {
		const char *yaml;
		const char *says;
	} rows[] = {
		{ "{layers: [{type: flatten}, {type: lstm, hidden_size: 4}]}",
		  "rows of [steps, numbers], but gets [28]" },
		{ "{layers: [{type: reshape, shape: [3, 2]}]}",
		  "model.layers[0] (reshape)" },
		{ "{layers: [{type: reshape, shape: [7, 4]}, "
		  "{type: gru, hidden_size: 4, output: first}]}",
		  "sequence" },
	};
	const struct network_port in = {
		.name = "x",
		.dtype = DTYPE_F32,
		.row = { 3, { 1, 4, 7 } },
	};
	const struct network_target out = { "label", 4, false };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct network_request request = {
			.in = &in, .n_in = 1, .out = &out, .n_out = 1
		};
		struct arena *arena = arena_create(1 << 20);
		struct network network;
		struct doc *doc = NULL;
		struct err err;

		cr_assert_eq(doc_parse_yaml(rows[i].yaml, strlen(rows[i].yaml),
					    "job", arena, &doc, &err),
			     ERR_NONE, "%s", err.msg);
		request.model = doc;
		cr_expect_neq(network_build(&request, &network, &err),
			      ERR_NONE);
		cr_expect(strstr(err.msg, rows[i].says), "%s: %s", rows[i].yaml,
			  err.msg);
		arena_destroy(arena);
	}
}
