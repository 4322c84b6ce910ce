/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * predict: one request to /predict, its answer as a short table.
 */
#include <math.h>

#include "base/str.h"
#include "cli/cmd.h"
#include "cli/content.h"
#include "cli/show.h"
#include "cli/table.h"

enum { SHOWN_CLASSES = 5, NUMBER_MAX = 32 };

/* "/predict", "/predict/M" or "/predict/M/V" */
static enum err_code make_path(struct cli *cli, const char *model,
			       const char **ret_path, struct err *err)
{
	const char *slash = model ? strrchr(model, '/') : NULL, *name;
	enum err_code rc;

	*ret_path = "/predict";
	if (!model)
		return ERR_NONE;
	name = slash ? arena_strndup(cli->arena, model, (size_t)(slash - model))
		     : model;
	if (!name)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = cli_path(cli, "/predict", name, "", ret_path, err);
	if (!rc && slash)
		rc = cli_path(cli, *ret_path, slash + 1, "", ret_path, err);
	return rc;
}

static enum err_code read_body(struct cli *cli, const char *word,
			       struct client_request *request, struct err *err)
{
	const char *bytes = word;
	enum err_code rc = ERR_NONE;

	if (content_is_json(word)) {
		request->body = word;
		request->len = strlen(word);
		request->content_type = "application/json";
		return ERR_NONE;
	}
	rc = cli_read(cli, word, CLIENT_BODY_MAX, &bytes, &request->len, err);
	if (rc)
		return rc;
	request->body = bytes;
	request->content_type = content_type_of(word, bytes, request->len);
	return ERR_NONE;
}

/* --- the table --- */

static const char *number_text(struct cli *cli, const struct doc *value)
{
	char text[NUMBER_MAX];

	if (!value || (value->kind != DOC_INT && value->kind != DOC_DOUBLE))
		return "";
	(void)snprintf(text, sizeof(text), "%.4f", value->number);
	return arena_strdup(cli->arena, text);
}

/* The most likely class that is less likely than `below` (or as likely, and
 * stands after `after`). */
static const struct doc *next_class(const struct doc *probabilities,
				    const struct doc *after)
{
	const struct doc *best = NULL;
	bool is_behind = !after;

	for (const struct doc *c = probabilities->first; c; c = c->next) {
		bool may = !after || c->number < after->number ||
			   (is_behind && c->number <= after->number);

		if (may && c != after && (!best || c->number > best->number))
			best = c;
		is_behind = is_behind || c == after;
	}
	return best;
}

/* One prediction alone: its likeliest classes. */
static enum err_code add_classes(struct cli *cli, struct table *table,
				 const struct doc *prediction, struct err *err)
{
	const struct doc *all = doc_find(prediction, "probabilities");
	const struct doc *class = NULL;

	for (int i = 0; i < SHOWN_CLASSES; i++) {
		const char *cells[] = { NULL, NULL, NULL };
		enum err_code rc;

		class = next_class(all, class);
		if (!class)
			break;
		cells[0] = class->key;
		cells[1] = number_text(cli, class);
		rc = table_add(table, cells, err);
		if (rc)
			return rc;
	}
	return ERR_NONE;
}

/* What a prediction says, whichever kind it is. */
static const char *answer_of(struct cli *cli, const struct doc *prediction)
{
	static const char *const keys[] = { "label", "value", "text", NULL };

	for (size_t i = 0; keys[i]; i++) {
		const struct doc *member = doc_find(prediction, keys[i]);

		if (member)
			return show_value(member, cli->arena);
	}
	return show_value(prediction, cli->arena);
}

static enum err_code print_rows(struct cli *cli, const struct doc *list,
				struct err *err)
{
	static const char *const heads[] = { "ROW", "PREDICTION", "PROBABILITY",
					     NULL };
	struct table table;
	size_t row = 0;

	table_init(&table, cli->arena, heads);
	for (const struct doc *p = list->first; p; p = p->next) {
		const char *cells[] = {
			arena_printf(cli->arena, "%zu", row++),
			answer_of(cli, p),
			number_text(cli, doc_find(p, "probability")),
		};
		enum err_code rc = table_add(&table, cells, err);

		if (rc)
			return rc;
	}
	table_print(&table, &cli->out);
	return ERR_NONE;
}

static enum err_code print_one(struct cli *cli, const struct doc *prediction,
			       struct err *err)
{
	static const char *const heads[] = { "LABEL", "PROBABILITY", NULL };
	const struct doc *all = doc_find(prediction, "probabilities");
	struct table table;
	enum err_code rc;

	if (!doc_find(prediction, "label")) {
		const char *text = answer_of(cli, prediction);

		terminal_put(&cli->out, COLOUR_PLAIN, text ? text : "");
		(void)fputc('\n', cli->out.file);
		return ERR_NONE;
	}
	table_init(&table, cli->arena, heads);
	if (all && all->kind == DOC_MAP) {
		rc = add_classes(cli, &table, prediction, err);
	} else {
		const char *cells[] = {
			answer_of(cli, prediction),
			number_text(cli, doc_find(prediction, "probability"))
		};

		rc = table_add(&table, cells, err);
	}
	if (!rc)
		table_print(&table, &cli->out);
	return rc;
}

/* Large answers are more than a document takes: they are printed as they are,
 * and so are tensors. */
static enum err_code print_answer(struct cli *cli,
				  const struct client_answer *answer,
				  struct err *err)
{
	const struct doc *list = NULL;
	struct doc *doc;

	if (!cli->json && answer->body.len &&
	    !doc_parse_json(answer->body.data, answer->body.len, "answer",
			    cli->arena, &doc, NULL))
		list = doc_find(doc, "predictions");
	if (!list || list->kind != DOC_LIST || !list->n) {
		cli_print_raw(cli, answer);
		return ERR_NONE;
	}
	return list->n == 1 ? print_one(cli, list->first, err)
			    : print_rows(cli, list, err);
}

static int run(struct cli *cli, const struct args *args)
{
	struct client_request request = { .method = "POST" };
	struct client_answer answer;
	struct err err = { 0 };
	enum err_code rc;

	rc =
	    make_path(cli, args_text(args, "model", NULL), &request.path, &err);
	if (!rc)
		rc = read_body(cli, args->word[0], &request, &err);
	if (!rc)
		rc = cli_ask(cli, &request, &answer, &err);
	if (rc)
		return cli_fail(cli, &err);
	rc = print_answer(cli, &answer, &err);
	buf_finish(&answer.body);
	return rc ? cli_fail(cli, &err) : CLI_OK;
}

static const struct args_flag flags[] = {
	{ "model", "M[/VERSION]", "which model; not needed when there is one" },
	{ 0 },
};

extern const struct cli_command cli_predict;
const struct cli_command cli_predict = {
	.name = "predict",
	.usage = "[--model M[/VERSION]] FILE|JSON|-",
	.help = "Predict from a picture, a text, a table or JSON.\n\n"
		"  predictctl predict --model fashion boot.png\n"
		"  predictctl predict '{\"inputs\": {\"x\": 3.5}}'\n\n"
		"A file is sent as it is, with the media type that its content "
		"or name tells;\nJSON is the body that /predict takes.",
	.flags = flags,
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
