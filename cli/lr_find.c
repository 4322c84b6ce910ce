/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lr_find.h"

#include <math.h>

#include "cli/table.h"

/* bars are of this many signs, rows of every so many points */
enum { BAR = 40, EVERY = 4 };

static const char *rate_text(struct arena *arena, double rate)
{
	return isfinite(rate) && rate > 0 ? arena_printf(arena, "%.2e", rate)
					  : "-";
}

/* The lowest loss, and the highest before it: where the curve shoots up at its
 * end, bars are just full. */
static void find_range(const struct doc *loss, double *ret_min, double *ret_max)
{
	double most = -(double)INFINITY;

	*ret_min = (double)INFINITY;
	*ret_max = most;
	for (const struct doc *l = loss->first; l; l = l->next) {
		most = fmax(most, l->number);
		if (l->number < *ret_min) {
			*ret_min = l->number;
			*ret_max = most;
		}
	}
}

/* Every so many points of the curve, the lowest one always. */
static enum err_code print_curve(struct cli *cli, const struct doc *rate,
				 const struct doc *loss, struct err *err)
{
	static const char *const heads[] = { "LEARNING RATE", "LOSS", "CURVE",
					     NULL };
	static const char signs[] = "########################################";
	const struct doc *r = rate->first;
	double min, max;
	struct table table;
	enum err_code rc = ERR_NONE;
	size_t i = 0;

	find_range(loss, &min, &max);
	table_init(&table, cli->arena, heads);
	for (const struct doc *l = loss->first; l && r && !rc;
	     l = l->next, r = r->next, i++) {
		const double share =
		    max > min ? fmin((l->number - min) / (max - min), 1) : 0;
		const char *cells[] = {
			rate_text(cli->arena, r->number),
			arena_printf(cli->arena, "%.4g", l->number),
			arena_printf(cli->arena, "%.*s%s",
				     (int)lround(BAR * share), signs,
				     l->number > min ? "" : "<- lowest"),
		};

		if (i % EVERY == 0 || !(l->number > min))
			rc = table_add(&table, cells, err);
	}
	if (!rc)
		table_print(&table, &cli->out);
	return rc;
}

/* The rate that a job takes comes last. */
static enum err_code print_suggestions(struct cli *cli,
				       const struct doc *suggestions,
				       const struct doc *taken, struct err *err)
{
	static const char *const heads[] = { "SUGGESTION", "LEARNING RATE",
					     "WHERE", NULL };
	static const char *const rows[][2] = {
		{ "middle", "fastest fall to lowest loss" },
		{ "valley", "into the longest way down" },
		{ "steep", "the loss falls fastest" },
		{ "minimum", "a tenth of the lowest loss's" },
		{ "slide", "before the slope changes, from the right" },
		{ "taken", "by a job whose learning_rate is auto" },
	};
	struct table table;
	enum err_code rc = ERR_NONE;

	table_init(&table, cli->arena, heads);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !rc; i++) {
		const struct doc *s = i + 1 == sizeof(rows) / sizeof(rows[0])
					  ? taken
					  : doc_find(suggestions, rows[i][0]);
		const char *cells[] = {
			rows[i][0],
			rate_text(cli->arena, s ? s->number : 0),
			rows[i][1],
		};

		rc = table_add(&table, cells, err);
	}
	if (!rc)
		table_print(&table, &cli->out);
	return rc;
}

enum err_code lr_find_print(struct cli *cli, const struct doc *result,
			    struct err *err)
{
	const struct doc *rate = doc_find(result, "rate");
	const struct doc *loss = doc_find(result, "loss");
	const struct doc *suggestions = doc_find(result, "suggestions");
	enum err_code rc;

	if (!rate || rate->kind != DOC_LIST || !loss ||
	    loss->kind != DOC_LIST || !suggestions)
		return err_set(err, ERR_FORMAT,
			       "the server's answer has no curve");
	rc = print_curve(cli, rate, loss, err);
	if (!rc)
		(void)fputc('\n', cli->out.file);
	return rc ? rc
		  : print_suggestions(cli, suggestions,
				      doc_find(result, "learning_rate"), err);
}
