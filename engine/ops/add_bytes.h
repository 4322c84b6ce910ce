/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * AddBytes: the sum of two quantized values, quantized:
 *
 *   Y = QuantizeLinear(Add(DequantizeLinear(A), DequantizeLinear(B)))
 *
 * with one scale and one zero point each, which are attributes.
 *
 * Threads: plain data.
 */
#ifndef ENGINE_OPS_ADD_BYTES_H
#define ENGINE_OPS_ADD_BYTES_H

#include <stdint.h>

struct add_bytes_attrs {
	int64_t to; /**< Y's element type */
	double a_scale, b_scale, y_scale;
	int64_t a_zero, b_zero, y_zero;
};

#endif
