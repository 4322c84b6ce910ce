/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sse.h"

#include <ctype.h>

void sse_init(struct sse *sse,
	      enum err_code (*take)(void *ctx, const struct sse_event *event,
				    struct err *err),
	      void *ctx)
{
	*sse = (struct sse){ .take = take, .ctx = ctx };
	buf_init(&sse->line, SSE_DATA_MAX);
	buf_init(&sse->data, SSE_DATA_MAX);
}

void sse_finish(struct sse *sse)
{
	buf_finish(&sse->line);
	buf_finish(&sse->data);
}

void sse_reset(struct sse *sse)
{
	buf_reset(&sse->line);
	buf_reset(&sse->data);
	memcpy(sse->next_id, sse->id, sizeof(sse->id));
	sse->name[0] = '\0';
	sse->has_data = sse->is_after_cr = sse->is_begun = false;
}

static enum err_code dispatch(struct sse *sse, struct err *err)
{
	const struct sse_event event = {
		.id = sse->id,
		.name = sse->name[0] ? sse->name : "message",
		.data = sse->data.len ? sse->data.data : "",
		.len = sse->data.len,
	};
	enum err_code rc = ERR_NONE;

	memcpy(sse->id, sse->next_id, sizeof(sse->id));
	if (sse->has_data)
		rc = sse->take(sse->ctx, &event, err);
	sse->has_data = false;
	sse->name[0] = '\0';
	buf_reset(&sse->data);
	return rc;
}

static void keep(char to[SSE_NAME_MAX], const char *value, size_t len)
{
	if (len >= SSE_NAME_MAX)
		len = 0;
	memcpy(to, value, len);
	to[len] = '\0';
}

/* An id goes back in a header. */
static bool is_visible(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isgraph((unsigned char)value[i]))
			return false;
	}
	return true;
}

static enum err_code take_field(struct sse *sse, const char *line, size_t len,
				struct err *err)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);

	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 4 && !memcmp(line, "data", 4)) {
		if (sse->has_data)
			buf_putc(&sse->data, '\n');
		buf_put(&sse->data, value, value_len);
		sse->has_data = true;
		return buf_check(&sse->data, "an event", err);
	}
	if (name_len == 5 && !memcmp(line, "event", 5))
		keep(sse->name, value, value_len);
	else if (name_len == 2 && !memcmp(line, "id", 2) &&
		 is_visible(value, value_len))
		keep(sse->next_id, value, value_len);
	return ERR_NONE; /* comments, retry and what is unknown */
}

static enum err_code take_line(struct sse *sse, struct err *err)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* UTF-8's, once */
	const char *line = sse->line.len ? sse->line.data : "";
	size_t len = sse->line.len;
	enum err_code rc;

	if (!sse->is_begun && len >= 3 && !memcmp(line, mark, 3)) {
		line += 3;
		len -= 3;
	}
	sse->is_begun = true;
	rc = len ? take_field(sse, line, len, err) : dispatch(sse, err);
	buf_reset(&sse->line);
	return rc;
}

enum err_code sse_feed(struct sse *sse, const char *bytes, size_t len,
		       struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < len && !rc;) {
		size_t n = 0;

		if (sse->is_after_cr && bytes[i] == '\n') {
			sse->is_after_cr = false;
			i++;
			continue;
		}
		sse->is_after_cr = false;
		while (i + n < len && bytes[i + n] != '\n' &&
		       bytes[i + n] != '\r')
			n++;
		buf_put(&sse->line, bytes + i, n);
		rc = buf_check(&sse->line, "a line of an event", err);
		i += n;
		if (rc || i >= len)
			break;
		sse->is_after_cr = bytes[i++] == '\r';
		rc = take_line(sse, err);
	}
	return rc;
}
