/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * SSE: server-sent events, as their bytes come (WHATWG HTML, section 9.2).
 *
 * Ownership: init/finish; an event is lent to its function for the call.
 * Threads:   one at a time.
 * Limits:    lines and events of 1 MiB; ids and names of 63 bytes (a longer
 *            one counts as absent).
 */
#ifndef CLI_SSE_H
#define CLI_SSE_H

#include <stdbool.h>

#include "base/buf.h"

enum { SSE_DATA_MAX = 1 << 20, SSE_NAME_MAX = 64 };

struct sse_event {
	const char *id;	  /**< of this event or of the last that had one; "" */
	const char *name; /**< "message" when it has none */
	const char *data;
	size_t len;
};

struct sse {
	enum err_code (*take)(void *ctx, const struct sse_event *event,
			      struct err *err);
	void *ctx;
	struct buf line, data;
	char id[SSE_NAME_MAX];	    /**< of the last event that was whole */
	char next_id[SSE_NAME_MAX]; /**< of the one under way */
	char name[SSE_NAME_MAX];
	bool has_data, is_after_cr, is_begun;
};

void sse_init(struct sse *sse,
	      enum err_code (*take)(void *ctx, const struct sse_event *event,
				    struct err *err),
	      void *ctx);
void sse_finish(struct sse *sse);
/** An event whose empty line has not come is dropped; the id stays. */
void sse_reset(struct sse *sse);
MUST_USE enum err_code sse_feed(struct sse *sse, const char *bytes, size_t len,
				struct err *err);

#endif
