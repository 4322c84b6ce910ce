/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * train: submits a job, and may follow it to its end.
 */
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/content.h"
#include "cli/follow.h"
#include "cli/lr_find.h"
#include "cli/overrides.h"
#include "cli/show.h"
#include "cli/table.h"

enum { SPEC_MAX = 16 << 20 };

static enum err_code read_spec(struct cli *cli, const struct args *args,
			       struct client_request *request, struct err *err)
{
	struct overrides_job job = { .name = args->word[0] };
	enum err_code rc;

	rc = cli_read(cli, job.name, SPEC_MAX, &job.text, &job.len, err);
	if (!rc && args_has(args, "set"))
		rc = overrides_apply(args, cli->arena, &job, err);
	if (rc)
		return rc;
	request->body = job.text;
	request->len = job.len;
	request->content_type =
	    content_is_json(job.text) ? "application/json" : "application/yaml";
	return ERR_NONE;
}

/* --- a dry run --- */

static enum err_code print_layers(struct cli *cli, const struct doc *layers,
				  struct err *err)
{
	static const char *const heads[] = { "LAYER", "TYPE", "OUTPUT",
					     "PARAMETERS", NULL };
	struct table table;

	table_init(&table, cli->arena, heads);
	for (const struct doc *l = layers->first; l; l = l->next) {
		const struct doc *shape = doc_find(l, "output_shape");
		const struct doc *n = doc_find(l, "parameters");
		const char *cells[] = {
			cli_text(l, "name", ""),
			cli_text(l, "type", ""),
			shape ? show_value(shape, cli->arena) : "",
			n ? show_value(n, cli->arena) : "",
		};
		enum err_code rc = table_add(&table, cells, err);

		if (rc)
			return rc;
	}
	table_print(&table, &cli->out);
	return ERR_NONE;
}

/* The layers as a table, the rest as lines; the resolved spec is long and
 * stands in --json. */
static enum err_code print_dry(struct cli *cli, struct doc *answer,
			       struct err *err)
{
	const struct doc *result = doc_find(answer, "result");
	const struct doc *from = result ? result : answer;
	const struct doc *layers = doc_find(from, "layers");
	enum err_code rc = ERR_NONE;

	if (layers && layers->kind == DOC_LIST)
		rc = print_layers(cli, layers, err);
	for (const struct doc *d = from->first; d && !rc; d = d->next) {
		struct doc alone = *d;
		struct doc map = { .kind = DOC_MAP, .n = 1, .first = &alone };

		alone.next = NULL;
		if (!str_equal(d->key, "layers") && !str_equal(d->key, "spec"))
			show_doc(&cli->out, &map);
	}
	return rc;
}

static enum err_code print_curve(struct cli *cli, struct doc *answer,
				 struct err *err)
{
	const struct doc *result = doc_find(answer, "result");

	return lr_find_print(cli, result ? result : answer, err);
}

/* Asks the path and prints the answer. */
static int rehearse(struct cli *cli, struct client_request *request,
		    const char *path,
		    enum err_code (*print)(struct cli *cli, struct doc *answer,
					   struct err *err))
{
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc;
	enum err_code rc;

	request->path = path;
	rc = cli_ask(cli, request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json) {
		cli_print_raw(cli, &answer);
	} else {
		rc = doc_parse_json(answer.body.data ? answer.body.data : "",
				    answer.body.len, "the server's answer",
				    cli->arena, &doc, &err);
		if (!rc)
			rc = print(cli, doc, &err);
	}
	buf_finish(&answer.body);
	return rc ? cli_fail(cli, &err) : CLI_OK;
}

/* --- a job --- */

static enum err_code submit(struct cli *cli, struct client_request *request,
			    bool is_quiet, const char **ret_id, struct err *err)
{
	struct client_answer answer;
	struct doc *doc;
	enum err_code rc;

	request->path = "/train";
	rc = cli_ask(cli, request, &answer, err);
	if (rc)
		return rc;
	rc = doc_parse_json(answer.body.data ? answer.body.data : "",
			    answer.body.len, "the server's answer", cli->arena,
			    &doc, err);
	*ret_id = rc ? NULL : cli_text(doc, "id", NULL);
	if (!rc && !*ret_id)
		rc =
		    err_set(err, ERR_FORMAT, "the server's answer has no 'id'");
	if (!rc && cli->json && !is_quiet)
		cli_print_raw(cli, &answer);
	buf_finish(&answer.body);
	return rc;
}

static int run(struct cli *cli, const struct args *args)
{
	struct client_request request = { .method = "POST" };
	bool follows = args_has(args, "follow");
	struct err err = { 0 };
	const char *id = NULL;
	enum err_code rc = read_spec(cli, args, &request, &err);

	if (rc)
		return cli_fail(cli, &err);
	if (args_has(args, "dry-run"))
		return rehearse(cli, &request, "/train?dry_run=1", print_dry);
	if (args_has(args, "lr-find"))
		return rehearse(cli, &request, "/train?lr_find=1", print_curve);
	rc = submit(cli, &request, follows, &id, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (follows) {
		cli_note(cli, COLOUR_PLAIN, "job %s", id);
		return follow_job(cli, id);
	}
	if (!cli->json) {
		terminal_put(&cli->out, COLOUR_PLAIN, id);
		(void)fputc('\n', cli->out.file);
		cli_note(cli, COLOUR_DIM,
			 "submitted; 'predictctl jobs follow %s' shows it", id);
	}
	return CLI_OK;
}

static const struct args_flag flags[] = {
	{ "follow", NULL, "show progress until the job is over" },
	{ "dry-run", NULL, "check it and tell layers, memory and time" },
	{ "lr-find", NULL, "tell the loss under rising learning rates" },
	{ "set", "KEY.KEY=V", "replace a value of the file; may repeat" },
	{ 0 },
};

extern const struct cli_command cli_train;
const struct cli_command cli_train = {
	.name = "train",
	.usage = "FILE.yaml|- [--follow | --dry-run | --lr-find] [--set "
		 "KEY.KEY=VALUE ...]",
	.help =
	    "Submit a training job and print its id.\n\n"
	    "  predictctl train job.yaml --follow --set trainer.epochs=1\n\n"
	    "Ctrl-C ends the following; the job goes on.",
	.flags = flags,
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
