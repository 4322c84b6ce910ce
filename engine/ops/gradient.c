/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradient: dX = the gradient of the sum of Y by each X, which Y was computed
 * from. Planning puts the gradient nodes in its place (plan_gradient.c), so it
 * never runs, and the interpreter refuses it.
 */
#include "engine/kernel.h"

static enum err_code gradient_infer(struct infer *infer, struct err *err)
{
	if (infer->n_out >= infer->n_in)
		return err_set(err, ERR_INVALID,
			       "expected at most %u results, one for each "
			       "input behind the first, got %u",
			       infer->n_in - 1, infer->n_out);
	for (unsigned i = 0; i < infer->n_out; i++) {
		infer->out[i].shape = infer->in[i + 1].shape;
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

static enum err_code gradient_prepare(const struct kernel_query *query,
				      struct kernel_setup *ret, struct err *err)
{
	(void)query;
	(void)ret;
	return err_set(err, ERR_UNSUPPORTED, "only a plan has gradients");
}

static void gradient_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	(void)slice;
	(void)scratch;
	kernel_fault(call, 0); /* prepare() lets nobody come here */
}

static const struct kernel gradient_kernel = {
	.name = "gradient.none",
	.flags = KERNEL_QUICK,
	.prepare = gradient_prepare,
	.run = gradient_run,
};
static const struct kernel *const gradient_kernels[] = { &gradient_kernel,
							 NULL };

static const struct port gradient_in[] = {
	{ "Y", "T:float,double,float16,bfloat16", 0 },
	{ "X", "T", PORT_VARIADIC },
	{ 0 },
};
static const struct port gradient_out[] = { { "dX", "T", PORT_VARIADIC },
					    { 0 } };

static const struct op_case gradient_cases[] = {
	{ .name = "more results than inputs",
	  .graph = "a, b = predictd.Gradient(y:float[2], x:float[2])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_gradient;
const struct op op_gradient = {
	.domain = "predictd",
	.name = "Gradient",
	.help = "The gradient of a value by others that it depends on.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_IMPURE,
	.in = gradient_in,
	.out = gradient_out,
	.infer = gradient_infer,
	.kernels = gradient_kernels,
	.cases = gradient_cases,
};
