/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * datasets: data that was sent to the daemon, for jobs to train on.
 */
#include "base/file.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/table.h"

static const struct args_flag no_flags[] = { { 0 } };

static const char *number(struct cli *cli, const struct doc *map,
			  const char *key)
{
	const struct doc *value = doc_find(map, key);
	const char *text =
	    value && value->kind == DOC_INT
		? arena_printf(cli->arena, "%lld", (long long)value->integer)
		: NULL;

	return text ? text : "";
}

static enum err_code print_list(struct cli *cli, const struct doc *answer,
				struct err *err)
{
	static const char *const heads[] = { "DATASET", "BYTES", "FILES",
					     "CREATED", NULL };
	const struct doc *list = doc_find(answer, "datasets");
	enum err_code rc = ERR_NONE;
	struct table table;

	table_init(&table, cli->arena, heads);
	for (const struct doc *d = list ? list->first : NULL; d && !rc;
	     d = d->next) {
		const char *cells[] = {
			cli_text(d, "name", ""),
			number(cli, d, "bytes"),
			number(cli, d, "files"),
			cli_text(d, "created_at", ""),
		};

		rc = table_add(&table, cells, err);
	}
	table_print(&table, &cli->out);
	return rc;
}

/* name NULL: all of them */
static int show(struct cli *cli, const char *name)
{
	const char *path = "/datasets";
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc;
	enum err_code rc = ERR_NONE;

	if (name)
		rc = cli_path(cli, "/datasets", name, "", &path, &err);
	if (!rc)
		rc = cli_get(cli, "GET", path, &doc, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else if (name)
		show_doc(&cli->out, doc);
	else
		rc = print_list(cli, doc, &err);
	buf_finish(&answer.body);
	return rc ? cli_fail(cli, &err) : CLI_OK;
}

static const char *last_segment(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int send_file(struct cli *cli, const char *file, const char *name)
{
	struct client_request request = { .method = "PUT" };
	struct client_answer answer;
	struct file_map map = { 0 };
	struct err err = { 0 };
	struct doc *doc;
	enum err_code rc;

	name = name ? name : last_segment(file);
	rc = cli_path(cli, "/datasets", name, "", &request.path, &err);
	if (!rc)
		rc = file_map_open(file, &map, &err);
	if (rc)
		return cli_fail(cli, &err);
	request.content_type = "application/octet-stream";
	request.body = map.data;
	request.len = map.len;
	rc = cli_ask(cli, &request, &answer, &err);
	file_map_close(&map);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else if (!doc_parse_json(answer.body.data ? answer.body.data : "",
				 answer.body.len, "answer", cli->arena, &doc,
				 NULL))
		cli_note(cli, COLOUR_GREEN,
			 "%s: %s files; a job reads it by 'data: {source: "
			 "\"%s\"}'",
			 name, number(cli, doc, "files"),
			 cli_text(doc, "source", "?"));
	buf_finish(&answer.body);
	return CLI_OK;
}

static int remove_one(struct cli *cli, const char *name)
{
	struct client_request request = { .method = "DELETE" };
	struct client_answer answer;
	struct err err = { 0 };
	enum err_code rc =
	    cli_path(cli, "/datasets", name, "", &request.path, &err);

	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	buf_finish(&answer.body);
	cli_note(cli, COLOUR_GREEN, "%s: deleted", name);
	return CLI_OK;
}

static int run_datasets(struct cli *cli, const struct args *args)
{
	const char *what = args->n_words ? args->word[0] : "list";
	const unsigned n = args->n_words;

	if (str_equal(what, "list") && n < 2)
		return show(cli, NULL);
	if (str_equal(what, "show") && n == 2)
		return show(cli, args->word[1]);
	if (str_equal(what, "put") && (n == 2 || n == 3))
		return send_file(cli, args->word[1],
				 n == 3 ? args->word[2] : NULL);
	if (str_equal(what, "delete") && n == 2)
		return remove_one(cli, args->word[1]);
	return cli_wrong_usage(cli, "expected 'list', 'show NAME', 'put FILE "
				    "[NAME]' or 'delete NAME'");
}

extern const struct cli_command cli_datasets;
const struct cli_command cli_datasets = {
	.name = "datasets",
	.usage = "[list | show NAME | put FILE [NAME] | delete NAME]",
	.help = "List data that was sent for training, show, send or delete "
		"it.\n\n"
		"A file is kept as it is; what is in a tar (also gzip, bzip2, "
		"xz, zstd) or zip\narchive is unpacked. Jobs read it by "
		"'source: upload:NAME'.",
	.flags = no_flags,
	.max_words = 3,
	.run = run_datasets,
};
