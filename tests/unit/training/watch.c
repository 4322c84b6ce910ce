/* SPDX-License-Identifier: Apache-2.0 */
#include "training/watch.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/json_write.h"
#include "base/str.h"
#include "tests/unit/training/rig.h"
#include "training/history.h"

/* The part `watch` of the report, which the arena holds. */
static const struct doc *watched(const struct rig *rig)
{
	struct json_writer w;
	struct doc *doc;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	trainer_report(rig->trainer, &w);
	json_write_object_end(&w);
	cr_assert_eq(
	    doc_parse_json(buf.data, buf.len, "report", rig->arena, &doc, NULL),
	    ERR_NONE);
	buf_finish(&buf);
	return doc_find(doc, "watch");
}

static const struct doc *series(const struct doc *watch, const char *what,
				const char *of)
{
	const struct doc *list = doc_find(doc_find(watch, what), of);

	cr_assert(list && list->kind == DOC_LIST, "%s of %s", what, of);
	return list;
}

static const struct variable *find(const struct rig *rig, const char *name)
{
	const struct graph *graph = rig->network.graph;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		if (str_equal(graph->variable[v].name, name))
			return &graph->variable[v];
	}
	cr_assert(false, "there is no %s", name);
	return NULL;
}

/* One step of gradient descent: rate times the norm of the gradient, over that
 * of the weights. */
Test(watch, the_update_ratio_is_of_norms)
{
	const double rate = 0.25;
	double square = 0, norm = 0;
	const struct doc *list;
	struct rig rig;

	rig_begin(&rig,
		  LINEAR "trainer: {max_steps: 1, optimizer: {type: sgd}, "
			 "learning_rate: 0.25}\n",
		  1);
	for (int32_t v = 0; v < rig.network.graph->n_variable; v++) {
		const struct tensor_view *view =
		    &rig.network.graph->variable[v].view;
		const float *w = view->data;

		for (int64_t i = 0; i < shape_count(&view->shape); i++)
			square += (double)w[i] * (double)w[i];
	}
	rig_run(&rig, NULL);
	norm = trainer_history(rig.trainer)->step[3];
	list = series(watched(&rig), "update_ratio", "1");
	cr_expect_eq(list->n, 1);
	cr_expect_float_eq(list->first->number, rate * norm / sqrt(square),
			   1e-5);
	rig_end(&rig);
}

Test(watch, units_that_never_give_anything_are_dead)
{
	static const char text[] =
	    "model: {layers: [{type: conv2d, out_channels: 4, kernel_size: 3},"
	    " {type: relu}, {type: flatten}, {type: linear, out_features: 8},"
	    " {type: relu}, {type: linear, out_features: 4}]}\n"
	    "trainer: {epochs: 2, learning_rate: 1.0e-9}\n";
	const struct doc *watch;
	struct rig rig;

	rig_begin(&rig, text, 1);
	for (int i = 0; i < 3; i++)
		((float *)find(&rig, "0.bias")->view.data)[i] = -1e6f;
	for (int i = 0; i < 8; i++)
		((float *)find(&rig, "3.bias")->view.data)[i] =
		    i == 5 ? -1e6f : 1e3f;
	rig_run(&rig, NULL);
	watch = watched(&rig);
	cr_expect_eq(series(watch, "dead_units", "1")->n, 2);
	cr_expect_eq(series(watch, "dead_units", "1")->first->number, 0.75);
	cr_expect_eq(series(watch, "dead_units", "4")->first->number, 0.125);
	rig_end(&rig);
}

Test(watch, what_is_not_wanted_is_not_there)
{
	struct rig rig;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 1, watch: {update_ratio: false, "
			  "dead_units: false}}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_null(watched(&rig));
	rig_end(&rig);
}

static void keep_series(const struct rig *rig, struct buf *ret)
{
	const struct doc *watch = watched(rig);

	buf_init(ret, 1 << 20);
	for (const struct doc *what = watch->first; what; what = what->next) {
		for (const struct doc *of = what->first; of; of = of->next) {
			for (const struct doc *v = of->first; v; v = v->next)
				buf_put(ret, &v->number, sizeof(v->number));
		}
	}
	cr_assert_gt(ret->len, 0);
}

/* Also where it was stopped between the last step and the evaluation. */
Test(watch, a_run_that_was_stopped_anywhere_has_seen_the_same)
{
	static const char text[] =
	    NETWORK "trainer: {epochs: 2, batch_size: 16, "
		    "evaluate_every_n_steps: 3, checkpoint: {every_n_steps: "
		    "1}}\n";
	struct buf want;
	struct rig rig;
	int64_t n;

	rig_begin(&rig, text, 1);
	rig_run(&rig, NULL);
	n = rig.n_polls;
	keep_series(&rig, &want);
	rig_end(&rig);
	for (int64_t at = 1; at <= n; at++) {
		struct rig_outcome outcome = { 0 };
		struct buf got;
		char dir[64];

		rig_make_dir(dir);
		if (rig_attempt(text, dir, ORDER_STOP, at, &outcome))
			buf_finish(&outcome.weights);
		rig_begin(&rig, text, 1);
		rig_run(&rig, dir);
		keep_series(&rig, &got);
		cr_expect(got.len == want.len &&
			      !memcmp(got.data, want.data, got.len),
			  "poll %lld", (long long)at);
		rig_end(&rig);
		buf_finish(&got);
		rig_remove_dir(dir);
	}
	buf_finish(&want);
}
