/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Decimal: binary floating point from and to decimal digits, both exactly.
 *
 * Reading rounds to nearest, ties to even (Lemire, "Number parsing at a
 * gigabyte per second", 2021; that 128 bits always decide: Mushtak and Lemire
 * 2023). Writing gives the shortest digits that read back to the same number
 * (Giulietti, "The Schubfach way to render doubles", 2020).
 *
 * Threads: pure functions and a const table.
 */
#ifndef SERVER_DECIMAL_H
#define SERVER_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_TEXT_MAX = 32 };

/** w * 10^q rounded once; infinity where it overflows. */
float decimal_to_float(uint64_t w, int64_t q);
double decimal_to_double(uint64_t w, int64_t q);

/** Writes "0.1", "3.0", "1e-7", "-0.0", "NaN", "Infinity" or "-Infinity"
 * without a NUL; to has DECIMAL_TEXT_MAX bytes. Returns the length. */
size_t decimal_write_float(char *to, float value);
size_t decimal_write_double(char *to, double value);
/** Floats with a comma behind each; to has DECIMAL_TEXT_MAX bytes for each. */
size_t decimal_write_floats(char *to, const float *values, size_t n);
/** Plain digits. */
size_t decimal_write_int(char *to, int64_t value);
size_t decimal_write_uint(char *to, uint64_t value);

#endif
