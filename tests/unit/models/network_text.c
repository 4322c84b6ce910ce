/* SPDX-License-Identifier: Apache-2.0 */
/* Networks over the tokens of a text. */
#include "models/network.h"

#include <criterion/criterion.h>

enum { TOKENS = 9, STEPS = 5 };

static enum err_code build(const char *model, bool is_sequence,
			   struct network *ret, struct err *err)
{
	const struct network_port in = { .name = "t",
					 .dtype = DTYPE_I64,
					 .row = { 1, { STEPS } },
					 .n_indices = TOKENS };
	const struct network_target out = { "t", TOKENS, is_sequence };
	struct network_request request = {
		.in = &in, .n_in = 1, .out = &out, .n_out = 1, .seed = 1
	};
	struct arena *arena = arena_create(1 << 20);
	struct doc *doc = NULL;
	enum err_code rc;

	cr_assert_eq(
	    doc_parse_yaml(model, strlen(model), "job", arena, &doc, err),
	    ERR_NONE, "%s", err->msg);
	request.model = doc;
	rc = network_build(&request, ret, err);
	arena_destroy(arena);
	return rc;
}

Test(network_text, a_language_model_has_a_state_and_any_number_of_steps)
{
	struct network network;
	const struct model_signature *s = &network.signature;
	struct err err;

	cr_assert_eq(build("{type: rnn_language_model, hidden_size: 4, "
			   "num_layers: 3, embedding_size: 2}",
			   true, &network, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(s->n_inputs, 2);
	cr_assert_eq(s->n_outputs, 2);
	cr_expect_str_eq(s->input[1].name, NETWORK_STATE_INPUT);
	cr_expect_str_eq(s->output[1].name, NETWORK_STATE_OUTPUT);
	cr_expect(s->input[0].dim[1].extent < 0 && s->may_batch);
	/* h and c of each layer */
	cr_expect(shape_equal(&network.state, &(struct shape){ 2, { 6, 4 } }));
	cr_expect_eq(s->output[0].dim[2].extent, TOKENS);
	cr_expect_eq(network.summary.n_params,
		     TOKENS * 2 + (16 * (2 + 4) + 32) +
			 2 * (16 * (4 + 4) + 32) + TOKENS * 5);
	graph_destroy(network.graph);
}

Test(network_text, a_gru_has_one_state_and_tied_weights_one_table)
{
	struct network network;
	struct err err;

	cr_assert_eq(build("{type: rnn_language_model, cell: gru, hidden_size: "
			   "4, embedding_size: 4, tie_weights: true}",
			   true, &network, &err),
		     ERR_NONE, "%s", err.msg);
	cr_expect(shape_equal(&network.state, &(struct shape){ 2, { 1, 4 } }));
	cr_expect_eq(network.summary.n_params,
		     TOKENS * 4 + (12 * 8 + 24) + TOKENS);
	graph_destroy(network.graph);
}

Test(network_text, says_what_does_not_fit)
{
	struct network network;
	struct err err;

	cr_expect_eq(build("{type: rnn_language_model, tie_weights: true}",
			   true, &network, &err),
		     ERR_INVALID);
	cr_expect(strstr(err.msg, "they are 128 and 256"), "%s", err.msg);
	cr_expect_eq(build("{type: rnn}", true, &network, &err), ERR_SHAPE);
	cr_expect(strstr(err.msg, "as rnn_language_model gives them"), "%s",
		  err.msg);
	cr_expect_eq(build("{type: rnn_language_model}", false, &network, &err),
		     ERR_SHAPE);
	cr_expect_eq(build("{type: rnn_langauge_model}", true, &network, &err),
		     ERR_INVALID);
	cr_expect(strstr(err.msg, "did you mean 'rnn_language_model'"), "%s",
		  err.msg);
	cr_expect_eq(build("{type: tabular}", true, &network, &err),
		     ERR_UNSUPPORTED);
}
