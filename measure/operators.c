/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * operators: what operators a model's file may use, from the tables that the
 * reader of files goes by: rows (engine/op.h) and spellings of older and
 * foreign forms (engine/spelling.h).
 *
 * docs/operators.md is what it prints; a test compares them.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "engine/kernel.h"
#include "engine/spelling.h"
#include "measure/command.h"

enum { TEXT_MAX_BYTES = 1 << 22, LISTED_MAX = 1024 };

/* One operator: a row, or spellings alone. */
struct listed {
	const char *domain, *name;
	const struct op *op; /* NULL: every form is lowered to others */
	unsigned from;	     /* the oldest opset that is read */
};

static int compare(const void *left, const void *right)
{
	const struct listed *a = left, *b = right;
	const int order = strcmp(a->domain, b->domain);

	return order ? order : strcmp(a->name, b->name);
}

static struct listed *find(struct listed *list, size_t n, const char *domain,
			   const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].domain, domain) &&
		    !strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

/* All of them in order; how many in *ret_n. */
static void collect(struct listed list[LISTED_MAX], size_t *ret_n)
{
	const struct op *op;
	const struct spelling *spelling;
	size_t n = 0;

	for (size_t i = 0; (op = op_at(i)) != NULL && n < LISTED_MAX; i++)
		if (strcmp(op->domain, "predictd") != 0)
			list[n++] = (struct listed){ op->domain, op->name, op,
						     op->since };
	for (size_t i = 0;
	     (spelling = spelling_at(i)) != NULL && n < LISTED_MAX; i++) {
		struct listed *there =
		    find(list, n, spelling->domain, spelling->name);

		if (!there) {
			there = &list[n++];
			*there =
			    (struct listed){ spelling->domain, spelling->name,
					     NULL, spelling->from };
		}
		if (spelling->from < there->from)
			there->from = spelling->from;
	}
	qsort(list, n, sizeof(*list), compare);
	*ret_n = n;
}

static const char *domain_name(const char *domain)
{
	return *domain ? domain : "ai.onnx";
}

static const char *gradient(const struct op *op)
{
	if (!op)
		return "as what it is lowered to";
	if (op->grad || op->vjp)
		return "yes";
	if (op->flags & OP_NO_GRADIENT)
		return "ends here";
	return op->body ? "of its body" : "no";
}

/* Types of the inputs; a letter given before is left out. */
static void put_types(struct buf *buf, const struct op *op, const char *between)
{
	const char *before = "";

	for (const struct port *p = op ? op->in : NULL; p && p->name; p++) {
		const bool is_letter = !strpbrk(p->types, ":(") &&
				       p->types[0] >= 'A' && p->types[0] <= 'Z';

		if (is_letter)
			continue;
		buf_printf(buf, "%s%s %s", before, p->name, p->types);
		before = between;
	}
}

static void put_kernels(struct buf *buf, const struct op *op, const char *quote)
{
	const struct kernel *const *kernel = op ? op->kernels : NULL;

	for (unsigned i = 0; kernel && kernel[i]; i++)
		buf_printf(buf, "%s%s%s%s", i ? ", " : "", quote,
			   kernel[i]->name, quote);
}

/* ---- Markdown ------------------------------------------------------------ */

static const char *const preface =
    "# Operators\n\n"
    "What a model's file may use; printed by `predictctl operators` from the "
    "engine's own\ntables, so this page is what the program does. Opsets are "
    "the domain's; each form\nfrom the first one named is read, and newer "
    "opsets than the newest known as that one.\n\n"
    "Types are those of inputs; inputs that share a letter share a type. "
    "*any* is every\ntensor type, *arith* integers of 8 to 64 bits and float, "
    "double, float16 and bfloat16,\n*floats* the last four and float8, *ints* "
    "the integers. Kernels are in the order in\nwhich they are asked; none: "
    "it runs as the operators that define it. Gradient: *ends\nhere* means "
    "that none flows through it by its nature, *no* that training refuses "
    "it.\n";

/* A bar would end the cell. */
static void put_cell(struct buf *buf, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_putc(buf, '\\');
		buf_putc(buf, *text);
	}
}

static void put_row(struct buf *buf, const struct listed *l)
{
	buf_printf(buf, "| %s | %u | ", l->name, l->from);
	put_types(buf, l->op, "; ");
	buf_puts(buf, " | ");
	put_kernels(buf, l->op, "");
	buf_printf(buf, " | %s | ", gradient(l->op));
	put_cell(buf, l->op ? l->op->help : "an older or other form of others");
	buf_puts(buf, " |\n");
}

static void put_markdown(struct buf *buf, const struct listed *list, size_t n)
{
	buf_puts(buf, preface);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(list[i].domain, list[i - 1].domain) != 0)
			buf_printf(buf,
				   "\n## %s\n\n"
				   "| Operator | From opset | Types | Kernels "
				   "| Gradient | What it does |\n"
				   "|---|---|---|---|---|---|\n",
				   domain_name(list[i].domain));
		put_row(buf, &list[i]);
	}
}

/* ---- JSON ---------------------------------------------------------------- */

/* Names and types in the tables need no escapes. */
static void put_json(struct buf *buf, const struct listed *list, size_t n)
{
	buf_puts(buf, "[");
	for (size_t i = 0; i < n; i++) {
		const struct listed *l = &list[i];

		buf_printf(buf,
			   "%s\n  {\"domain\": \"%s\", \"name\": \"%s\", "
			   "\"from_opset\": %u, \"is_lowered\": %s, "
			   "\"types\": [",
			   i ? "," : "", domain_name(l->domain), l->name,
			   l->from, l->op ? "false" : "true");
		if (l->op && l->op->in && l->op->in->name) {
			buf_puts(buf, "\"");
			put_types(buf, l->op, "\", \"");
			buf_puts(buf, "\"");
		}
		buf_puts(buf, "], \"kernels\": [");
		put_kernels(buf, l->op, "\"");
		buf_printf(buf, "], \"gradient\": \"%s\"}", gradient(l->op));
	}
	buf_puts(buf, "\n]\n");
}

static enum err_code operators(const struct args *args, bool *ret_failed,
			       struct err *err)
{
	struct listed list[LISTED_MAX];
	struct buf buf;
	size_t n = 0;
	enum err_code rc;

	collect(list, &n);
	buf_init(&buf, TEXT_MAX_BYTES);
	if (args_has(args, "json"))
		put_json(&buf, list, n);
	else
		put_markdown(&buf, list, n);
	rc = buf_check(&buf, "operators", err);
	if (!rc)
		(void)fputs(buf.data, stdout);
	buf_finish(&buf);
	*ret_failed = false;
	return rc;
}

static const struct args_flag flags[] = {
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct measure_command measure_operators = {
	.name = "operators",
	.usage = "[--json]",
	.help = "Prints the operators that models may use, as Markdown.",
	.flags = flags,
	.n_words = 0,
	.run = operators,
};
