/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Terminal: what a stream can show, and text that cannot harm it.
 *
 * Colours only on a terminal that is not dumb, and never with NO_COLOR
 * (https://no-color.org) or --no-color. Names and sentences come from a
 * server: their control characters are shown as '?'.
 *
 * Threads: one at a time.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

struct buf;

struct terminal {
	FILE *file;
	bool is_tty;
	bool has_colour;
};

enum colour {
	COLOUR_PLAIN,
	COLOUR_BOLD,
	COLOUR_DIM,
	COLOUR_RED,
	COLOUR_GREEN,
	COLOUR_YELLOW,
	COLOUR_CYAN
};

struct terminal terminal_of(FILE *file, bool no_colour);
/** Of the environment, NULL where it is not set or empty. predictctl never
 * sets one, so it is safe to read. */
const char *terminal_variable(const char *name);
/** Columns; 80 where it cannot say. */
unsigned terminal_width(const struct terminal *terminal);
/** The text without control characters, in that colour. */
void terminal_put(const struct terminal *terminal, enum colour colour,
		  const char *text);
/** Text of a server, fit for a terminal. */
void terminal_clean(struct buf *buf, const char *text);
/** Columns that UTF-8 text takes (one a character). */
unsigned terminal_columns(const char *text);

#endif
