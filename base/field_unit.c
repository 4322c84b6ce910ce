/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field_priv.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { NUMBER_MAX = 64 };

struct unit {
	const char *name;
	double factor;
};

/* clang-format off */
static const struct unit byte_units[] = {
	{ "", 1 }, { "b", 1 },
	{ "k", 1e3 }, { "kb", 1e3 }, { "ki", 0x1p10 }, { "kib", 0x1p10 },
	{ "m", 1e6 }, { "mb", 1e6 }, { "mi", 0x1p20 }, { "mib", 0x1p20 },
	{ "g", 1e9 }, { "gb", 1e9 }, { "gi", 0x1p30 }, { "gib", 0x1p30 },
	{ "t", 1e12 }, { "tb", 1e12 }, { "ti", 0x1p40 }, { "tib", 0x1p40 },
	{ 0 },
};

static const struct unit second_units[] = {
	{ "", 1 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "min", 60 },
	{ "h", 3600 }, { "d", 86400 },
	{ 0 },
};
/* clang-format on */

/* A decimal number, perhaps spaces, perhaps a unit. */
static bool parse(const char *text, const struct unit *units, double *ret_value)
{
	const size_t len = strspn(text, "0123456789.");
	const char *unit = text + len + strspn(text + len, " ");
	char number[NUMBER_MAX];
	double value;

	if (len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	if (!str_parse_double(number, &value))
		return false;
	for (; units->name; units++) {
		if (strcasecmp(unit, units->name) == 0) {
			*ret_value = value * units->factor;
			return true;
		}
	}
	return false;
}

bool field_parse_bytes(const char *text, double *ret_value)
{
	return parse(text, byte_units, ret_value);
}

bool field_parse_seconds(const char *text, double *ret_value)
{
	return parse(text, second_units, ret_value);
}
