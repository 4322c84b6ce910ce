/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"

#include <ctype.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, RELATED_LEN = 4 };

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int lower(char c)
{
	return tolower((unsigned char)c);
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of
 * neighbours, each at cost 1 (Damerau 1964; Levenshtein 1966). Three rows of
 * the table are kept; both texts have at most NAME_MAX_LEN bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	const size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *const oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			const size_t cost = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = smaller(above[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], above[j - 1] + cost);
			if (i > 1 && j > 1 &&
			    lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return row[b_len];
}

/* A name that the text begins, or else one that is part of the text:
 * "kaiming" of "kaiming_normal", "plateau" in "reduce_on_plateau". */
static const char *related(const char *text, const char *const *names)
{
	const char *inside = NULL;

	if (strlen(text) < RELATED_LEN)
		return NULL;
	for (; *names; names++) {
		if (strncmp(*names, text, strlen(text)) == 0)
			return *names;
		if (!inside && strlen(*names) >= RELATED_LEN &&
		    strstr(text, *names))
			inside = *names;
	}
	return inside;
}

const char *field_nearest(const char *text, const char *const *names)
{
	const size_t len = strlen(text);
	size_t limit = len / 3 > 2 ? len / 3 : 2;
	const char *nearest = NULL, *other;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	other = related(text, names);
	if (limit >= len)
		limit = len - 1; /* something must have stayed */
	for (; *names; names++) {
		size_t d;

		if (strlen(*names) > NAME_MAX_LEN)
			continue;
		d = distance(text, *names);
		if (d > limit || (nearest && d == limit))
			continue;
		nearest = *names;
		limit = d;
	}
	/* one wrong letter says more than a common beginning */
	return other && !(nearest && limit < 2) ? other : nearest;
}
