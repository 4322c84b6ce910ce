/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fourier transforms, as their gradients use them.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_FOURIER_H
#define ENGINE_OPS_FOURIER_H

#include "engine/autodiff.h"

struct dft_attrs {
	int64_t inverse, onesided;
};

struct stft_attrs {
	int64_t onesided;
};

/** What the kernel does with a line: n numbers in, `length` transformed, n_out
 * numbers out; `inner` numbers lie between two of a line. */
struct lines {
	int64_t n, length, n_out, inner, count;
	unsigned parts, parts_out;
	bool is_inverse, is_onesided;
};

/** Frames of a signal, which are lines of their own. */
struct frames {
	int64_t batch, signal, step, length, n, n_out;
	unsigned parts;
};

/** Of DFT. */
MUST_USE enum err_code fourier_lines(const struct infer *infer,
				     struct lines *ret, unsigned *ret_axis,
				     struct err *err);
/** Of STFT. */
MUST_USE enum err_code fourier_frames(const struct infer *infer,
				      struct frames *ret, struct err *err);
MUST_USE enum err_code dft_vjp(struct vjp *vjp, struct err *err);
MUST_USE enum err_code stft_vjp(struct vjp *vjp, struct err *err);

#endif
