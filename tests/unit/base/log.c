/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/str.h"

/* Standard error becomes a file that can be read back. */
static int capture(void)
{
	const int fd = memfd_create("log", MFD_CLOEXEC);

	cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
	return fd;
}

static const char *captured(int fd, char text[16384])
{
	const ssize_t n = pread(fd, text, 16383, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(log, writes_a_text_line_with_time_level_and_fields)
{
	const struct log_field fields[] = { { "job", "j1" },
					    { "why", "no \"space\"" },
					    { "empty", "" } };
	const int fd = capture();
	char text[16384];

	unsetenv("JOURNAL_STREAM");
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_WARNING, "worker", "lost\nhope\x1b[0m", fields, 3);
	log_write(LOG_LEVEL_DEBUG, "worker", "not shown");
	captured(fd, text);
	cr_assert_eq(text[10], 'T');
	cr_assert_str_eq(text + 24, " WARN  worker: lost\\nhope\\x1b[0m job=j1 "
				    "why=\"no \\\"space\\\"\" empty=\"\"\n");
}

Test(log, writes_json_lines)
{
	const struct log_field fields[] = { { "path", "a\"b" } };
	struct arena *arena = arena_create(1 << 20);
	const int fd = capture();
	struct doc *doc;
	char text[16384];

	log_init(LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_ERROR, "main", "bad \xff\n", fields, 1);
	captured(fd, text);
	cr_assert_eq(doc_parse_json(text, strlen(text), "x", arena, &doc, NULL),
		     ERR_NONE, "%s", text);
	cr_assert_str_eq(doc_find(doc, "level")->text, "error");
	cr_assert_str_eq(doc_find(doc, "module")->text, "main");
	cr_assert_str_eq(doc_find(doc, "message")->text, "bad \xef\xbf\xbd\n");
	cr_assert_str_eq(doc_find(doc, "path")->text, "a\"b");
	cr_assert_eq(strlen(doc_find(doc, "time")->text), 24);
	arena_destroy(arena);
}

Test(log, a_long_event_stays_one_well_formed_line)
{
	static char message[20000];
	const struct log_field fields[] = { { "long", message },
					    { "short", "s" } };
	struct arena *arena = arena_create(1 << 20);
	const int fd = capture();
	char text[16384];
	struct doc *doc;

	memset(message, '\x01', sizeof(message) - 1);
	log_init(LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_ERROR, "main", message, fields, 2);
	captured(fd, text);
	cr_assert_leq(strlen(text), LOG_LINE_MAX);
	cr_assert_eq(doc_parse_json(text, strlen(text), "x", arena, &doc, NULL),
		     ERR_NONE, "%s", text);
	cr_assert_gt(strlen(doc_find(doc, "message")->text), 500);
	cr_assert_null(doc_find(doc, "long"));
	cr_assert_str_eq(doc_find(doc, "short")->text, "s");
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_ERROR, "main", message, fields, 2);
	captured(fd, text);
	cr_assert_leq(strlen(text), LOG_LINE_MAX);
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
	arena_destroy(arena);
}

Test(log, tells_journald_the_priority)
{
	const int fd = capture();
	char text[16384], stream[64];
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_write(LOG_LEVEL_INFO, "main", "ready on %d", 8080);
	log_write(LOG_LEVEL_ERROR, "main", "no");
	cr_assert_str_eq(captured(fd, text),
			 "<6>main: ready on 8080\n<3>main: no\n");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_write(LOG_LEVEL_INFO, "main", "elsewhere");
	cr_assert(
	    str_ends_with(captured(fd, text), "Z INFO  main: elsewhere\n"));
}

Test(log, knows_its_levels)
{
	enum log_level level = LOG_LEVEL_ERROR;

	cr_assert(log_level_parse("debug", &level));
	cr_assert_eq(level, LOG_LEVEL_DEBUG);
	cr_assert(!log_level_parse("loud", &level));
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	cr_assert(log_is_on(LOG_LEVEL_ERROR) && log_is_on(LOG_LEVEL_WARNING));
	cr_assert(!log_is_on(LOG_LEVEL_INFO));
	log_set(LOG_LEVEL_DEBUG, true);
	log_set(LOG_LEVEL_WARNING, false);
	cr_assert(log_is_on(LOG_LEVEL_DEBUG) && !log_is_on(LOG_LEVEL_INFO));
	cr_assert(!log_is_on(LOG_LEVEL_WARNING));
}

Test(log, counts_what_a_limit_held_back)
{
	struct log_limit limit = { 0 };
	unsigned n_passed = 0, n_dropped = 99;

	for (int i = 0; i < 10; i++)
		n_passed += log_limit_allows(&limit, 3, 50, &n_dropped);
	cr_assert_eq(n_passed, 3);
	cr_assert_eq(n_dropped, 0);
	usleep(60000);
	cr_assert(log_limit_allows(&limit, 3, 50, &n_dropped));
	cr_assert_eq(n_dropped, 7);
}
