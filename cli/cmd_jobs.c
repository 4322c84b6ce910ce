/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * jobs: lists, shows and controls training jobs.
 */
#include "base/field.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/follow.h"
#include "cli/show.h"
#include "cli/table.h"

enum { PATH_BYTES = 512 };

/* --- list --- */

static const char *percent_of(struct cli *cli, const struct doc *job)
{
	const struct doc *p = doc_find(doc_find(job, "progress"), "percent");

	if (!p || (p->kind != DOC_INT && p->kind != DOC_DOUBLE))
		return "";
	return arena_printf(cli->arena, "%.0f%%", p->number);
}

static const char *published_of(struct cli *cli, const struct doc *job)
{
	const struct doc *published = doc_find(job, "published");
	const struct doc *version = doc_find(published, "version");

	if (!version || version->kind != DOC_INT)
		return "";
	return arena_printf(cli->arena, "%s/%lld",
			    cli_text(published, "model", "?"),
			    (long long)version->integer);
}

static enum err_code add_jobs(struct cli *cli, const struct doc *page,
			      struct table *table, struct err *err)
{
	const struct doc *jobs = doc_find(page, "jobs");

	for (const struct doc *j = jobs ? jobs->first : NULL; j; j = j->next) {
		const char *cells[] = {
			cli_text(j, "id", ""),	  cli_text(j, "name", ""),
			cli_text(j, "state", ""), percent_of(cli, j),
			published_of(cli, j),	  cli_text(j, "created_at", ""),
		};
		enum err_code rc = table_add(table, cells, err);

		if (rc)
			return rc;
	}
	return ERR_NONE;
}

static enum err_code page_path(struct cli *cli, const struct args *args,
			       const char *after, const char **ret_path,
			       struct err *err)
{
	const char *state = args_text(args, "state", NULL);
	const char *limit = args_text(args, "limit", NULL);
	const char *parameter[][2] = { { "state=", state },
				       { "limit=", limit },
				       { "after=", after } };
	const char *join = "?";
	struct buf buf, value;
	enum err_code rc;

	buf_init(&buf, PATH_BYTES);
	buf_init(&value, PATH_BYTES);
	buf_puts(&buf, "/jobs");
	for (size_t i = 0; i < 3; i++) {
		if (!parameter[i][1])
			continue;
		buf_reset(&value);
		url_add_segment(&value, parameter[i][1]);
		buf_puts(&buf, join);
		buf_puts(&buf, parameter[i][0]);
		/* without the segment's slash */
		buf_puts(&buf, value.len ? value.data + 1 : "");
		join = "&";
	}
	rc = buf_check(&buf, "a path", err);
	*ret_path = rc ? NULL : arena_strdup(cli->arena, buf.data);
	buf_finish(&value);
	buf_finish(&buf);
	return rc || *ret_path ? rc
			       : err_set(err, ERR_NO_MEMORY, "out of memory");
}

/* All pages as one table; --json and --limit are one page. */
static int list(struct cli *cli, const struct args *args)
{
	static const char *const heads[] = { "ID",   "NAME",	  "STATE",
					     "DONE", "PUBLISHED", "CREATED",
					     NULL };
	const char *next = args_text(args, "after", NULL), *path;
	struct client_answer answer;
	struct err err = { 0 };
	struct table table;
	struct doc *page;
	enum err_code rc;

	table_init(&table, cli->arena, heads);
	do {
		rc = page_path(cli, args, next, &path, &err);
		if (!rc)
			rc = cli_get(cli, "GET", path, &page, &answer, &err);
		if (rc)
			return cli_fail(cli, &err);
		if (cli->json)
			cli_print_raw(cli, &answer);
		else
			rc = add_jobs(cli, page, &table, &err);
		buf_finish(&answer.body);
		next = cli_text(page, "next", NULL);
	} while (!rc && next && !cli->json && !args_has(args, "limit"));
	if (rc)
		return cli_fail(cli, &err);
	if (!cli->json)
		table_print(&table, &cli->out);
	return CLI_OK;
}

/* --- one job --- */

static int print(struct cli *cli, const char *method, const char *id,
		 const char *rest)
{
	struct client_request request = { .method = method };
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc;
	enum err_code rc;

	rc = cli_path(cli, "/jobs", id, rest, &request.path, &err);
	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json ||
	    doc_parse_json(answer.body.data ? answer.body.data : "",
			   answer.body.len, "answer", cli->arena, &doc, NULL))
		cli_print_raw(cli, &answer);
	else
		show_doc(&cli->out, doc);
	buf_finish(&answer.body);
	return CLI_OK;
}

static int show(struct cli *cli, const char *id)
{
	return print(cli, "GET", id, "");
}

/* --- curves --- */

/* Columns of equal length become rows; more than a table has are left out. */
static enum err_code print_columns(struct cli *cli, const struct doc *columns,
				   struct err *err)
{
	const char *head[TABLE_COLUMNS + 1] = { NULL }, *cell[TABLE_COLUMNS];
	const struct doc *at[TABLE_COLUMNS];
	enum err_code rc = ERR_NONE;
	struct table table;
	size_t n = 0;

	for (const struct doc *c = columns->first; c && n < TABLE_COLUMNS;
	     c = c->next) {
		head[n] = c->key;
		at[n++] = c->first;
	}
	table_init(&table, cli->arena, head);
	while (n && at[0] && !rc) {
		for (size_t i = 0; i < n; i++) {
			cell[i] = at[i] ? show_value(at[i], cli->arena) : "";
			at[i] = at[i] ? at[i]->next : NULL;
		}
		rc = table_add(&table, cell, err);
	}
	table_print(&table, &cli->out);
	return rc;
}

/* What evaluations measured, a row each; what steps did stands in --json. */
static int metrics(struct cli *cli, const char *id)
{
	struct client_answer answer;
	struct err err = { 0 };
	const struct doc *evals;
	const char *path;
	struct doc *doc;
	enum err_code rc;

	rc = cli_path(cli, "/jobs", id, "/metrics", &path, &err);
	if (!rc)
		rc = cli_get(cli, "GET", path, &doc, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	evals = doc_find(doc, "eval");
	if (cli->json)
		cli_print_raw(cli, &answer);
	else if (evals)
		rc = print_columns(cli, evals, &err);
	buf_finish(&answer.body);
	return rc ? cli_fail(cli, &err) : CLI_OK;
}

static int checkpoints(struct cli *cli, const char *id)
{
	return print(cli, "GET", id, "/checkpoints");
}

static int evaluate(struct cli *cli, const char *id)
{
	return print(cli, "POST", id, "/evaluate");
}

static int artifacts(struct cli *cli, const char *id)
{
	return print(cli, "GET", id, "/artifacts");
}

static int order(struct cli *cli, const char *method, const char *id,
		 const char *rest)
{
	struct client_request request = { .method = method };
	struct client_answer answer;
	struct err err = { 0 };
	struct doc *doc = NULL;
	enum err_code rc;

	rc = cli_path(cli, "/jobs", id, rest, &request.path, &err);
	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_raw(cli, &answer);
	else if (!answer.body.len ||
		 doc_parse_json(answer.body.data, answer.body.len, "answer",
				cli->arena, &doc, NULL))
		cli_note(cli, COLOUR_GREEN, "%s: %s", id,
			 str_equal(method, "DELETE") ? "deleted" : "done");
	else
		cli_note(cli, COLOUR_GREEN, "%s: %s", id,
			 cli_text(doc, "state", "done"));
	buf_finish(&answer.body);
	return CLI_OK;
}

static int cancel(struct cli *cli, const char *id)
{
	return order(cli, "POST", id, "/cancel");
}

static int hold(struct cli *cli, const char *id)
{
	return order(cli, "POST", id, "/pause");
}

static int resume(struct cli *cli, const char *id)
{
	return order(cli, "POST", id, "/resume");
}

static int checkpoint(struct cli *cli, const char *id)
{
	return order(cli, "POST", id, "/checkpoint");
}

static int drop(struct cli *cli, const char *id)
{
	return order(cli, "DELETE", id, "");
}

static const struct {
	const char *name;
	int (*run)(struct cli *cli, const char *id);
} actions[] = {
	{ "show", show },
	{ "follow", follow_job },
	{ "events", follow_events },
	{ "metrics", metrics },
	{ "checkpoints", checkpoints },
	{ "evaluate", evaluate },
	{ "artifacts", artifacts },
	{ "cancel", cancel },
	{ "pause", hold },
	{ "resume", resume },
	{ "checkpoint", checkpoint },
	{ "delete", drop },
};
enum { N_ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static int run(struct cli *cli, const struct args *args)
{
	const char *names[N_ACTIONS + 2], *nearest;
	const char *what = args->n_words ? args->word[0] : "list";

	if (str_equal(what, "list") && args->n_words < 2)
		return list(cli, args);
	for (size_t i = 0; i < N_ACTIONS; i++) {
		names[i] = actions[i].name;
		if (!str_equal(what, names[i]))
			continue;
		if (args->n_words < 2)
			return cli_wrong_usage(cli, "'%s' wants a job's id",
					       what);
		return actions[i].run(cli, args->word[1]);
	}
	names[N_ACTIONS] = "list";
	names[N_ACTIONS + 1] = NULL;
	nearest = field_nearest(what, names);
	return cli_wrong_usage(cli,
			       nearest ? "there is no 'jobs %s': did you "
					 "mean 'jobs %s'?"
				       : "there is no 'jobs %s'",
			       what, nearest);
}

static const struct args_flag flags[] = {
	{ "state", "STATE", "list: only jobs in that state" },
	{ "limit", "N", "list: at most so many" },
	{ "after", "ID", "list: only jobs older than that one" },
	{ 0 },
};

extern const struct cli_command cli_jobs;
const struct cli_command cli_jobs = {
	.name = "jobs",
	.usage = "[list | show ID | follow ID | events ID | metrics ID | "
		 "checkpoints ID | evaluate ID | artifacts ID | cancel ID | "
		 "pause ID | resume ID | checkpoint ID | delete ID]",
	.help = "List, show and control training jobs.",
	.flags = flags,
	.max_words = 2,
	.run = run,
};
