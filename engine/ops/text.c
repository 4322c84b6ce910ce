/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/text.h"

#include <stdint.h>
#include <wctype.h>

enum { CODE_MAX = 0x10FFFF, BYTES_MAX = 4 };

locale_t text_case_open(void)
{
	return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void text_case_close(locale_t locale)
{
	if (locale)
		freelocale(locale);
}

/* Bytes of the code point that begins there; 1 and the byte itself, negative,
 * where that is no UTF-8. */
static size_t decode(const unsigned char *from, size_t len, int32_t *ret_code)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = from[0];
	size_t n;
	int32_t code;

	*ret_code = first < 0x80 ? first : -1 - (int32_t)first;
	if (first < 0xC2 || first > 0xF4)
		return 1;
	n = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	code = first & (0x7F >> n);
	if (n > len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((from[i] & 0xC0) != 0x80)
			return 1;
		code = code << 6 | (from[i] & 0x3F);
	}
	if (code < least[n] || code > CODE_MAX)
		return 1;
	*ret_code = code;
	return n;
}

static size_t encode(int32_t code, char *into)
{
	static const unsigned char mark[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	const size_t n = code < 0x80	  ? 1
			 : code < 0x800	  ? 2
			 : code < 0x10000 ? 3
					  : 4;

	if (n == 1) {
		into[0] = (char)code;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		into[i] = (char)(0x80 | (code & 0x3F));
	into[0] = (char)(mark[n] | code);
	return n;
}

static int32_t change_code(int32_t code, enum text_case change, locale_t locale)
{
	wint_t changed;

	if (change == TEXT_CASE_SAME || (!locale && code > 0x7F))
		return code;
	if (code < 0x80) {
		const bool upper = change == TEXT_CASE_UPPER;
		const int32_t from = upper ? 'a' : 'A';

		return code >= from && code <= from + 25
			   ? code + (upper ? -32 : 32)
			   : code;
	}
	changed = change == TEXT_CASE_UPPER ? towupper_l((wint_t)code, locale)
					    : towlower_l((wint_t)code, locale);
	return changed <= CODE_MAX ? (int32_t)changed : code;
}

size_t text_walk_next(struct text_walk *walk, char ret_bytes[BYTES_MAX])
{
	const struct str *text = walk->text;
	int32_t code;

	if (walk->at >= text->len)
		return 0;
	walk->at += decode((const unsigned char *)text->bytes + walk->at,
			   text->len - walk->at, &code);
	if (code < 0) {
		ret_bytes[0] = (char)(-1 - code);
		return 1;
	}
	return encode(change_code(code, walk->change, walk->locale), ret_bytes);
}

size_t text_change(const struct str *text, enum text_case change,
		   locale_t locale, char *into)
{
	struct text_walk walk = {
		.text = text,
		.locale = locale,
		.change = change,
	};
	char bytes[BYTES_MAX];
	size_t len = 0, n;

	while ((n = text_walk_next(&walk, bytes)) > 0) {
		if (into)
			memcpy(into + len, bytes, n);
		len += n;
	}
	return len;
}

bool text_equal_folded(const struct str *a, const struct str *b,
		       locale_t locale)
{
	struct text_walk left = { .text = a,
				  .locale = locale,
				  .change = TEXT_CASE_LOWER };
	struct text_walk right = left;
	char x[BYTES_MAX], y[BYTES_MAX];
	size_t n, m;

	right.text = b;
	do {
		n = text_walk_next(&left, x);
		m = text_walk_next(&right, y);
		if (n != m || memcmp(x, y, n) != 0)
			return false;
	} while (n > 0);
	return true;
}
