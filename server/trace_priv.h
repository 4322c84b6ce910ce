/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The line of a request that is followed.
 *
 * Threads: any.
 */
#ifndef SERVER_TRACE_PRIV_H
#define SERVER_TRACE_PRIV_H

#include "server/trace.h"

void trace_write(uint64_t number, int64_t level,
		 const struct inference *inference);

#endif
