/* SPDX-License-Identifier: Apache-2.0 */
/* Language models: what follows a token, with a state between batches. */
#include "tests/unit/training/rig.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"

Test(language, perplexity_falls_towards_what_the_source_leaves_open)
{
	struct rig rig;
	double loss, perplexity, bits;

	rig_begin(&rig,
		  LANGUAGE
		  "trainer: {epochs: 60, batch_size: 8, learning_rate: 0.02}\n",
		  1);
	rig_run(&rig, NULL);
	loss = rig_figure(&rig.result.last, "test_loss");
	perplexity = rig_figure(&rig.result.last, "test_perplexity");
	bits = rig_figure(&rig.result.last, "test_bits_per_character");
	cr_expect_float_eq(perplexity, exp(loss), 1e-9);
	cr_expect_float_eq(bits, loss / log(2), 1e-9);
	/* 4 of 10 symbols may follow; without inputs it is 10 */
	cr_expect_lt(perplexity, 5.5);
	cr_expect_gt(perplexity, 3);
	cr_expect_float_eq(exp(rig.result.baseline.loss), 10, 0.8);
	cr_expect_gt(rig_figure(&rig.result.last, "test_accuracy"), 0.2);
	rig_end(&rig);
}

Test(language, gives_the_same_bits_for_any_number_of_threads)
{
	static const unsigned threads[] = { 1, 2, 3, 8 };
	struct buf want = { 0 };

	for (int i = 0; i < 4; i++) {
		struct rig rig;
		struct buf got;

		rig_begin(&rig,
			  LANGUAGE "trainer: {epochs: 2, batch_size: 64}\n",
			  threads[i]);
		rig_run(&rig, NULL);
		rig_weights(&rig, &got);
		rig_end(&rig);
		if (i == 0) {
			want = got;
			continue;
		}
		cr_expect_eq(got.len, want.len);
		cr_expect_eq(memcmp(got.data, want.data, want.len), 0,
			     "%u threads", threads[i]);
		buf_finish(&got);
	}
	buf_finish(&want);
}

/* The last batch of an epoch of 2 batches, from the state that the first one
 * left and from zeros. */
Test(language, a_batch_begins_where_the_one_before_ended)
{
	double loss[2];

	for (int i = 0; i < 2; i++) {
		struct rig rig;
		struct stepper_result result;
		struct stepper_batch batch = { .n = 2, .goes_on = i == 1 };
		int64_t ids[2][14], target[14];
		void *input = ids[0];

		for (int k = 0; k < 14; k++) {
			ids[0][k] = 2 + k % 10;
			ids[1][k] = 2 + 3 * k % 10;
			target[k] = 3 + k % 9;
		}
		rig_begin(&rig, LANGUAGE "trainer: {batch_size: 2}\n", 1);
		rig_create(&rig, NULL);
		batch.input = &input;
		batch.target = target;
		cr_assert_eq(stepper_evaluate(trainer_stepper(rig.trainer),
					      &batch, &result, &rig.err),
			     ERR_NONE, "%s", rig.err.msg);
		input = ids[1];
		cr_assert_eq(stepper_evaluate(trainer_stepper(rig.trainer),
					      &batch, &result, &rig.err),
			     ERR_NONE, "%s", rig.err.msg);
		loss[i] = result.loss;
		rig_end(&rig);
	}
	cr_expect_neq(loss[0], loss[1]);
}

Test(language, a_text_with_a_label_is_learned_by_its_last_state)
{
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 300}\n"
		  "input_features: [{name: t, type: text, vocab_size: 40,"
		  " max_sequence_length: 6}]\n"
		  "output_features: [{name: y, type: category, num_classes:"
		  " 5}]\n"
		  "model: {type: rnn, cell: gru, hidden_size: 16,"
		  " bidirectional: true, output_dropout: 0.1}\n"
		  "trainer: {epochs: 8, batch_size: 16, learning_rate:"
		  " 0.01}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_gt(rig_figure(&rig.result.last, "test_accuracy"), 0.9);
	rig_end(&rig);
}

Test(language, tied_weights_train_one_table)
{
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 100}\n"
		  "input_features: [{name: t, type: text, vocab_size: 12,"
		  " max_sequence_length: 7}]\n"
		  "output_features: [{name: t, type: text}]\n"
		  "model: {type: rnn_language_model, cell: rnn,"
		  " embedding_size: 8, hidden_size: 8, tie_weights: true}\n"
		  "trainer: {epochs: 20, batch_size: 8, learning_rate: 0.02}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_lt(rig_figure(&rig.result.last, "test_perplexity"), 8);
	for (int32_t v = 0; v < rig.network.graph->n_variable; v++)
		cr_expect_str_neq(rig.network.graph->variable[v].name,
				  "decoder.weight");
	rig_end(&rig);
}

/* --- gradients --- */

struct slope {
	struct rig *rig;
	struct stepper_batch batch;
	struct stepper_result result;
};

static double loss_of(struct slope *s)
{
	cr_assert_eq(stepper_evaluate(trainer_stepper(s->rig->trainer),
				      &s->batch, &s->result, &s->rig->err),
		     ERR_NONE, "%s", s->rig->err.msg);
	return s->result.loss;
}

/* d loss / d value by a central difference, of the evaluation's graph, whose
 * layers take another way than those of a step. */
static double slope_at(struct slope *s, float *value)
{
	const float was = *value, eps = 0.02F;
	double above, below;

	*value = was + eps;
	above = loss_of(s);
	*value = was - eps;
	below = loss_of(s);
	*value = was;
	return (above - below) / 2 / (double)eps;
}

/* One step of gradient descent at rate 1 takes the gradient away. */
Test(language, a_step_goes_down_the_slope_that_an_evaluation_has)
{
	enum { ROWS = 16, STEPS = 7, PROBES = 5 };
	const struct stepper_update update = { .step = 1,
					       .draw = 1,
					       .share = 1,
					       .rate = 1,
					       .momentum = (double)NAN };
	int64_t ids[ROWS * STEPS], target[ROWS * STEPS];
	void *input = ids;
	struct rig rig;
	struct slope s = { .rig = &rig };

	for (int i = 0; i < ROWS * STEPS; i++) {
		ids[i] = 2 + i * i % 10;
		target[i] = 2 + i * 3 % 10;
	}
	rig_begin(&rig,
		  "data: {source: synthetic, rows: 100}\n"
		  "input_features: [{name: t, type: text, vocab_size: 12,"
		  " max_sequence_length: 7}]\n"
		  "output_features: [{name: t, type: text}]\n"
		  "model: {type: rnn_language_model, embedding_size: 6,"
		  " hidden_size: 8, num_layers: 2}\n"
		  "trainer: {batch_size: 16, optimizer: {type: sgd}}\n",
		  1);
	rig_create(&rig, NULL);
	s.batch = (struct stepper_batch){ .n = ROWS,
					  .input = &input,
					  .target = target };
	for (int32_t v = 0; v < rig.network.graph->n_variable; v++) {
		const struct variable *variable =
		    &rig.network.graph->variable[v];
		float *value = variable->view.data;
		const int64_t n = shape_count(&variable->view.shape);

		for (int64_t k = 0; k < PROBES; k++) {
			const int64_t at = k * 7919 % n;
			struct buf saved;
			const double want = slope_at(&s, &value[at]);
			const float was = value[at];

			rig_weights(&rig, &saved);
			cr_assert_eq(stepper_step(trainer_stepper(rig.trainer),
						  &s.batch, &update, &s.result,
						  &rig.err),
				     ERR_NONE, "%s", rig.err.msg);
			cr_expect_float_eq(
			    was - value[at], want, 2e-4 + 0.02 * fabs(want),
			    "%s[%d]: %g, %g", variable->name, (int)at,
			    (double)(was - value[at]), want);
			rig_set_weights(&rig, &saved);
			buf_finish(&saved);
		}
	}
	rig_end(&rig);
}
