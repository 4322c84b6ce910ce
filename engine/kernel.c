/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernel.h"

const struct kernel *kernel_choose(const struct kernel_query *query, bool quick)
{
	const struct kernel *const *kernel = query->op->kernels;

	for (; kernel && *kernel; kernel++) {
		if (quick && !((*kernel)->flags & KERNEL_QUICK))
			continue;
		if (!(*kernel)->fits || (*kernel)->fits(query))
			return *kernel;
	}
	return NULL;
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
