/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <math.h>

#include "base/json_write.h"

enum { TEXT_MAX = 16 << 20, INDENT = 2, LIST_LINE = 16 };

static bool is_plain(const struct doc *doc)
{
	return doc->kind != DOC_LIST && doc->kind != DOC_MAP;
}

static void add_value(struct buf *buf, const struct doc *doc)
{
	struct json_writer writer;

	switch (doc->kind) {
	case DOC_NULL:
		buf_puts(buf, "-");
		break;
	case DOC_BOOL:
		buf_puts(buf, doc->boolean ? "true" : "false");
		break;
	case DOC_INT:
		buf_printf(buf, "%lld", (long long)doc->integer);
		break;
	case DOC_DOUBLE:
		buf_printf(buf, "%.6g", doc->number);
		break;
	case DOC_STRING:
		buf_puts(buf, doc->text);
		break;
	default:
		json_write_init(&writer, buf);
		json_write_doc(&writer, NULL, doc);
		break;
	}
}

const char *show_value(const struct doc *doc, struct arena *arena)
{
	const char *text;
	struct buf buf;

	buf_init(&buf, TEXT_MAX);
	add_value(&buf, doc);
	text = buf_check(&buf, "a value", NULL)
		   ? NULL
		   : arena_strdup(arena, buf.len ? buf.data : "");
	buf_finish(&buf);
	return text;
}

static void put_value(const struct terminal *terminal, const struct doc *doc)
{
	struct buf buf;

	buf_init(&buf, TEXT_MAX);
	add_value(&buf, doc);
	terminal_put(terminal, COLOUR_PLAIN, buf.len ? buf.data : "");
	buf_finish(&buf);
}

static bool is_line(const struct doc *list)
{
	if (list->kind != DOC_LIST || list->n > LIST_LINE)
		return false;
	for (const struct doc *d = list->first; d; d = d->next) {
		if (!is_plain(d))
			return false;
	}
	return true;
}

static void put_line(const struct terminal *terminal, const struct doc *list)
{
	(void)fputc('[', terminal->file);
	for (const struct doc *d = list->first; d; d = d->next) {
		put_value(terminal, d);
		(void)fputs(d->next ? ", " : "", terminal->file);
	}
	(void)fputc(']', terminal->file);
}

/* NOLINTNEXTLINE(misc-no-recursion): base/doc.h reads at most 32 levels */
static void show_members(const struct terminal *terminal, const struct doc *doc,
			 unsigned depth)
{
	for (const struct doc *d = doc->first; d; d = d->next) {
		if (d->kind == DOC_NULL && d->key)
			continue;
		(void)fprintf(terminal->file, "%*s", (int)(depth * INDENT), "");
		terminal_put(terminal, COLOUR_BOLD, d->key ? d->key : "-");
		if (d->key)
			(void)fputc(':', terminal->file);
		if (is_plain(d) || is_line(d)) {
			(void)fputc(' ', terminal->file);
			if (is_plain(d))
				put_value(terminal, d);
			else
				put_line(terminal, d);
			(void)fputc('\n', terminal->file);
			continue;
		}
		(void)fputc('\n', terminal->file);
		show_members(terminal, d, depth + 1);
	}
}

void show_doc(const struct terminal *terminal, const struct doc *doc)
{
	if (is_plain(doc) || is_line(doc)) {
		if (is_plain(doc))
			put_value(terminal, doc);
		else
			put_line(terminal, doc);
		(void)fputc('\n', terminal->file);
		return;
	}
	show_members(terminal, doc, 0);
}
