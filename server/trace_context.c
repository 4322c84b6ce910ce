/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace_context.h"

#include <string.h>

/* "VV-TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT-PPPPPPPPPPPPPPPP-FF" */
enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, LENGTH = 55 };

/* n digits in lower case, not all of them 0. */
static bool is_hex(const char *at, size_t n, bool may_be_zero)
{
	bool is_zero = true;

	for (size_t i = 0; i < n; i++) {
		if ((at[i] < '0' || at[i] > '9') &&
		    (at[i] < 'a' || at[i] > 'f'))
			return false;
		is_zero = is_zero && at[i] == '0';
	}
	return may_be_zero || !is_zero;
}

static bool is_whole(const char *text)
{
	const size_t len = strlen(text);

	/* later versions may have more members; ff is none */
	if (len < LENGTH || !is_hex(text, 2, true) ||
	    memcmp(text, "ff", 2) == 0)
		return false;
	if (memcmp(text, "00", 2) == 0 ? len != LENGTH
				       : len > LENGTH && text[LENGTH] != '-')
		return false;
	return text[TRACE_AT - 1] == '-' && text[PARENT_AT - 1] == '-' &&
	       text[FLAGS_AT - 1] == '-' &&
	       is_hex(text + TRACE_AT, 32, false) &&
	       is_hex(text + PARENT_AT, 16, false) &&
	       is_hex(text + FLAGS_AT, 2, true);
}

void trace_context_parse(const char *text, struct trace_context *ret)
{
	char low;

	*ret = (struct trace_context){ .is_sampled = false };
	if (!text || !is_whole(text))
		return;
	memcpy(ret->trace, text + TRACE_AT, sizeof(ret->trace) - 1);
	memcpy(ret->parent, text + PARENT_AT, sizeof(ret->parent) - 1);
	low = text[FLAGS_AT + 1];
	ret->is_sampled = (low <= '9' ? low - '0' : low - 'a' + 10) & 1;
}
