/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolutions of bytes: what ConvInteger and QLinearConv ask of a kernel.
 *
 *   Y = conv(x - zero of x, w - zero of w)
 *   y = saturate(round((Y + B) x_scale w_scale / y_scale) + zero of y)
 * What w has may be one for each channel out; padding is the zero point of x.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_CONV_INTEGER_H
#define ENGINE_OPS_CONV_INTEGER_H

#include "engine/ops/conv.h"

/** Zero points or scales; n: how many there are. data NULL: none. */
struct byte_factor {
	enum dtype elem;
	const void *data;
	int64_t n;
};

struct byte_conv {
	struct conv g;
	enum dtype x_elem, w_elem, y_elem;
	const void *x, *w;
	const int32_t *bias; /**< NULL: none */
	void *y;
	int32_t x_zero;
	struct byte_factor w_zero, x_scale, w_scale, y_scale, y_zero;
};

/** The geometry of a query that infer() let pass. */
void byte_conv_query(const struct kernel_query *query, struct conv *ret);
void byte_conv_init(const struct kernel_call *call, struct byte_conv *ret);

/** By products of bytes; the plain reference. */
extern const struct kernel conv_integer_bytes, conv_integer_plain;

#endif
