/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Quantities with a unit: "64 MiB", "1.5h".
 *
 * Threads: pure functions.
 */
#ifndef BASE_FIELD_PRIV_H
#define BASE_FIELD_PRIV_H

#include <stdbool.h>

/** Bytes of "123", "64 MB" (10^6), "2GiB", "512Mi" (2^20); any case. */
bool field_parse_bytes(const char *text, double *ret_value);
/** Seconds of "90", "500ms", "30m", "1.5h", "2d". */
bool field_parse_seconds(const char *text, double *ret_value);

#endif
