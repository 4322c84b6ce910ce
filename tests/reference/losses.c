/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Losses of jobs against PyTorch: the value, and the gradient as what one step
 * of gradient descent takes away.
 */
#include "training/loss.h"

#include <criterion/criterion.h>
#include <math.h>

#include "engine/graph_text.h"
#include "engine/kernels/blas.h"
#include "reference.h"
#include "tests/unit/training/loss_base.h"
#include "training/stepper.h"

enum { MAX = 64 };

static void read_loss(const char *name, const struct doc *params,
		      const char *feature, int64_t width,
		      struct train_loss *ret, struct arena *arena)
{
	struct doc *map = doc_new(arena, DOC_MAP);
	struct err err = { 0 };
	struct loss loss;

	doc_add(map, "type", doc_new_text(arena, name));
	for (const struct doc *at = params->first; at; at = at->next)
		doc_add(map, at->key, doc_new_double(arena, at->number));
	cr_assert_eq(loss_read(map, feature, width, &loss, arena, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(loss_for_step(&loss, width, arena, ret, &err), ERR_NONE);
}

static void check(const struct reference *reference, const struct doc *row)
{
	const char *name = row->key;
	const struct tensor_view *x = reference_get(reference, "%s.x", name);
	const struct tensor_view *t = reference_get(reference, "%s.t", name);
	const int64_t n = x->shape.dim[0], width = x->shape.dim[1];
	const bool is_class = t->dtype == DTYPE_I64;
	struct optimizer optimizer;
	struct err err = { 0 };
	float w[MAX] = { 0 };
	struct graph *base = loss_base(n, width, w);
	struct stepper_port in = { DTYPE_F32, { 1, { width } } };
	struct stepper_options options = {
		.optimizer = &optimizer,
		.input = &in,
		.n_inputs = 1,
		.target = { t->dtype, { is_class ? 0 : 1, { 1 } } },
		.threads = 1,
	};
	void *input = x->data;
	const struct stepper_batch batch = { n, &input, t->data, false };
	const struct stepper_update update = { .step = 1,
					       .draw = 1,
					       .share = 1,
					       .rate = 1,
					       .momentum = (double)NAN };
	struct stepper_result result;
	struct stepper *stepper;
	struct doc *sgd = doc_new(reference->arena, DOC_MAP);
	float loss;

	doc_add(sgd, "type", doc_new_text(reference->arena, "sgd"));
	cr_assert_eq(optimizer_read(sgd, &optimizer, reference->arena, &err),
		     ERR_NONE);
	read_loss(name, row, is_class ? "category" : "number", width,
		  &options.loss, reference->arena);
	cr_assert_eq(stepper_create(base, &options, &stepper, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(stepper_step(stepper, &batch, &update, &result, &err),
		     ERR_NONE, "%s: %s", name, err.msg);
	loss = (float)result.loss;
	reference_compare(name, reference_get(reference, "%s.loss", name),
			  &loss, 1e-5);
	for (int64_t i = 0; i < n * width; i++)
		w[i] = -((const float *)base->variable[0].view.data)[i];
	reference_compare(name, reference_get(reference, "%s.grad", name), w,
			  1e-5);
	stepper_destroy(stepper);
	graph_destroy(base);
}

Test(losses, agree_with_pytorch)
{
	struct reference reference;
	struct err err = { 0 };
	unsigned n = 0;

	cr_assert_eq(blas_init(&err), ERR_NONE);
	reference_open("losses_more", &reference);
	for (const struct doc *at = reference.meta->first; at; at = at->next) {
		check(&reference, at);
		n++;
	}
	cr_expect_eq(n, 4);
	reference_expect_all_seen(&reference);
	reference_close(&reference);
}
