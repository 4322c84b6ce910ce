/* SPDX-License-Identifier: Apache-2.0 */
#include "training/loss.h"

#include <criterion/criterion.h>

#include "engine/ops/loss.h"

static void read_spec(const char *yaml, const char *feature, struct loss *ret,
		      struct arena *arena)
{
	struct err err = { 0 };
	struct doc *map;

	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "loss", arena, &map, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(loss_read(map, feature, 3, ret, arena, &err), ERR_NONE,
		     "%s", err.msg);
}

Test(loss, left_out_it_is_the_usual_one_of_the_feature)
{
	struct arena *arena = arena_create(1 << 20);
	struct loss loss;

	cr_assert_eq(loss_read(NULL, "category", 3, &loss, arena, NULL),
		     ERR_NONE);
	cr_expect_str_eq(loss.kind->name, "cross_entropy");
	cr_assert_eq(loss_read(NULL, "number", 1, &loss, arena, NULL),
		     ERR_NONE);
	cr_expect_str_eq(loss.kind->name, "mse");
	read_spec("{label_smoothing: 0.1}", "category", &loss, arena);
	cr_expect_str_eq(loss.kind->name, "cross_entropy");
	cr_expect_eq(loss.params.label_smoothing, 0.1);
	read_spec("null", "number", &loss, arena);
	cr_expect_str_eq(loss.kind->name, "mse");
	arena_destroy(arena);
}

Test(loss, its_parameters_reach_the_training_step)
{
	struct arena *arena = arena_create(1 << 20);
	const struct cross_entropy_attrs *entropy;
	const struct pointwise_loss_attrs *pointwise;
	struct train_loss step;
	struct loss loss;
	struct err err = { 0 };

	read_spec("{type: cross_entropy, label_smoothing: 0.25, ignore_index:"
		  " 7, weight: [1, 2, 0.5]}",
		  "category", &loss, arena);
	cr_assert_eq(loss_for_step(&loss, arena, &step, &err), ERR_NONE);
	entropy = step.attrs;
	cr_expect_str_eq(step.op, "SoftmaxCrossEntropy");
	cr_expect_eq(step.target.elem, DTYPE_I64);
	cr_expect_eq(entropy->label_smoothing, 0.25);
	cr_expect_eq(entropy->ignore_index, 7);
	cr_expect_eq(step.weight.shape.dim[0], 3);
	cr_expect_eq(((const float *)step.weight.value)[2], 0.5f);
	read_spec("{type: huber, delta: 0.5}", "number", &loss, arena);
	cr_assert_eq(loss_for_step(&loss, arena, &step, &err), ERR_NONE);
	pointwise = step.attrs;
	cr_expect_str_eq(step.op, "HuberLoss");
	cr_expect_eq(step.target.elem, DTYPE_F32);
	cr_expect_eq(pointwise->delta, 0.5);
	cr_expect_null(step.weight.value);
	arena_destroy(arena);
}

Test(loss, an_output_that_has_none_is_told)
{
	struct arena *arena = arena_create(1 << 20);
	struct loss loss;
	struct err err = { 0 };

	cr_expect_eq(loss_read(NULL, "image", 3, &loss, arena, &err),
		     ERR_UNSUPPORTED);
	cr_expect_str_eq(err.msg, "output_features: there is no loss for an "
				  "output of type image");
	arena_destroy(arena);
}
