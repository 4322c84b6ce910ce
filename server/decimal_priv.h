/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The table of powers that reading and writing decimals share.
 *
 * Threads: const.
 */
#ifndef SERVER_DECIMAL_PRIV_H
#define SERVER_DECIMAL_PRIV_H

#include <stdint.h>

__extension__ typedef unsigned __int128 wide_uint;

enum { POWER_MIN = -342, POWER_MAX = 324 };

/** 5^q as hi * 2^64 + lo, scaled so that the top bit of hi is set. */
struct power_of_five {
	uint64_t hi, lo;
};

/** power_of_five[q - POWER_MIN] */
extern const struct power_of_five powers_of_five[POWER_MAX - POWER_MIN + 1];

#endif
