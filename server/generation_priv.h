/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Generation, inside: what texts in one answer and as they come share.
 *
 * Threads: as the request; a stream's runs end on other threads, one at a time.
 */
#ifndef SERVER_GENERATION_PRIV_H
#define SERVER_GENERATION_PRIV_H

#include "server/generation.h"

/** Draws begin, and the first row, unless no tokens are wanted. */
MUST_USE enum err_code generation_start(struct generation *generation,
					struct err *err);
/** What the next run takes; its outputs go into the emptied scratch. */
void generation_give(struct generation *generation);
/** After a run. A row that is at its end gives way to the next. */
MUST_USE enum err_code generation_take(struct generation *generation,
				       struct err *err);
/** Where the row under way has what must not be made; NULL: nowhere. */
const char *generation_stop(const struct generation *generation);

#endif
