/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reading one value of a field, and the words of its messages.
 *
 * Texts for messages are made in the arena; when it is full they fall back on
 * something shorter, never on NULL. Quantities carry units: "64 MiB", "1.5h".
 *
 * Ownership: what is read lands in the arena. Threads: pure but for that.
 */
#ifndef BASE_FIELD_PRIV_H
#define BASE_FIELD_PRIV_H

#include <stdbool.h>

#include "base/field.h"

/** What reading one value needs; `path` names it in messages. */
struct field_reading {
	const struct field *field;
	const char *path;
	struct arena *arena;
};

/** Fills the C type of the field's kind at `to`. */
MUST_USE enum err_code field_read_value(const struct field_reading *reading,
					const struct doc *doc, void *to,
					struct err *err);

/** " (line 7)" where the notation has lines. */
const char *field_line_note(const struct doc *doc, struct arena *arena);
/** "'a', 'b', 'c'" */
const char *field_join(const char *const *names, struct arena *arena);
/** ", did you mean 'sgd'?" or nothing. */
const char *field_hint(const char *text, const char *const *names,
		       struct arena *arena);
enum err_code field_no_memory(const char *path, struct err *err);

/** Bytes of "123", "64 MB" (10^6), "2GiB", "512Mi" (2^20); any case. */
bool field_parse_bytes(const char *text, double *ret_value);
/** Seconds of "90", "500ms", "30m", "1.5h", "2d". */
bool field_parse_seconds(const char *text, double *ret_value);

#endif
