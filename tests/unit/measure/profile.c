/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/profile.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/graph_text.h"
#include "measure/profile_print.h"

/* Two steps, then two nodes that only a run can shape. */
static const char text[] = "a = Softmax(x:float[4,8]); b = Neg(a)\n"
			   "p = NonZero(b); q = Neg(p)\nreturn b, q";

struct rig {
	struct graph *graph;
	struct plan *plan;
	struct profile profile;
};

static void rig_open(struct rig *rig)
{
	struct signature signature = { 0 };
	struct fact *input = NULL;
	struct err err;

	*rig = (struct rig){ 0 };
	cr_assert_eq(graph_text_parse(text, &rig->graph, &input, &err),
		     ERR_NONE, "%s", err.msg);
	signature.n = (unsigned)rig->graph->n_input;
	signature.input = input;
	cr_assert_eq(
	    plan_create(rig->graph, &signature, NULL, &rig->plan, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(profile_init(rig->plan, &rig->profile, &err), ERR_NONE);
}

static void rig_close(struct rig *rig)
{
	profile_finish(&rig->profile);
	plan_unref(rig->plan);
	graph_destroy(rig->graph);
}

static void wait_ns(int64_t ns)
{
	const int64_t end = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < end)
		;
}

/* A run as an instance would tell of it: step 0 takes 300 us, a node 400 us
 * of which 200 are its body's, twice. */
static void pretend(struct profile *profile, const struct graph_node *node)
{
	const struct observer *o = &profile->observer;

	profile_begin(profile);
	o->slice(o->data, 0, 0, false);
	wait_ns(300000);
	o->slice(o->data, 0, 0, true);
	o->slice(o->data, 1, 0, false);
	o->slice(o->data, 1, 0, true);
	o->node(o->data, &node[0], 0, false);
	wait_ns(200000);
	for (int turn = 0; turn < 2; turn++) {
		o->node(o->data, &node[1], 1, false);
		wait_ns(100000);
		o->node(o->data, &node[1], 1, true);
	}
	o->node(o->data, &node[0], 0, true);
	cr_assert_eq(profile_end(profile, NULL), ERR_NONE);
}

Test(profile, times_belong_to_who_spent_them)
{
	struct rig rig;
	const struct profile_row *row;

	rig_open(&rig);
	for (int i = 0; i < 10; i++)
		pretend(&rig.profile, rig.graph->node);
	profile_close(&rig.profile);
	row = rig.profile.row;
	cr_assert_eq(rig.profile.n_steps, 2);
	cr_assert_eq(rig.profile.n_rows, 4);
	cr_assert_eq(rig.profile.watched.n, 10);
	cr_assert_str_eq(row[0].op, "Softmax");
	/* a busy machine makes times longer, never shorter */
	cr_assert(row[0].summary.min_us >= 300 && row[1].summary.min_us < 300);
	cr_assert(row[2].summary.min_us >= 200 && row[2].summary.min_us < 390,
		  "without its body: %g", row[2].summary.min_us);
	cr_assert(row[3].summary.min_us >= 200, "both turns: %g",
		  row[3].summary.min_us);
	cr_assert_eq(row[3].depth, 1);
	cr_assert(rig.profile.whole.min_us >= 700);
	cr_assert_eq(rig.profile.n_events, 2 + 3);
	rig_close(&rig);
}

Test(profile, a_real_run_fills_all_rows)
{
	struct instance *instance = NULL;
	struct rig rig;

	rig_open(&rig);
	cr_assert_eq(instance_create(rig.plan, &instance, NULL), ERR_NONE);
	instance_observe(instance, &rig.profile.observer);
	profile_begin(&rig.profile);
	cr_assert_eq(instance_run(instance, NULL, NULL), ERR_NONE);
	cr_assert_eq(profile_end(&rig.profile, NULL), ERR_NONE);
	profile_close(&rig.profile);
	cr_assert_eq(rig.profile.n_rows, 4);
	for (size_t i = 0; i < rig.profile.n_rows; i++)
		cr_assert_eq(rig.profile.row[i].samples.n, 1, "row %zu", i);
	cr_assert_str_eq(rig.profile.row[2].op, "NonZero");
	instance_destroy(instance);
	rig_close(&rig);
}

Test(profile, rows_are_summed_by_operator_and_described)
{
	struct profile_group *group = NULL;
	size_t n = 0;
	struct rig rig;
	char shapes[256], few[8];

	rig_open(&rig);
	for (int i = 0; i < 2; i++)
		pretend(&rig.profile, rig.graph->node);
	profile_close(&rig.profile);
	cr_assert_eq(profile_group(&rig.profile, false, &group, &n, NULL),
		     ERR_NONE);
	cr_assert_eq(n, 2);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(group[i].n, 2, "%s", group[i].name);
	mem_free(group);
	profile_shapes(&rig.profile.row[0], shapes, sizeof(shapes));
	cr_assert_str_eq(shapes, "float[4,8] -> float[4,8]");
	profile_shapes(&rig.profile.row[0], few, sizeof(few));
	cr_assert_str_eq(few, "float[4");
	profile_shapes(&rig.profile.row[2], shapes, sizeof(shapes));
	cr_assert_str_eq(shapes, "");
	rig_close(&rig);
}
