/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Einsum of three operands and more: a chain of pairs from the left, so that
 * each step is a matrix product. A pair keeps the labels that a later operand
 * or the result has.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

/* '.' stands for "..." */
enum { TERM_MAX = 56, TERMS_MAX = 16, TEXT_MAX = 4096 };

struct einsum_attrs {
	const char *equation;
};

struct equation {
	char term[TERMS_MAX + 1][TERM_MAX]; /* operands, then the result */
	unsigned n;			    /* operands */
};

static const struct op_attr attrs[] = {
	{ .name = "equation",
	  .help = "labels of the operands' axes and of the result's",
	  .offset = offsetof(struct einsum_attrs, equation),
	  .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED },
	{ 0 },
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One term without spaces; NULL for what the row may refuse better. */
static const char *read_term(const char *at, char term[TERM_MAX])
{
	size_t n = 0;

	while (*at && *at != ',' && *at != '-') {
		if (n + 1 == TERM_MAX)
			return NULL;
		if (*at == ' ') {
			at++;
		} else if (!strncmp(at, "...", 3)) {
			term[n++] = '.';
			at += 3;
		} else if (is_letter(*at)) {
			term[n++] = *at++;
		} else {
			return NULL;
		}
	}
	term[n] = '\0';
	return at;
}

/* Result of an equation without "->": letters that stand once. */
static void imply_result(struct equation *e)
{
	char *result = e->term[e->n];
	size_t n = 0;

	for (int c = '.'; c <= 'z'; c++) {
		unsigned count = 0;

		for (unsigned i = 0; i < e->n; i++)
			for (const char *at = e->term[i]; *at; at++)
				count += *at == c;
		if (count == 1 || (c == '.' && count))
			result[n++] = (char)c;
	}
	result[n] = '\0';
}

static bool read_equation(const char *at, unsigned n_in, struct equation *ret)
{
	*ret = (struct equation){ .n = 0 };
	if (n_in > TERMS_MAX)
		return false;
	while (ret->n < n_in) {
		at = read_term(at, ret->term[ret->n++]);
		if (!at || (ret->n < n_in && *at++ != ','))
			return false;
	}
	if (!*at) {
		imply_result(ret);
		return true;
	}
	if (strncmp(at, "->", 2) != 0)
		return false;
	at = read_term(at + 2, ret->term[n_in]);
	return at && !*at;
}

/* Labels of a and b that stand in what follows term i. */
static void kept_labels(const struct equation *e, const char *a, unsigned i,
			char kept[TERM_MAX])
{
	const char *parts[2] = { a, e->term[i] };
	size_t n = 0;

	for (unsigned p = 0; p < 2; p++)
		for (const char *at = parts[p]; *at; at++) {
			bool is_read = false;

			for (unsigned j = i + 1; j <= e->n; j++)
				is_read |= strchr(e->term[j], *at) != NULL;
			if (is_read && !memchr(kept, *at, n) &&
			    n + 1 < TERM_MAX)
				kept[n++] = *at;
		}
	kept[n] = '\0';
}

static void print_term(const char *term, char text[3 * TERM_MAX])
{
	size_t n = 0;

	for (; *term; term++) {
		if (*term == '.') {
			memcpy(text + n, "...", 3);
			n += 3;
		} else {
			text[n++] = *term;
		}
	}
	text[n] = '\0';
}

/* Graph text of all pairs; false when it is too long. */
static bool print_chain(const struct equation *e, char text[TEXT_MAX])
{
	char left[TERM_MAX], kept[TERM_MAX];
	char a[3 * TERM_MAX], b[3 * TERM_MAX], y[3 * TERM_MAX];
	size_t n = 0;

	memcpy(left, e->term[0], TERM_MAX);
	for (unsigned i = 1; i < e->n; i++) {
		char from[16] = "x0";
		int added;

		if (i > 1)
			(void)snprintf(from, sizeof(from), "t%u", i - 1);
		if (i + 1 < e->n)
			kept_labels(e, left, i, kept);
		else
			memcpy(kept, e->term[e->n], TERM_MAX);
		print_term(left, a);
		print_term(e->term[i], b);
		print_term(kept, y);
		added = snprintf(text + n, TEXT_MAX - n,
				 "%s%u = Einsum<equation=\"%s,%s->%s\">(%s, "
				 "x%u)\n",
				 i + 1 < e->n ? "t" : "y", i + 1 < e->n ? i : 0,
				 a, b, y, from, i);
		if (added < 0 || (size_t)added >= TEXT_MAX - n)
			return false;
		n += (size_t)added;
		memcpy(left, kept, TERM_MAX);
	}
	return true;
}

static enum err_code lower_einsum(struct lower *lower, struct err *err)
{
	const struct einsum_attrs *own = lower->attrs;
	const struct spelling_node *node = lower->node;
	struct equation e;
	char text[TEXT_MAX];

	if (node->n_in > 2 && node->n_out == 1 &&
	    read_equation(own->equation, node->n_in, &e) &&
	    print_chain(&e, text))
		return lower_text(lower, text, err);
	build_row(lower->build, op_find("", "Einsum"), lower->attrs, node->in,
		  node->n_in, node->out, node->n_out);
	return build_check(lower->build, err);
}

const struct spelling spellings_einsum[] = {
	{ .domain = "",
	  .name = "Einsum",
	  .from = 12,
	  .to = UINT16_MAX,
	  .lower = lower_einsum,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct einsum_attrs) },
	{ 0 },
};
