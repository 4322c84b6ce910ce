/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/models/run_onnx.h"

#include <criterion/criterion.h>

enum { MAX_IN = 4 };

enum err_code run_read(struct run *f)
{
	const struct onnx_options options = { 0 };

	return onnx_read(f->m.buf.data, f->m.buf.len, "m.onnx", &options,
			 &f->graph, &f->signature, &f->err);
}

void run_end(struct run *f)
{
	instance_destroy(f->instance);
	plan_unref(f->plan);
	graph_destroy(f->graph);
	make_finish(&f->m);
}

void run_expect_refusal(struct run *f, const char *says)
{
	cr_expect_neq(run_read(f), ERR_NONE, "%s", says);
	cr_expect(strstr(f->err.msg, says) != NULL, "'%s' in '%s'", says,
		  f->err.msg);
	run_end(f);
}

struct fact run_known(enum dtype elem, unsigned rank, int64_t n,
		      const void *value)
{
	return (struct fact){ .type = { .elem = elem },
			      .shape = { rank, { n } },
			      .has_shape = true,
			      .value = value };
}

enum err_code run_plan(struct run *f, const struct fact *input,
		       bool in_signature)
{
	struct fact fact[MAX_IN];
	const struct signature signature = { (unsigned)f->graph->n_input,
					     fact };
	enum err_code rc;

	instance_destroy(f->instance);
	plan_unref(f->plan);
	f->instance = NULL;
	f->plan = NULL;
	for (unsigned i = 0; i < signature.n; i++) {
		fact[i] = input[i];
		if (!in_signature)
			fact[i].value = NULL;
	}
	rc = plan_create(f->graph, &signature, NULL, &f->plan, &f->err);
	cr_assert_eq(rc, ERR_NONE, "%s", f->err.msg);
	rc = instance_create(f->plan, &f->instance, &f->err);
	cr_assert_eq(rc, ERR_NONE, "%s", f->err.msg);
	for (unsigned i = 0; i < signature.n; i++)
		if (shape_count(&input[i].shape))
			memcpy(
			    instance_input(f->instance, i).data, input[i].value,
			    tensor_bytes(input[i].type.elem, &input[i].shape));
	return instance_run(f->instance, NULL, &f->err);
}

void run_expect_floats(struct run *f, unsigned output, const float *want,
		       int64_t n)
{
	const struct tensor_view got = instance_output(f->instance, output);
	const float *x = got.data;

	cr_assert_eq(got.dtype, DTYPE_F32);
	cr_assert_eq(shape_count(&got.shape), n);
	for (int64_t i = 0; i < n; i++)
		cr_assert_float_eq(x[i], want[i], 1e-6, "%u: %g at %d", output,
				   (double)x[i], (int)i);
}
