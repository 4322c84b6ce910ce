/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution through oneDNN: which problem each slice solves.
 *
 * The three rows (Conv, ConvGradData, ConvGradWeights) are one problem over x,
 * w and y, of which one is the result. Slices cut the batch, the groups, the
 * channels out (forward, weights) or the channels in (data): all of one size,
 * so that one primitive serves them.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_KERNELS_ONEDNN_CONV_PRIV_H
#define ENGINE_KERNELS_ONEDNN_CONV_PRIV_H

#include <dnnl.h>

#include "engine/ops/conv.h"
#include "engine/ops/epilogue.h"

enum conv_kind { CONV_FORWARD, CONV_DATA, CONV_WEIGHTS, CONV_N_KINDS };
/** PLAIN: oneDNN's im2col over plain values, image by image. DIRECT and
 * WINOGRAD: its own blocked forms, with reorders. PRODUCT: our im2col over the
 * whole batch and one matrix product: best for small planes of many channels,
 * where all else reads the weights once an image, or reorders them. BF16: as
 * DIRECT, of operands rounded on their way into its forms. */
enum conv_form {
	CONV_PLAIN,
	CONV_DIRECT,
	CONV_WINOGRAD,
	CONV_PRODUCT,
	CONV_BF16,
	CONV_N_FORMS
};
enum conv_cut { CUT_NONE, CUT_BATCH, CUT_GROUP, CUT_OUT, CUT_IN };

struct conv_job {
	struct conv whole, part; /**< part: of one slice */
	enum conv_kind kind;
	enum conv_form form;
	enum conv_cut cut;
	unsigned n_slices;
	const void *known_w; /**< a constant: packed once; NULL: not known */
	bool has_bias;
};

/** The problem of a query that infer() let pass, cut for want_slices. */
void conv_job(const struct kernel_query *query, enum conv_kind kind,
	      enum conv_form form, struct conv_job *ret);
/** Predicted us on one thread, reorders included. */
double conv_job_cost(const struct conv_job *job);
/** No form of floats that rows list behind this one is predicted to be faster.
 */
bool conv_job_is_best(const struct kernel_query *query, enum conv_kind kind,
		      enum conv_form form);

/* Operands as oneDNN counts their axes. */
struct shape onednn_conv_x(const struct conv *g);
struct shape onednn_conv_y(const struct conv *g);
struct shape onednn_conv_w(const struct conv *g);

/** A window as oneDNN's descriptors want it. */
struct onednn_window {
	dnnl_dims_t stride, dilation, begin, end;
};
struct onednn_window onednn_window(const struct window *w);

/** What an epilogue is as post-operations, its result times `scale` (1 where
 * the epilogue is none). */
dnnl_status_t onednn_append_epilogue(dnnl_post_ops_t ops,
				     const struct epilogue *e, float scale);

struct recipe;
/** The steps of a CONV_PRODUCT. */
MUST_USE enum err_code conv_product_cook(const struct conv_job *job,
					 struct recipe *recipe,
					 struct err *err);

#endif
