/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/synthetic_text.h"

#include <stdio.h>

#include "base/mem.h"

#define BYTES_MAX ((size_t)4 << 30)

/* a symbol with what parts it from the next, at most */
enum { SYMBOL_BYTES = 16, PRINTABLE = 94, IDEOGRAPHS = 20000 };

/* '!' to '~', then three bytes each from U+4E00 on */
static size_t put_character(int64_t symbol, char *to)
{
	unsigned code;

	if (symbol < PRINTABLE) {
		*to = (char)('!' + symbol);
		return 1;
	}
	code = 0x4e00 + (unsigned)(symbol - PRINTABLE);
	to[0] = (char)(0xe0 | code >> 12);
	to[1] = (char)(0x80 | (code >> 6 & 0x3f));
	to[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

static size_t put_symbol(enum token_level level, int64_t symbol, char *to)
{
	if (level == TOKEN_CHARACTER)
		return put_character(symbol, to);
	return (size_t)snprintf(to, SYMBOL_BYTES, "w%lld ", (long long)symbol);
}

static int64_t draw(const struct synthetic_text_options *o, int64_t i,
		    int64_t last)
{
	const int64_t k = o->n_classes ? i / o->cut.length % o->n_classes : 0;
	const int64_t base = o->n_classes ? 3 * k : last + 1;
	const uint64_t noise =
	    rng_below(o->rng, (uint64_t)i, o->n_classes ? 3 : 4);

	return (base + (int64_t)noise) % o->n_symbols;
}

static size_t write_all(const struct synthetic_text_options *o, char *to)
{
	const int64_t n = o->rows * o->cut.length + 1;
	int64_t symbol = 0;
	size_t len = 0;

	for (int64_t i = 0; i < n; i++) {
		symbol = draw(o, i, symbol);
		len += put_symbol(o->cut.level, symbol, to + len);
	}
	return len;
}

enum err_code synthetic_text_init(struct synthetic_text *text,
				  const struct synthetic_text_options *options,
				  struct err *err)
{
	struct synthetic_text_options o = *options;
	const size_t room = (size_t)o.cut.length * SYMBOL_BYTES;
	size_t len;
	enum err_code rc;

	*text = (struct synthetic_text){ 0 };
	if (o.cut.level == TOKEN_CHARACTER &&
	    o.n_symbols > PRINTABLE + IDEOGRAPHS)
		o.n_symbols = PRINTABLE + IDEOGRAPHS;
	if (o.n_symbols < 1)
		o.n_symbols = 1;
	if ((size_t)o.rows > BYTES_MAX / room)
		return err_set(err, ERR_TOO_LARGE,
			       "data: %lld synthetic rows of %lld tokens are "
			       "more than 4 GiB",
			       (long long)o.rows, (long long)o.cut.length);
	text->bytes = mem_alloc((size_t)o.rows * room + SYMBOL_BYTES);
	if (!text->bytes)
		return err_set(err, ERR_NO_MEMORY,
			       "data: no memory for %lld synthetic rows",
			       (long long)o.rows);
	len = write_all(&o, text->bytes);
	text_windows_init(&text->windows, o.cut);
	rc = text_windows_add(&text->windows, text->bytes, len, err);
	if (rc)
		synthetic_text_finish(text);
	return rc;
}

void synthetic_text_finish(struct synthetic_text *text)
{
	text_windows_finish(&text->windows);
	mem_free(text->bytes);
	*text = (struct synthetic_text){ 0 };
}
