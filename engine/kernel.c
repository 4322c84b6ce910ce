/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernel.h"

bool kernel_takes(const struct kernel *kernel, const struct kernel_query *query,
		  bool quick)
{
	if (quick && !(kernel->flags & KERNEL_QUICK))
		return false;
	if (query->numerics == NUMERICS_STRICT &&
	    kernel->flags & KERNEL_SHORTCUT)
		return false;
	if (query->products != PRODUCTS_BF16 && kernel->flags & KERNEL_ROUNDS)
		return false;
	return !kernel->fits || kernel->fits(query);
}

const struct kernel *kernel_choose(const struct kernel_query *query, bool quick)
{
	const struct kernel *const *kernel = query->op->kernels;

	for (; kernel && *kernel; kernel++) {
		if (kernel_takes(*kernel, query, quick))
			return *kernel;
	}
	return NULL;
}

static void run_nothing(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	(void)call;
	(void)slice;
	(void)scratch;
}

const struct kernel kernel_idle = {
	.name = "idle",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = run_nothing,
};

bool kernel_makes_nothing(const struct kernel_query *query)
{
	for (unsigned i = 0; i < query->n_out; i++)
		if (query->out[i].type.elem != DTYPE_NONE &&
		    shape_count(&query->out[i].shape) > 0)
			return false;
	return query->n_out > 0;
}

enum err_code kernel_prepare(const struct kernel_query *query, bool quick,
			     const struct kernel **ret_kernel,
			     struct kernel_setup *ret_setup, struct err *err)
{
	const struct kernel *const *kernel = query->op->kernels;
	enum err_code rc = err_set(err, ERR_UNSUPPORTED,
				   "operator '%s' has no kernel for these "
				   "types and shapes",
				   query->op->name);

	if (kernel_choose(query, quick) && kernel_makes_nothing(query)) {
		*ret_setup = (struct kernel_setup){ .n_slices = 1 };
		*ret_kernel = &kernel_idle;
		return ERR_NONE;
	}
	for (; kernel && *kernel && rc == ERR_UNSUPPORTED; kernel++) {
		if (!kernel_takes(*kernel, query, quick))
			continue;
		*ret_setup = (struct kernel_setup){ .n_slices = 1 };
		rc = ERR_NONE;
		if ((*kernel)->prepare)
			rc = (*kernel)->prepare(query, ret_setup, err);
		*ret_kernel = *kernel;
	}
	return rc;
}

double kernel_cost(const struct kernel *kernel,
		   const struct kernel_query *query)
{
	double us = 0.0;

	if (kernel->cost)
		return kernel->cost(query);
	for (unsigned i = 0; i < query->n_out; i++)
		if (query->out[i].type.elem != DTYPE_NONE)
			us += 1e-3 * (double)shape_count(&query->out[i].shape);
	return us;
}

unsigned kernel_slices(const struct kernel_query *query, double most)
{
	if (most >= query->want_slices)
		return query->want_slices > 1 ? query->want_slices : 1;
	return most > 1 ? (unsigned)most : 1;
}
