/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * oneDNN's door: the kernels behind it, in the order in which rows list them.
 *
 * oneDNN always runs with one thread; we slice. All values are row-major: a
 * kernel reorders into oneDNN's blocked forms in its scratch where that pays,
 * and packs an input once, in prepare(), where its value is known (constants).
 *
 * fits() answers for element types, shapes and predicted cost. Whether oneDNN
 * has a fast implementation is known only in prepare(): where it offers none
 * but its reference one, prepare() gives ERR_UNSUPPORTED and the caller tries
 * the row's next kernel.
 *
 * Ownership: a state holds its own engine, primitives and packed inputs.
 * Threads:   states are read only; every run sets its thread's OpenMP to one
 *            thread before anything else.
 */
#ifndef ENGINE_KERNELS_ONEDNN_ONEDNN_H
#define ENGINE_KERNELS_ONEDNN_ONEDNN_H

#include <stdbool.h>

#include "engine/kernel.h"

extern const struct kernel conv_onednn_winograd, conv_onednn_product,
    conv_onednn_plain, conv_onednn;
extern const struct kernel conv_grad_data_onednn_winograd,
    conv_grad_data_onednn_plain, conv_grad_data_onednn;
extern const struct kernel conv_grad_weights_onednn_product,
    conv_grad_weights_onednn_winograd, conv_grad_weights_onednn_plain,
    conv_grad_weights_onednn;
extern const struct kernel conv_onednn_bf16, conv_grad_data_onednn_bf16,
    conv_grad_weights_onednn_bf16;
extern const struct kernel product_onednn, product_onednn_bf16;
extern const struct kernel max_pool_onednn, average_pool_onednn;
extern const struct kernel softmax_onednn, log_softmax_onednn;
extern const struct kernel conv_blocked_onednn, block_onednn, unblock_onednn;
extern const struct kernel conv_narrow_onednn;
/** MaxPoolBlocked of one block: all channels last. */
extern const struct kernel max_pool_last_onednn;

/** The CPU multiplies bytes exactly (VNNI). Without it sums of two products go
 * through 16 bits: weights of at most ONEDNN_WEIGHT_MAX are exact beside uint8,
 * and even ones of at most twice that beside int8, which oneDNN halves. */
bool onednn_has_bytes(void);
/** The CPU multiplies bfloat16; oneDNN does so by floats else, from AVX-512 on.
 */
bool onednn_has_bf16(void);
enum { ONEDNN_WEIGHT_MAX = 63 };

/** The implementation that a kernel's prepared state runs, such as
 * "brgconv:avx512_core"; "" for one that is not oneDNN's. */
const char *onednn_implementation(const struct kernel *kernel,
				  const void *state);

struct blas_product; /* engine/kernels/blas.h */
/** The same as blas_product_f32(), by oneDNN; false: it could not. */
bool onednn_product_f32(const struct blas_product *p, const float *a,
			const float *b, float *c);

enum { ONEDNN_VERSION_MAX = 64 };
/** The library and the instructions that it makes code of. */
const char *onednn_version(char ret_text[ONEDNN_VERSION_MAX]);

#endif
