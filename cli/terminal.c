/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"

enum { WIDTH_DEFAULT = 80, TEXT_MAX = 1 << 20 };

const char *terminal_variable(const char *name)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

	return value && *value ? value : NULL;
}

struct terminal terminal_of(FILE *file, bool no_colour)
{
	const char *term = terminal_variable("TERM");
	const char *never = terminal_variable("NO_COLOR");
	bool is_tty = isatty(fileno(file)) == 1;

	return (struct terminal){
		.file = file,
		.is_tty = is_tty,
		.has_colour = is_tty && !no_colour && !never && term &&
			      !str_equal(term, "dumb"),
	};
}

unsigned terminal_width(const struct terminal *terminal)
{
	struct winsize size;

	if (ioctl(fileno(terminal->file), TIOCGWINSZ, &size) || !size.ws_col)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

/* C0, DEL and, as UTF-8 has them, C1 (U+0080 to U+009F). */
static size_t control_length(const char *at)
{
	unsigned char a = (unsigned char)at[0], b;

	if (a < 0x20 || a == 0x7f)
		return 1;
	b = (unsigned char)at[1];
	return a == 0xc2 && b >= 0x80 && b < 0xa0 ? 2 : 0;
}

void terminal_clean(struct buf *buf, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		size_t n = str_utf8_char(text, left);

		if (n == 0 || control_length(text)) {
			buf_putc(buf, '?');
			n = n ? n : 1;
		} else {
			buf_put(buf, text, n);
		}
		text += n;
		left -= n;
	}
}

unsigned terminal_columns(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void terminal_put(const struct terminal *terminal, enum colour colour,
		  const char *text)
{
	static const char *const codes[] = {
		[COLOUR_PLAIN] = "",	     [COLOUR_BOLD] = "\x1b[1m",
		[COLOUR_DIM] = "\x1b[2m",    [COLOUR_RED] = "\x1b[31m",
		[COLOUR_GREEN] = "\x1b[32m", [COLOUR_YELLOW] = "\x1b[33m",
		[COLOUR_CYAN] = "\x1b[36m",
	};
	bool has_colour = terminal->has_colour && colour != COLOUR_PLAIN;
	struct buf clean;

	buf_init(&clean, TEXT_MAX);
	terminal_clean(&clean, text);
	(void)fprintf(terminal->file, "%s%s%s", has_colour ? codes[colour] : "",
		      clean.len ? clean.data : "", has_colour ? "\x1b[0m" : "");
	buf_finish(&clean);
}
