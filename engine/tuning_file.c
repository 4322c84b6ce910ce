/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The file of a tuning: text that people may look at, read as hostile.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/machine.h"
#include "engine/tuning_priv.h"

enum { NUMBER_MAX = 32 };
#define US_MAX 1e9

static const char magic[] = "predictd tuning 1";

/* The next line without its end; false: there is none. */
static bool next_line(const char **text, size_t *len, const char **ret_line,
		      size_t *ret_len)
{
	const char *end;

	if (!*len)
		return false;
	end = memchr(*text, '\n', *len);
	*ret_line = *text;
	*ret_len = end ? (size_t)(end - *text) : *len;
	*text += *ret_len + (end != NULL);
	*len -= *ret_len + (end != NULL);
	return true;
}

static bool line_is(const char *line, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(line, want, len);
}

/* The word up to the next space, which is stepped over, as text; false: none,
 * too long, or no printable one. */
static bool next_word(const char **line, size_t *len, char *ret, size_t cap)
{
	const char *space = memchr(*line, ' ', *len);
	const size_t n = space ? (size_t)(space - *line) : 0;

	if (!n || n >= cap)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)(*line)[i]))
			return false;
	memcpy(ret, *line, n);
	ret[n] = '\0';
	*line += n + 1;
	*len -= n + 1;
	return true;
}

static bool read_us(const char *word, double *ret)
{
	char *end;

	*ret = strtod(word, &end);
	return !*end && *ret > 0 && *ret < US_MAX;
}

static void read_answer(struct tuning *tuning, const char *line, size_t len)
{
	char number[NUMBER_MAX], question[TUNING_QUESTION_MAX];
	struct tuning_choice choice = { 0 }, now;

	if (!next_word(&line, &len, choice.kernel, sizeof(choice.kernel)) ||
	    !next_word(&line, &len, number, sizeof(number)) ||
	    !read_us(number, &choice.us) || !len || len >= sizeof(question))
		return;
	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)line[i]))
			return;
	memcpy(question, line, len);
	question[len] = '\0';
	tuning_settle(tuning, question, &choice, &now);
}

void tuning_parse(struct tuning *tuning, const char *text, size_t len)
{
	char machine[MACHINE_TEXT_MAX];
	const char *line;
	size_t n;

	if (!next_line(&text, &len, &line, &n) || !line_is(line, n, magic) ||
	    !next_line(&text, &len, &line, &n) ||
	    !line_is(line, n, machine_text(machine)))
		return;
	while (next_line(&text, &len, &line, &n))
		read_answer(tuning, line, n);
}

void tuning_print(struct tuning *tuning, struct buf *buf)
{
	char machine[MACHINE_TEXT_MAX];

	buf_printf(buf, "%s\n%s\n", magic, machine_text(machine));
	(void)pthread_mutex_lock(&tuning->lock);
	for (size_t i = 0; i < tuning->n; i++) {
		const struct answer *a = tuning->answer[i];

		if (a->choice.kernel[0] && a->choice.us > 0)
			buf_printf(buf, "%s %.6g %s\n", a->choice.kernel,
				   a->choice.us, a->question);
	}
	(void)pthread_mutex_unlock(&tuning->lock);
}

enum err_code tuning_read(struct tuning *tuning, struct err *err)
{
	char *text = NULL;
	size_t len;
	enum err_code rc;

	rc = file_read_all(tuning->path, TUNING_FILE_MAX, &text, &len, err);
	/* what nobody of us can have written is one more damage */
	if (rc == ERR_NOT_FOUND || rc == ERR_TOO_LARGE)
		return ERR_NONE;
	if (rc)
		return rc;
	tuning_parse(tuning, text, len);
	mem_free(text);
	tuning->is_changed = false;
	return ERR_NONE;
}

static bool take_changed(struct tuning *tuning)
{
	bool is_changed;

	(void)pthread_mutex_lock(&tuning->lock);
	is_changed = tuning->is_changed;
	tuning->is_changed = false;
	(void)pthread_mutex_unlock(&tuning->lock);
	return is_changed;
}

enum err_code tuning_save(struct tuning *tuning, struct err *err)
{
	struct buf buf;
	enum err_code rc = ERR_NONE;

	if (!tuning->path)
		return ERR_NONE;
	buf_init(&buf, TUNING_FILE_MAX);
	(void)pthread_mutex_lock(&tuning->file_lock);
	if (take_changed(tuning)) {
		tuning_print(tuning, &buf);
		rc = buf_check(&buf, tuning->path, err);
		if (!rc)
			/* one that is lost is measured again */
			rc = file_write_passing(tuning->path, buf.data, buf.len,
						err);
	}
	(void)pthread_mutex_unlock(&tuning->file_lock);
	buf_finish(&buf);
	return rc;
}
