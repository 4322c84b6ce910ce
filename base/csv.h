/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CSV: fields of a table of text, one after another (RFC 4180).
 *
 * A field ends at the delimiter, at the end of its line (LF or CRLF), or at
 * the end of the text. One that begins with a quote ends at the next quote
 * that is not doubled, and may hold delimiters and ends of lines. The text
 * need not be UTF-8; a byte order mark at its begin is left out.
 *
 * Ownership: fields borrow from the text.
 * Threads:   a cursor in one thread at a time.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct csv {
	const char *at, *end;
	char delimiter;
	size_t line;	   /**< of `at`, from 1 on */
	bool is_quoteless; /**< a quote is a character like any other */
};

struct csv_field {
	const char *bytes; /**< between the quotes where there are any */
	size_t len;
	bool has_doubled; /**< csv_unquote() tells what it says */
	bool is_last;	  /**< of its line */
};

void csv_init(struct csv *csv, const char *text, size_t len, char delimiter);
/** Of a header's line: the one of , ; tab | that stands in it most often
 * outside of quotes; ',' where there is none. */
char csv_sniff(const char *text, size_t len);
/** The next field; not behind the last one (csv->at == csv->end). ERR_INVALID
 * names the line. */
MUST_USE enum err_code csv_next(struct csv *csv, struct csv_field *ret,
				struct err *err);
/** What a field with doubled quotes says, into `to` of field->len bytes;
 * returns how many there are. */
size_t csv_unquote(const struct csv_field *field, char *to);

#endif
