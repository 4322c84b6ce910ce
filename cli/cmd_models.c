/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * models, load, unload: what is served.
 */
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/table.h"

static const struct args_flag no_flags[] = { { 0 } };

/* --- models --- */

static enum err_code add_versions(const struct doc *model, struct table *table,
				  struct err *err)
{
	const struct doc *versions = doc_find(model, "versions");
	const char *name = cli_text(model, "name", "");
	const char *none[] = { name, "", "UNAVAILABLE", "", "no version" };

	if (!versions || !versions->first)
		return table_add(table, none, err);
	for (const struct doc *v = versions->first; v; v = v->next) {
		const struct doc *chosen = doc_find(v, "is_default");
		const char *cells[] = {
			name,
			cli_text(v, "version", ""),
			cli_text(v, "state", ""),
			chosen && chosen->kind == DOC_BOOL && chosen->boolean
			    ? "yes"
			    : "",
			cli_text(v, "reason", ""),
		};
		enum err_code rc = table_add(table, cells, err);

		if (rc)
			return rc;
	}
	return ERR_NONE;
}

static enum err_code print_models(struct cli *cli, const struct doc *answer,
				  struct err *err)
{
	static const char *const heads[] = { "MODEL",	"VERSION", "STATE",
					     "DEFAULT", "REASON",  NULL };
	const struct doc *models = doc_find(answer, "models");
	enum err_code rc = ERR_NONE;
	struct table table;

	table_init(&table, cli->arena, heads);
	for (const struct doc *m = models ? models->first : NULL; m && !rc;
	     m = m->next)
		rc = add_versions(m, &table, err);
	table_print(&table, &cli->out);
	return rc;
}

static int list_models(struct cli *cli)
{
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc;
	enum err_code rc;

	rc = cli_get(cli, "GET", "/models", &doc, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else
		rc = print_models(cli, doc, &err);
	buf_finish(&answer.body);
	return rc ? cli_fail(cli, &err) : CLI_OK;
}

static int show_model(struct cli *cli, const char *name)
{
	struct client_answer answer;
	struct err err = { 0 };
	const char *path;
	struct doc *doc;
	enum err_code rc;

	rc = cli_path(cli, "/models", name, "", &path, &err);
	if (!rc)
		rc = cli_get(cli, "GET", path, &doc, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else
		show_doc(&cli->out, doc);
	buf_finish(&answer.body);
	return CLI_OK;
}

/* --- which version answers --- */

static int move_default(struct cli *cli, const char *name, const char *how,
			const char *version)
{
	struct client_request request = {
		.method = "POST",
		.content_type = "application/json",
		.body = "{}",
	};
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc;
	int64_t number;
	enum err_code rc;

	if (version && (!str_parse_int64(version, &number) || number < 1))
		return cli_wrong_usage(cli, "'%s' is no number of a version",
				       version);
	if (version)
		request.body =
		    arena_printf(cli->arena, "{\"version\":\"%s\"}", version);
	if (!request.body)
		return cli_wrong_usage(cli, "out of memory");
	request.len = strlen(request.body);
	rc = cli_path(cli, "/models", name, how, &request.path, &err);
	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else if (!doc_parse_json(answer.body.data ? answer.body.data : "",
				 answer.body.len, "answer", cli->arena, &doc,
				 NULL))
		cli_note(cli, COLOUR_GREEN,
			 "%s: version %s answers by default (was %s)", name,
			 cli_text(doc, "default_version", "?"),
			 cli_text(doc, "previous_version", "none"));
	buf_finish(&answer.body);
	return CLI_OK;
}

static int run_models(struct cli *cli, const struct args *args)
{
	const char *what = args->n_words ? args->word[0] : "list";

	if (str_equal(what, "list") && args->n_words < 2)
		return list_models(cli);
	if (str_equal(what, "show") && args->n_words == 2)
		return show_model(cli, args->word[1]);
	if (str_equal(what, "promote") && args->n_words == 3)
		return move_default(cli, args->word[1], "/promote",
				    args->word[2]);
	if (str_equal(what, "rollback") && args->n_words == 2)
		return move_default(cli, args->word[1], "/rollback", NULL);
	return cli_wrong_usage(cli, "expected 'list', 'show NAME', 'promote "
				    "NAME VERSION' or 'rollback NAME'");
}

extern const struct cli_command cli_models;
const struct cli_command cli_models = {
	.name = "models",
	.usage = "[list | show NAME | promote NAME VERSION | rollback NAME]",
	.help = "List models and their versions, show one, or say which "
		"answers.\n\n"
		"Promote makes a version that is served the default one; "
		"rollback goes back\nto the one before it.",
	.flags = no_flags,
	.max_words = 3,
	.run = run_models,
};

/* --- load and unload --- */

/* A change of what is served. */
struct change {
	const char *how, *body, *done;
};

static int change(struct cli *cli, const char *name,
		  const struct change *change)
{
	struct client_request request = {
		.method = "POST",
		.content_type = "application/json",
		.body = change->body,
		.len = strlen(change->body),
	};
	struct client_answer answer;
	struct err err = { 0 };
	enum err_code rc;

	rc = cli_path(cli, "/v2/repository/models", name, change->how,
		      &request.path, &err);
	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else
		cli_note(cli, COLOUR_GREEN, "%s: %s", name, change->done);
	buf_finish(&answer.body);
	return CLI_OK;
}

static int run_load(struct cli *cli, const struct args *args)
{
	static const struct change load = { "/load", "{}", "loaded" };

	return change(cli, args->word[0], &load);
}

static int run_unload(struct cli *cli, const struct args *args)
{
	static const struct change one = { "/unload", "{}", "unloaded" };
	static const struct change all = {
		"/unload", "{\"parameters\":{\"unload_dependents\":true}}",
		"unloaded, and what hangs together with it"
	};

	return change(cli, args->word[0],
		      args_has(args, "dependents") ? &all : &one);
}

static const struct args_flag unload_flags[] = {
	{ "dependents", NULL,
	  "ensembles that have it as a step too; of an ensemble its steps" },
	{ 0 },
};

extern const struct cli_command cli_load;
const struct cli_command cli_load = {
	.name = "load",
	.usage = "NAME",
	.help = "Load a model, or load it anew.",
	.flags = no_flags,
	.min_words = 1,
	.max_words = 1,
	.run = run_load,
};

extern const struct cli_command cli_unload;
const struct cli_command cli_unload = {
	.name = "unload",
	.usage = "[--dependents] NAME",
	.help = "Take a model out of service.",
	.flags = unload_flags,
	.min_words = 1,
	.max_words = 1,
	.run = run_unload,
};
