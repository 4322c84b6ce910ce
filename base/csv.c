/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <string.h>

void csv_init(struct csv *csv, const char *text, size_t len, char delimiter)
{
	static const char mark[] = "\xef\xbb\xbf";

	*csv = (struct csv){
		.at = text, .end = text + len, .delimiter = delimiter, .line = 1
	};
	if (len >= 3 && memcmp(text, mark, 3) == 0)
		csv->at += 3;
}

char csv_sniff(const char *text, size_t len)
{
	static const char known[] = ",;\t|";
	size_t count[sizeof(known)] = { 0 }, best = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < len; i++) {
		const char *found;

		is_quoted ^= text[i] == '"';
		if (is_quoted)
			continue;
		if (text[i] == '\n' || text[i] == '\r')
			break;
		found = text[i] ? strchr(known, text[i]) : NULL;
		if (found)
			count[found - known]++;
	}
	for (size_t i = 1; known[i]; i++)
		best = count[i] > count[best] ? i : best;
	return known[best];
}

static enum err_code read_quoted(struct csv *csv, struct csv_field *ret,
				 struct err *err)
{
	const size_t line = csv->line;

	ret->bytes = ++csv->at;
	while (csv->at < csv->end) {
		if (*csv->at == '"') {
			if (csv->end - csv->at < 2 || csv->at[1] != '"')
				break;
			ret->has_doubled = true;
			csv->at++;
		}
		csv->line += *csv->at++ == '\n';
	}
	if (csv->at >= csv->end)
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: a quote that does not close",
			       line);
	ret->len = (size_t)(csv->at++ - ret->bytes);
	return ERR_NONE;
}

static void read_plain(struct csv *csv, struct csv_field *ret)
{
	const char *at = csv->at;

	while (at < csv->end && *at != csv->delimiter && *at != '\n' &&
	       *at != '\r')
		at++;
	ret->bytes = csv->at;
	ret->len = (size_t)(at - csv->at);
	csv->at = at;
}

enum err_code csv_next(struct csv *csv, struct csv_field *ret, struct err *err)
{
	enum err_code rc = ERR_NONE;

	*ret = (struct csv_field){ .is_last = true };
	if (!csv->is_quoteless && csv->at < csv->end && *csv->at == '"')
		rc = read_quoted(csv, ret, err);
	else
		read_plain(csv, ret);
	if (rc || csv->at == csv->end)
		return rc;
	if (*csv->at == csv->delimiter) {
		csv->at++;
		ret->is_last = false;
		return ERR_NONE;
	}
	if (*csv->at == '\r')
		csv->at++;
	if (csv->at < csv->end && *csv->at++ != '\n')
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: expected '%c' or the end of the "
			       "line behind a field",
			       csv->line, csv->delimiter);
	csv->line++;
	return ERR_NONE;
}

size_t csv_unquote(const struct csv_field *field, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < field->len; i++) {
		i += field->bytes[i] == '"';
		to[n++] = field->bytes[i];
	}
	return n;
}
