/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include <stdarg.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { PATH_MAX_BYTES = 4096, NOTE_MAX = 4096 };

static void say(struct cli *cli, enum colour colour, const char *text)
{
	const struct cli_command *command = cli->command;

	(void)fprintf(stderr, "predictctl%s%s: ", command ? " " : "",
		      command ? command->name : "");
	terminal_put(&cli->err, colour, text);
	(void)fputc('\n', stderr);
}

int cli_fail(struct cli *cli, const struct err *err)
{
	static const struct {
		enum err_code code;
		int status;
	} statuses[] = {
		{ ERR_NOT_READY, CLI_UNAVAILABLE },
		{ ERR_DEADLINE, CLI_UNAVAILABLE },
		{ ERR_UNAUTHENTICATED, CLI_NO_PERMISSION },
		{ ERR_FORBIDDEN, CLI_NO_PERMISSION },
		{ ERR_CANCELLED, CLI_INTERRUPTED },
	};

	say(cli, COLOUR_RED, err->msg);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].code == err->code)
			return statuses[i].status;
	}
	return CLI_FAILED;
}

int cli_wrong_usage(struct cli *cli, const char *format, ...)
{
	const struct cli_command *command = cli->command;
	char text[NOTE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say(cli, COLOUR_RED, text);
	if (command)
		(void)fprintf(stderr, "usage: predictctl %s %s\n",
			      command->name, command->usage);
	return CLI_USAGE;
}

void cli_note(struct cli *cli, enum colour colour, const char *format, ...)
{
	char text[NOTE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	terminal_put(&cli->err, colour, text);
	(void)fputc('\n', stderr);
}

/* --- the server --- */

enum err_code cli_client(struct cli *cli, struct err *err)
{
	if (cli->client)
		return ERR_NONE;
	return client_create(&cli->options, &cli->client, err);
}

enum err_code cli_ask(struct cli *cli, const struct client_request *request,
		      struct client_answer *ret_answer, struct err *err)
{
	struct client_answer answer;
	enum err_code rc = cli_client(cli, err);

	if (!rc)
		rc = client_ask(cli->client, request, &answer, err);
	if (rc)
		return rc;
	rc = client_check(&answer, err);
	if (rc) {
		buf_finish(&answer.body);
		return rc;
	}
	*ret_answer = answer;
	return ERR_NONE;
}

enum err_code cli_get(struct cli *cli, const char *method, const char *path,
		      struct doc **ret_doc, struct client_answer *ret_answer,
		      struct err *err)
{
	const struct client_request request = { .method = method,
						.path = path };
	struct client_answer answer;
	enum err_code rc = cli_ask(cli, &request, &answer, err);

	if (rc)
		return rc;
	if (answer.body.len)
		rc = doc_parse_json(answer.body.data, answer.body.len,
				    "the server's answer", cli->arena, ret_doc,
				    err);
	else if (!(*ret_doc = doc_new(cli->arena, DOC_NULL)))
		rc = err_set(err, ERR_NO_MEMORY, "answer: out of memory");
	if (!rc && ret_answer)
		*ret_answer = answer;
	else
		buf_finish(&answer.body);
	return rc;
}

enum err_code cli_path(struct cli *cli, const char *base, const char *name,
		       const char *rest, const char **ret_path, struct err *err)
{
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, PATH_MAX_BYTES);
	buf_puts(&buf, base);
	url_add_segment(&buf, name);
	buf_puts(&buf, rest);
	rc = buf_check(&buf, "a path", err);
	if (!rc) {
		*ret_path = arena_strdup(cli->arena, buf.data);
		if (!*ret_path)
			rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	}
	buf_finish(&buf);
	return rc;
}

void cli_print_raw(struct cli *cli, const struct client_answer *answer)
{
	size_t len = answer->body.len;

	(void)fwrite(len ? answer->body.data : "", 1, len, cli->out.file);
	if (len && answer->body.data[len - 1] != '\n')
		(void)fputc('\n', cli->out.file);
}

const char *cli_text(const struct doc *map, const char *key,
		     const char *otherwise)
{
	const struct doc *value = doc_find(map, key);

	return value && value->kind == DOC_STRING ? value->text : otherwise;
}

/* --- files --- */

enum err_code cli_read(struct cli *cli, const char *path, size_t max,
		       const char **ret_bytes, size_t *ret_len, struct err *err)
{
	char *data, *copy;
	size_t len;
	enum err_code rc;

	rc = str_equal(path, "-")
		 ? file_read_fd(0, "standard input", max, &data, &len, err)
		 : file_read_all(path, max, &data, &len, err);
	if (rc)
		return rc;
	copy = arena_strndup(cli->arena, data, len);
	mem_free(data);
	if (!copy)
		return err_set(err, ERR_NO_MEMORY, "'%s': out of memory", path);
	*ret_bytes = copy;
	*ret_len = len;
	return ERR_NONE;
}
