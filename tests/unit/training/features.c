/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Frozen bodies: their features, cached or not, on and after a resume. And the
 * memory that a job is allowed.
 */
#include "training/features.h"

#include <criterion/criterion.h>

#include "engine/train_cut.h"
#include "tests/unit/training/rig.h"

/* 80 of 100 rows train in batches of 16 and, once an epoch, of 6 */
#define BODY                                                                  \
	"model: {layers: [{type: conv2d, out_channels: 8, kernel_size: 3, "   \
	"padding: 1}, {type: batch_norm}, {type: relu}, {type: conv2d, "      \
	"out_channels: 8, kernel_size: 3, padding: 1}, {type: batch_norm}, "  \
	"{type: relu}, {type: max_pool2d, kernel_size: 2}, {type: flatten}, " \
	"{type: dropout, p: 0.25}, {type: linear, out_features: 4}]}\n"
#define PHASES                                                            \
	"phases: [{epochs: 3, freeze: body}, {epochs: 2, learning_rate: " \
	"1.0e-3}, {epochs: 2, freeze: 2}]"
#define CACHED BODY "trainer: {batch_size: 16, " PHASES "}\n"
#define FRESH \
	BODY "trainer: {batch_size: 16, cache_features: false, " PHASES "}\n"

static void attempt(const char *text, const char *dir, struct rig_outcome *ret)
{
	*ret = (struct rig_outcome){ 0 };
	cr_assert(rig_attempt(text, dir, ORDER_NONE, 0, ret), "%s", text);
}

Test(features, a_cache_changes_no_bit)
{
	struct rig_outcome cached, fresh;

	attempt(CACHED, NULL, &cached);
	attempt(FRESH, NULL, &fresh);
	rig_expect_same(CACHED, 0, &cached, &fresh);
	buf_finish(&cached.weights);
	buf_finish(&fresh.weights);
}

Test(features, a_run_that_is_broken_anywhere_ends_with_the_same_bits)
{
	struct rig_outcome whole, broken = { 0 };

	attempt(CACHED, NULL, &whole);
	for (int64_t at = 1; at < whole.n_polls; at += 5) {
		char dir[64];

		rig_make_dir(dir);
		if (!rig_attempt(CACHED, dir, ORDER_STOP, at, &broken))
			attempt(CACHED, dir, &broken);
		rig_expect_same(CACHED, at, &broken, &whole);
		buf_finish(&broken.weights);
		rig_remove_dir(dir);
	}
	buf_finish(&whole.weights);
}

/* The spec's first phase. */
static void cut(struct rig *rig, struct train_cut *ret)
{
	struct layer_groups groups;
	bool *frozen =
	    arena_array(rig->arena, (size_t)rig->network.graph->n_variable + 1,
			sizeof(bool));

	cr_assert(frozen);
	cr_assert_eq(layer_groups_find(rig->network.graph, rig->arena, &groups,
				       &rig->err),
		     ERR_NONE);
	cr_assert_eq(freeze_apply(&rig->spec.phases.phase[0].freeze,
				  rig->network.graph, &groups, frozen,
				  &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
	cr_assert_eq(train_cut(rig->network.graph, frozen, ret, &rig->err),
		     ERR_NONE, "%s", rig->err.msg);
}

static bool has_node(const struct graph *graph, const char *op)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (!strcmp(graph->node[i].op->name, op))
			return true;
	return false;
}

Test(features, the_cut_goes_below_draws_and_what_is_trained)
{
	struct train_cut ret;
	struct rig rig;

	rig_begin(&rig, CACHED, 1);
	cut(&rig, &ret);
	cr_assert(ret.body && ret.head);
	cr_expect_eq(ret.n_features, 1);
	cr_expect_eq(ret.n_kept, 0);
	cr_expect(has_node(ret.body, "Conv"));
	cr_expect_not(has_node(ret.body, "Dropout"));
	cr_expect_not(has_node(ret.head, "Conv"));
	cr_expect(has_node(ret.head, "Dropout"));
	cr_expect_eq(ret.head->n_input, 1);
	train_cut_finish(&ret);
	rig_end(&rig);
}

Test(features, statistics_that_are_trained_are_no_body)
{
	struct train_cut ret;
	struct rig rig;

	/* weights and biases of all layers but the head, no statistics */
	rig_begin(&rig,
		  BODY "trainer: {epochs: 1, freeze: ['^0[.]weight', "
		       "'^0[.]bias']}\n",
		  1);
	cut(&rig, &ret);
	cr_assert(ret.body);
	cr_expect_not(has_node(ret.body, "BatchNormalization"));
	cr_expect(has_node(ret.head, "BatchNormalization"));
	train_cut_finish(&ret);
	rig_end(&rig);
	rig_begin(&rig, BODY "trainer: {epochs: 1, freeze: ['^1[.]weight']}\n",
		  1);
	cut(&rig, &ret);
	cr_expect_null(ret.body);
	rig_end(&rig);
}

/* --- memory_limit --- */

#define DEEP                                                                 \
	"model: {layers: ["                                                  \
	"{type: conv2d, out_channels: 64, kernel_size: 3, padding: 1}, "     \
	"{type: batch_norm}, {type: relu}, "                                 \
	"{type: conv2d, out_channels: 64, kernel_size: 3, padding: 1}, "     \
	"{type: batch_norm}, {type: relu}, "                                 \
	"{type: conv2d, out_channels: 64, kernel_size: 3, padding: 1}, "     \
	"{type: batch_norm}, {type: relu}, "                                 \
	"{type: conv2d, out_channels: 64, kernel_size: 3, padding: 1}, "     \
	"{type: batch_norm}, {type: relu}, {type: dropout, p: 0.25}, "       \
	"{type: adaptive_avg_pool2d, output_size: 1}, {type: flatten}, "     \
	"{type: linear, out_features: 4}]}\n"                                \
	"data: {source: synthetic, rows: 100, split: {probabilities: [0.7, " \
	"0.2, 0.1]}}\n"                                                      \
	"input_features: [{name: x, type: image, shape: [1, 48, 48]}]\n"

static const struct job_memory *make(struct rig *rig, const char *text,
				     const char *dir)
{
	rig_begin(rig, text, 1);
	rig_create(rig, dir);
	return trainer_memory(rig->trainer);
}

/* Under ASan most of a process is shadow and what was freed: its limits say
 * nothing of a job's memory, and are kept without any saving. */
#ifdef __SANITIZE_ADDRESS__
enum { IS_TIGHT = false };
#else
enum { IS_TIGHT = true };
#endif

static size_t limit_of(size_t peak, size_t percent)
{
	return IS_TIGHT ? peak / 100 * percent : peak * 8;
}

static void expect_kept_limit(const char *job, size_t percent)
{
	struct rig_outcome whole, limited;
	char dir[64], text[2048];
	struct rig rig;
	const struct job_memory *m = make(&rig, job, NULL);
	const size_t peak = m->peak, block = m->block;

	cr_expect_gt(block, (size_t)16 << 20);
	cr_expect_eq(m->n_recomputed, 0);
	cr_expect_eq(m->peak, m->unlimited);
	rig_end(&rig);
	(void)snprintf(text, sizeof(text), "%sresources: {memory_limit: %zu}\n",
		       job, limit_of(peak, percent));
	rig_make_dir(dir);
	m = make(&rig, text, dir);
	cr_expect_leq(m->peak, m->limit);
	cr_expect(percent >= 50 || (m->n_recomputed > 0) == IS_TIGHT);
	cr_expect_eq(m->is_thrifty, IS_TIGHT);
	rig_end(&rig);
	attempt(job, NULL, &whole);
	attempt(text, NULL, &limited);
	rig_expect_same(text, 0, &limited, &whole);
	buf_finish(&whole.weights);
	buf_finish(&limited.weights);
	rig_remove_dir(dir);
}

Test(memory, a_limit_is_kept_by_computing_again_and_changes_no_bit)
{
	expect_kept_limit(DEEP "trainer: {epochs: 2, batch_size: 32}\n", 40);
}

/* Kernels that round work in more scratch: half is what plans that share a
 * block need. */
Test(memory, so_it_is_where_operands_are_rounded)
{
	expect_kept_limit(
	    DEEP "trainer: {epochs: 1, batch_size: 32, precision: bf16}\n", 50);
}

Test(memory, what_cannot_be_kept_is_refused_in_one_sentence)
{
	struct trainer *trainer;
	struct rig rig;

	rig_begin(&rig,
		  DEEP "trainer: {epochs: 2, batch_size: 32}\n"
		       "resources: {memory_limit: 1MiB}\n",
		  1);
	cr_assert_eq(trainer_create(
			 &(struct trainer_options){
			     .spec = &rig.spec,
			     .dataset = rig.dataset,
			     .pipeline = rig.pipeline,
			     .graph = rig.network.graph,
			     .threads = 1,
			     .spec_digest = "00",
			 },
			 &trainer, &rig.err),
		     ERR_NO_MEMORY);
	cr_expect(strstr(rig.err.msg, "predicted peak memory is "), "%s",
		  rig.err.msg);
	cr_expect(strstr(rig.err.msg, " MiB at least "), "%s", rig.err.msg);
	cr_expect(strstr(rig.err.msg, "memory_limit is 1.0 MiB"), "%s",
		  rig.err.msg);
	rig_end(&rig);
}

Test(memory, parts_add_up_to_the_peak)
{
	struct rig rig;
	const struct job_memory *m = make(&rig, CACHED, NULL);

	cr_expect_eq(m->process + m->parameters + m->optimizer + m->copies +
			 m->block + m->kernels + m->batches + m->evaluation +
			 m->features + m->artifacts,
		     m->peak);
	cr_expect_gt(m->features, 0);
	rig_end(&rig);
}
