/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Log: one line an event on standard error, as text or as JSON.
 *
 * A line is one write(2), so lines of several threads and processes never mix.
 * Under journald (JOURNAL_STREAM is set) text lines begin with the priority,
 * "<6>", and carry no time. Level and format are the process's one piece of
 * mutable state at file scope. Library folders do not log: server/, main/ and
 * the training worker do, once, at the top.
 *
 * Threads: log_init() before threads start; the rest from any thread: which
 *          levels are on is an atomic word.
 * Limits:  a line has at most LOG_LINE_MAX bytes; longer is cut and still is
 *          well-formed JSON. Control characters are escaped: one event never
 *          becomes two lines.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum { LOG_LINE_MAX = 4096 };

/** A detail of an event; both borrowed. */
struct log_field {
	const char *key, *value;
};

/** Lets through max events in each window; zeroed at first, one a call site,
 * kept by the module that logs. */
struct log_limit {
	atomic_int_least64_t window_start_ms;
	atomic_uint n_window;  /**< events in this window */
	atomic_uint n_dropped; /**< since the last one that passed */
};

void log_init(enum log_format format, enum log_level level);
/** Whether a line of that level would be written. */
bool log_is_on(enum log_level level);
/** Turns one level on or off, at any time. */
void log_set(enum log_level level, bool is_on);
/** "error", "warning", "info", "debug"; false when text is none of them. */
bool log_level_parse(const char *text, enum log_level *ret_level);

void log_write(enum log_level level, const char *module, const char *format,
	       ...) __attribute__((format(printf, 3, 4)));
/** The message and n details: ` key=value` in text, members in JSON. */
void log_event(enum log_level level, const char *module, const char *message,
	       const struct log_field *fields, size_t n);

/** True when one more event may pass; *ret_dropped says how many did not
 * since the last one. */
bool log_limit_allows(struct log_limit *limit, unsigned max, int64_t window_ms,
		      unsigned *ret_dropped);

#endif
