/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool str_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool str_ends_with(const char *text, const char *end)
{
	const size_t text_len = strlen(text), end_len = strlen(end);

	return text_len >= end_len &&
	       memcmp(text + text_len - end_len, end, end_len) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool str_parse_uint64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (unsigned)(*text - '0'),
					   &value))
			return false;
	if (*text)
		return false;
	*ret_value = value;
	return true;
}

bool str_parse_int64(const char *text, int64_t *ret_value)
{
	const bool is_negative = *text == '-';
	const uint64_t max = (uint64_t)INT64_MAX + is_negative;
	uint64_t size;

	if (!str_parse_uint64(text + is_negative, &size) || size > max)
		return false;
	*ret_value = (int64_t)(is_negative ? 0 - size : size);
	return true;
}

static const char *skip_digits(const char *text)
{
	while (is_digit(*text))
		text++;
	return text;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit beside the point */
static bool looks_decimal(const char *text)
{
	const char *start;
	size_t n_digits;

	text += *text == '-' || *text == '+';
	start = text;
	text = skip_digits(text);
	n_digits = (size_t)(text - start);
	if (*text == '.') {
		start = ++text;
		text = skip_digits(text);
		n_digits += (size_t)(text - start);
	}
	if (n_digits == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		if (!is_digit(*text))
			return false;
		text = skip_digits(text);
	}
	return *text == '\0';
}

bool str_parse_double(const char *text, double *ret_value)
{
	locale_t c_locale;
	double value;

	if (!looks_decimal(text))
		return false;
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c_locale)
		return false;
	value = strtod_l(text, NULL, c_locale);
	freelocale(c_locale);
	if (!isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

size_t str_copy(char *to, size_t cap, const char *from)
{
	const size_t len = strlen(from);
	const size_t n = len < cap ? len : cap - 1;

	memcpy(to, from, n);
	to[n] = '\0';
	return len;
}

size_t str_put_uint64(uint64_t value, char ret_text[STR_UINT64_MAX])
{
	char reversed[STR_UINT64_MAX];
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (size_t i = 0; i < n; i++)
		ret_text[i] = reversed[n - 1 - i];
	return n;
}

static bool is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The Unicode Standard, table 3-7: the second byte's range rules out overlong
 * forms, surrogates and what lies beyond U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_tail(second);
	}
}

size_t str_utf8_char(const char *bytes, size_t len)
{
	unsigned char b[4] = { 0 };
	size_t need;

	if (len == 0)
		return 0;
	memcpy(b, bytes, len < sizeof(b) ? len : sizeof(b));
	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	need = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (len < need || !second_fits(b[0], b[1]))
		return 0;
	if ((need > 2 && !is_tail(b[2])) || (need > 3 && !is_tail(b[3])))
		return 0;
	return need;
}

bool str_is_utf8(const void *bytes, size_t len)
{
	const char *text = bytes;
	size_t at = 0;

	while (at < len) {
		uint64_t word;
		size_t n;

		if (len - at >= sizeof(word)) {
			memcpy(&word, text + at, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				at += sizeof(word);
				continue;
			}
		}
		n = text[at] & 0x80 ? str_utf8_char(text + at, len - at) : 1;
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

size_t str_utf8_cut(const char *bytes, size_t len, size_t max)
{
	if (len <= max)
		return len;
	for (size_t back = 0; back <= 3 && back <= max; back++)
		if (!is_tail((unsigned char)bytes[max - back]))
			return max - back;
	return max; /* no UTF-8 */
}
