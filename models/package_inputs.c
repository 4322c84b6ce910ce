/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Inputs that nobody gave: shapes from the signature, elements from a seed.
 */
#include "base/rng.h"
#include "models/package_priv.h"

bool package_input_shape(const struct signature_port *port, int64_t rows,
			 int64_t open, struct shape *ret)
{
	size_t bytes;

	ret->rank = port->rank;
	for (unsigned d = 0; d < port->rank; d++)
		ret->dim[d] =
		    port->dim[d].extent < 0 ? open : port->dim[d].extent;
	if (port->rank && rows > 0)
		ret->dim[0] = rows;
	return port->has_rank &&
	       !tensor_bytes_checked(port->dtype, ret->rank, ret->dim,
				     port->name, &bytes, NULL);
}

void package_fill_random(struct tensor_view *view, unsigned stream,
			 bool is_normal)
{
	const struct rng rng = { .seed = 1, .stream = stream };
	int64_t n = shape_count(&view->shape);
	size_t size = dtype_info(view->dtype)->size;
	bool is_float = dtype_is_float(view->dtype);

	if (view->dtype == DTYPE_STRING)
		for (int64_t i = 0; i < n; i++)
			((struct str *)view->data)[i].bytes = "";
	if (view->dtype == DTYPE_STRING ||
	    dtype_info(view->dtype)->arith == DTYPE_NONE)
		return;
	for (int64_t i = 0; i < n; i++) {
		/* integers are indexes more often than not: 0 and 1 are
		 * within every table */
		float x = (float)(rng_u32(rng, (uint64_t)i) & 1);

		if (is_float)
			x = is_normal ? rng_normal(rng, (uint64_t)i)
				      : rng_uniform(rng, (uint64_t)i);
		dtype_convert(DTYPE_F32, &x, view->dtype,
			      (char *)view->data + (size_t)i * size, 1, true);
	}
}
