/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Exact: whether numbers are read and written to the last bit.
 *
 * Cases are made by rule, none is stored: random bits of floats and doubles in
 * several spellings; the exact middle of two neighbours, and a trace above and
 * below it, down to the smallest subnormal and up to where infinity begins;
 * digit strings of up to 800 digits at random exponents. The C library, which
 * rounds correctly, says what is right (Clinger, "How to read floating point
 * numbers accurately", 1990, says which cases are hard).
 *
 * Threads: one at a time.
 */
#ifndef BENCH_EXACT_H
#define BENCH_EXACT_H

#include <stdbool.h>
#include <stdint.h>

/** n random values and n / 10 of each kind of hard case, read and written.
 * Prints the counts, and the first values that differ; false if any did. */
bool exact_check(uint64_t n);

#endif
