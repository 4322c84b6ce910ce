/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * FFT: the discrete Fourier transform of any length, in double.
 *
 *   X[k] = sum over n of x[n] e^(-2 pi i k n / N)
 *
 * Lengths without prime factors above 13 go by Stockham's passes of mixed
 * radix; others by Bluestein's convolution of a power of two (Bluestein 1970).
 *
 * Ownership: works in doubles that the caller lends.
 * Threads:   pure functions; one struct fft and its doubles a thread.
 */
#ifndef ENGINE_KERNELS_FFT_H
#define ENGINE_KERNELS_FFT_H

#include <stdbool.h>
#include <stdint.h>

/** A complex number. */
struct fft_value {
	double re, im;
};

struct fft {
	int64_t n, m;	     /**< m: length of the passes; n, or Bluestein's */
	struct fft_value *x; /**< [n]: what is transformed, in place */
	struct fft_value *y; /**< [m] */
	struct fft_value *root;	 /**< [m]: e^(-2 pi i j / m) */
	struct fft_value *chirp; /**< [n]: e^(-pi i j j / n); else NULL */
	struct fft_value *reply; /**< [m]: transform of the chirp's inverse */
};

/** How many fft_values a transform of n elements, 1 or more, works in. */
int64_t fft_room(int64_t n);
/** Makes the tables in room for fft_room(n). */
void fft_init(struct fft *fft, int64_t n, struct fft_value *room);
/** Transforms x[0..n), forward or back; back divides by n. */
void fft_run(const struct fft *fft, bool is_inverse);

#endif
