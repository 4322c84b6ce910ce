/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Compare: whether one tensor is what another says it should be.
 *
 * numpy.isclose's rule for all numbers: |got - want| <= atol + rtol |want|;
 * NaN equals NaN, an infinity equals itself only. Complex numbers are pairs.
 * Strings must be the same bytes.
 *
 * Ownership: allocates nothing. Threads: pure.
 */
#ifndef MEASURE_COMPARE_H
#define MEASURE_COMPARE_H

#include "engine/tensor.h"

struct compare_bound {
	double rtol, atol;
};

/** ERR_SHAPE for another type or shape, ERR_INVALID for other values: the
 * sentence names the first that differs and the greatest difference. */
MUST_USE enum err_code compare_tensors(const struct tensor_view *got,
				       const struct tensor_view *want,
				       struct compare_bound bound,
				       struct err *err);

#endif
