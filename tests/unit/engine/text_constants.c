/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engine/text_constants.h"

#include <stdlib.h>

void text_with_constants(const char *text, struct buf *buf)
{
	unsigned state = 1;

	for (; *text; text++) {
		long n = 1;

		if (*text != '#') {
			buf_put(buf, text, 1);
			continue;
		}
		buf_printf(buf, "float");
		for (text++; *text != ']'; text++) {
			buf_put(buf, text, 1);
			if (*text == '[' || *text == ',')
				n *= strtol(text + 1, NULL, 10);
		}
		buf_printf(buf, "]={");
		for (long i = 0; i < n; i++) {
			state = state * 1103515245U + 12345U;
			buf_printf(buf, "%s%.3f", i ? "," : "",
				   (double)(state >> 16 & 1023) / 512 - 1);
		}
		buf_printf(buf, "}");
	}
}
