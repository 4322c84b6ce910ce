/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rules that are graph text: ports and gradients by name.
 */
#include "engine/autodiff_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAMES = 64, NAME_CAP = 48, TEXT_CAP = 4096 };

struct names {
	struct build_name bound[MAX_NAMES];
	char text[MAX_NAMES][NAME_CAP]; /* of those made here */
	size_t n;
};

static void add(struct names *names, const char *prefix, const char *name,
		int32_t value)
{
	char *text = names->text[names->n];

	snprintf(text, NAME_CAP, "%s%s", prefix, name);
	names->bound[names->n++] = (struct build_name){ text, value };
}

/* Ports by their names, and "d" + output. */
static enum err_code bind_names(const struct vjp *vjp, struct names *names,
				struct err *err)
{
	const struct op *op = vjp->node->op;
	const int32_t n_in = vjp->node->n_in, n_out = vjp->node->n_out;
	int32_t i;

	names->n = 0;
	for (i = 0; op->in[i].name; i++)
		if (i < MAX_NAMES / 3)
			add(names, "", op->in[i].name,
			    i < n_in ? vjp->in[i] : VALUE_NONE);
	if (n_in > i || i > MAX_NAMES / 3)
		return err_set(err, ERR_INTERNAL,
			       "text cannot name its %d inputs", (int)n_in);
	for (i = 0; i < MAX_NAMES / 3 && op->out[i].name; i++) {
		add(names, "", op->out[i].name,
		    i < n_out ? vjp->out[i] : VALUE_NONE);
		add(names, "d", op->out[i].name,
		    i < n_out ? vjp->grad_out[i] : VALUE_NONE);
	}
	return ERR_NONE;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* How often a name stands in a text, as a word. */
static unsigned occurrences(const char *text, const char *name)
{
	const size_t len = strlen(name);
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, name)); at += len)
		if (!is_word(at[len]) && (at == text || !is_word(at[-1])))
			n++;
	return n;
}

/* True when the statement [at, end) only defines the gradient of an input
 * that nobody wants. */
static bool is_idle(const struct vjp *vjp, const char *at, const char *end)
{
	const struct op *op = vjp->node->op;
	char name[NAME_CAP];
	const char *after;
	size_t len = 0;

	while (at < end && isspace((unsigned char)*at))
		at++;
	while (at + len < end && is_word(at[len]))
		len++;
	after = at + len;
	while (after < end && isspace((unsigned char)*after))
		after++;
	if (after == end || *after != '=')
		return false;
	for (int32_t i = 0; op->in[i].name; i++) {
		if (i < vjp->node->n_in && vjp->wanted[i])
			continue;
		snprintf(name, sizeof(name), "d%s", op->in[i].name);
		if (strlen(name) == len && memcmp(at, name, len) == 0)
			return occurrences(op->grad, name) == 1;
	}
	return false;
}

/* The statements of a rule that somebody wants. */
static enum err_code select_text(const struct vjp *vjp, char *text,
				 struct err *err)
{
	const char *at = vjp->node->op->grad;
	size_t n = 0;

	if (strlen(at) >= TEXT_CAP)
		return err_set(err, ERR_INTERNAL, "the rule is too long");
	while (*at) {
		const char *end = strchr(at, ';');
		const char *next = end ? end + 1 : at + strlen(at);

		if (!is_idle(vjp, at, next)) {
			memcpy(text + n, at, (size_t)(next - at));
			n += (size_t)(next - at);
		}
		at = next;
	}
	text[n] = '\0';
	return ERR_NONE;
}

enum err_code autodiff_text_rule(struct vjp *vjp, struct err *err)
{
	const struct op *op = vjp->node->op;
	char text[TEXT_CAP];
	struct names names, want = { .n = 0 };
	enum err_code rc = bind_names(vjp, &names, err);

	if (!rc)
		rc = select_text(vjp, text, err);
	if (rc)
		return rc;
	for (int32_t i = 0; i < vjp->node->n_in; i++)
		add(&want, "d", op->in[i].name, VALUE_NONE);
	build_text(vjp->build, text, names.bound, names.n, vjp->node,
		   want.bound, want.n);
	for (int32_t i = 0; i < vjp->node->n_in; i++)
		vjp->grad_in[i] = want.bound[i].value;
	return build_check(vjp->build, err);
}

enum err_code autodiff_append_body(struct vjp *vjp, int32_t *out,
				   struct err *err)
{
	const struct op *op = vjp->node->op;
	struct names names, want = { .n = 0 };
	enum err_code rc = bind_names(vjp, &names, err);

	if (rc)
		return rc;
	/* inputs alone: the body defines the outputs' names */
	names.n = 0;
	while (op->in[names.n].name)
		names.n++;
	for (int32_t i = 0; i < vjp->node->n_out; i++)
		add(&want, "", op->out[i].name, VALUE_NONE);
	build_text(vjp->build, op->body, names.bound, names.n, vjp->node,
		   want.bound, want.n);
	for (int32_t i = 0; i < vjp->node->n_out; i++)
		out[i] = want.bound[i].value;
	return build_check(vjp->build, err);
}
