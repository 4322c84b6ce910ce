/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * JSON numbers: the shortest decimal text that reads back to the same value.
 *
 * Threads: pure functions.
 */
#ifndef BASE_JSON_WRITE_PRIV_H
#define BASE_JSON_WRITE_PRIV_H

#include <stddef.h>
#include <stdint.h>

enum { JSON_NUMBER_MAX = 32 };

/** Length of the text, which is not ended with NUL; value must be finite. */
size_t json_number_double(double value, char ret_text[JSON_NUMBER_MAX]);
size_t json_number_float(float value, char ret_text[JSON_NUMBER_MAX]);

#endif
