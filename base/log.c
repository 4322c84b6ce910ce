/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/str.h"

enum { MESSAGE_MAX = 2048, ESCAPE_MAX = 6 };

static const struct {
	const char *name, *label;
	int syslog; /* RFC 5424, table 2; what journald reads in "<N>" */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "ERROR", 3 },
	[LOG_LEVEL_WARNING] = { "warning", "WARN ", 4 },
	[LOG_LEVEL_INFO] = { "info", "INFO ", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", "DEBUG", 7 },
};

/* The process's one piece of mutable state at file scope. */
static struct {
	enum log_format format;
	atomic_uint on;	 /* a bit for each level that is written */
	bool is_journal; /* standard error is journald's socket */
} state = { .on = 7 };	 /* NOLINT(*-global-variables): up to info */

/* JOURNAL_STREAM=DEVICE:INODE is inherited by children whose standard error
 * may long be something else (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	/* log_init() runs before there are threads */
	const char *stream =
	    getenv("JOURNAL_STREAM"); /* NOLINT(concurrency-*) */
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	return str_equal(stream, ours);
}

void log_init(enum log_format format, enum log_level level)
{
	state.format = format;
	atomic_store(&state.on, (2U << level) - 1);
	state.is_journal = stderr_is_journal();
}

bool log_is_on(enum log_level level)
{
	return atomic_load_explicit(&state.on, memory_order_relaxed) >> level &
	       1;
}

void log_set(enum log_level level, bool is_on)
{
	if (is_on)
		atomic_fetch_or(&state.on, 1U << level);
	else
		atomic_fetch_and(&state.on, ~(1U << level));
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (str_equal(text, levels[i].name)) {
			*ret_level = (enum log_level)i;
			return true;
		}
	return false;
}

/* What could end the line or steer a terminal is spelled out. */
static void put_text(struct buf *line, const char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '\n')
			buf_puts(line, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(line, "\\x%02x", (unsigned)c);
		else
			buf_put(line, text, 1);
	}
}

static void put_field(struct buf *line, const struct log_field *field)
{
	const char *value = field->value ? field->value : "";
	const bool is_bare = *value && !strpbrk(value, " \"=");

	buf_putc(line, ' ');
	put_text(line, field->key);
	buf_putc(line, '=');
	if (is_bare) {
		put_text(line, value);
		return;
	}
	buf_putc(line, '"');
	for (; *value; value++) {
		const char one[2] = { *value, '\0' };

		if (*value == '"' || *value == '\\')
			buf_putc(line, '\\');
		put_text(line, one);
	}
	buf_putc(line, '"');
}

static void write_text(struct buf *line, enum log_level level,
		       const char *module, const char *message,
		       const struct log_field *fields, size_t n)
{
	char time[CLOCK_TEXT_MAX];

	if (!state.is_journal) {
		clock_format_iso8601(clock_realtime_ms(), time);
		buf_printf(line, "%s %s ", time, levels[level].label);
	}
	buf_printf(line, "%s: ", module);
	put_text(line, message);
	for (size_t i = 0; i < n; i++)
		put_field(line, &fields[i]);
}

/* A member that does not fit whole is left out, or, when it is the message,
 * cut so short that it fits even if every byte is escaped. */
static void put_member(struct json_writer *writer, const char *key,
		       const char *text, size_t cut)
{
	struct buf *line = writer->buf;
	const struct json_writer before = *writer;
	const size_t len = line->len;

	json_write_string(writer, key, text);
	if (!line->fault)
		return;
	*writer = before;
	line->len = len;
	line->fault = ERR_NONE;
	if (cut)
		json_write_strn(writer, key, text,
				str_utf8_cut(text, strlen(text), cut));
}

static void write_json(struct buf *line, enum log_level level,
		       const char *module, const char *message,
		       const struct log_field *fields, size_t n)
{
	const size_t cut = (LOG_LINE_MAX - 512) / ESCAPE_MAX;
	struct json_writer writer;
	char time[CLOCK_TEXT_MAX];

	line->max -= 2; /* the brackets at the end are certain of room */
	clock_format_iso8601(clock_realtime_ms(), time);
	json_write_init(&writer, line);
	json_write_object(&writer, NULL);
	json_write_string(&writer, "time", time);
	json_write_string(&writer, "level", levels[level].name);
	put_member(&writer, "module", module, 32);
	put_member(&writer, "message", message, cut);
	for (size_t i = 0; i < n; i++)
		put_member(&writer, fields[i].key, fields[i].value, 0);
	line->max += 2;
	json_write_object_end(&writer);
}

void log_event(enum log_level level, const char *module, const char *message,
	       const struct log_field *fields, size_t n)
{
	char bytes[LOG_LINE_MAX];
	/* memory of its own that cannot grow: logging allocates nothing */
	struct buf line = { .data = bytes,
			    .cap = sizeof(bytes),
			    .max = sizeof(bytes) - 2 };
	ssize_t rc;

	if (!log_is_on(level))
		return;
	bytes[0] = '\0';
	if (state.is_journal)
		buf_printf(&line, "<%d>", levels[level].syslog);
	if (state.format == LOG_FORMAT_JSON)
		write_json(&line, level, module, message, fields, n);
	else
		write_text(&line, level, module, message, fields, n);
	bytes[line.len] = '\n';
	do {
		rc = write(STDERR_FILENO, bytes, line.len + 1);
	} while (rc < 0 && errno == EINTR);
}

void log_write(enum log_level level, const char *module, const char *format,
	       ...)
{
	char message[MESSAGE_MAX];
	va_list args;
	int len;

	if (!log_is_on(level))
		return;
	va_start(args, format);
	len = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	log_event(level, module, len < 0 ? format : message, NULL, 0);
}

bool log_limit_allows(struct log_limit *limit, unsigned max, int64_t window_ms,
		      unsigned *ret_dropped)
{
	/* monotonic ms + 1, so that a zeroed limit has no window yet */
	const int64_t now = clock_monotonic_ns() / 1000000 + 1;
	int_least64_t start = atomic_load(&limit->window_start_ms);

	if ((start == 0 || now - start >= window_ms) &&
	    atomic_compare_exchange_strong(&limit->window_start_ms, &start,
					   now))
		atomic_store(&limit->n_window, 0);
	if (atomic_fetch_add(&limit->n_window, 1) >= max) {
		(void)atomic_fetch_add(&limit->n_dropped, 1);
		return false;
	}
	*ret_dropped = atomic_exchange(&limit->n_dropped, 0);
	return true;
}
