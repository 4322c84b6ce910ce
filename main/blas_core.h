/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * BLAS core: begins the program anew where OpenBLAS took the wrong kernels.
 *
 * OpenBLAS picks its kernels while the program is loaded. For a CPU younger
 * than itself it takes those of one without AVX, at a fourth of the speed; only
 * OPENBLAS_CORETYPE, read before main(), tells it better. Workers inherit it.
 *
 * Threads: the first, before any other and before any file is open.
 */
#ifndef MAIN_BLAS_CORE_H
#define MAIN_BLAS_CORE_H

/** Returns where there is nothing to do, and where the program cannot begin
 * anew: that costs speed only. Never twice: what it sets is left alone. */
void blas_core_ensure(char *const *argv);

#endif
