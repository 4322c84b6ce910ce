/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Peak: what one thread of this machine reaches at best, by trying.
 *
 * Multiplications and additions of float in registers, and reading memory
 * that no cache holds. Each is the best of several short trials.
 *
 * Threads: one at a time.
 */
#ifndef MEASURE_PEAK_H
#define MEASURE_PEAK_H

#include "base/err.h"

struct peak {
	double gflops, read_gbytes; /**< a second */
};

MUST_USE enum err_code peak_measure(struct peak *ret_peak, struct err *err);

#endif
