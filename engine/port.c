/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/port.h"

#include <stdio.h>
#include <string.h>

#include "engine/attr.h"

enum { LETTERS_MAX = 8, WORD_MAX = 32, TYPE_TEXT_MAX = 64 };

/* "T:float,double" cut into letter and list; either may be empty. */
struct pattern {
	char letter[WORD_MAX];
	char other[WORD_MAX]; /* of "S|T": T */
	const char *attr; /* "to" of "@to", "a@b" of "@a@b"; length 0: none */
	size_t attr_len;
	const char *list; /* comma-separated, to the end; "" when bare */
	size_t list_len;
	bool is_sequence, is_optional;
};

struct binding {
	char letter[WORD_MAX];
	struct type type;
};

struct unify {
	const struct op *op;
	const struct graph_node *node;
	const char *node_name;
	struct binding bound[LETTERS_MAX];
	unsigned n_bound;
};

static bool is_letter(const char *text)
{
	return *text >= 'A' && *text <= 'Z';
}

static void copy_word(char word[WORD_MAX], const char *from, size_t len)
{
	(void)snprintf(word, WORD_MAX, "%.*s", (int)len, from);
}

static bool skip(const char **text, size_t *len, const char *prefix)
{
	size_t n = strlen(prefix);

	if (*len < n || strncmp(*text, prefix, n) != 0)
		return false;
	*text += n;
	*len -= n;
	return true;
}

static struct pattern pattern_read(const char *text)
{
	struct pattern pattern = { .list = "" };
	size_t len = strlen(text);
	const char *colon;
	size_t word;

	if (skip(&text, &len, "optional(")) {
		pattern.is_optional = true;
		len--;
	}
	if (skip(&text, &len, "seq(")) {
		pattern.is_sequence = true;
		len--;
	}
	colon = memchr(text, ':', len);
	word = colon ? (size_t)(colon - text) : len;
	if (*text == '@') {
		pattern.attr = text + 1;
		pattern.attr_len = word - 1;
		text = colon ? colon + 1 : text + len;
		len -= colon ? word + 1 : len;
		colon = memchr(text, ':', len);
		word = colon ? (size_t)(colon - text) : len;
	}
	if (len == 3 && is_letter(text) && text[1] == '|') {
		copy_word(pattern.other, text + 2, 1);
		word = len = 1;
	}
	if (len && is_letter(text)) {
		copy_word(pattern.letter, text, word);
		text += colon ? word + 1 : len;
		len -= colon ? word + 1 : len;
	}
	pattern.list = text;
	pattern.list_len = len;
	return pattern;
}

static bool is_wide_int(enum dtype elem)
{
	return dtype_is_integer(elem) && dtype_info(elem)->file_bits >= 8;
}

static bool is_common_float(enum dtype elem)
{
	return elem == DTYPE_F32 || elem == DTYPE_F64 || elem == DTYPE_F16 ||
	       elem == DTYPE_BF16;
}

static bool is_any_float(enum dtype elem)
{
	return is_common_float(elem) ||
	       (elem >= DTYPE_F8E4M3FN && elem <= DTYPE_F8E5M2FNUZ);
}

static bool word_takes(const char *word, enum dtype elem)
{
	if (!strcmp(word, "any") || !strcmp(word, "all"))
		return true;
	if (!strcmp(word, "arith"))
		return is_wide_int(elem) || is_common_float(elem);
	if (!strcmp(word, "floats"))
		return is_any_float(elem);
	if (!strcmp(word, "ints"))
		return is_wide_int(elem);
	return dtype_find(word) == elem;
}

/* The next word of a list, or false at its end. */
static bool next_word(const char **list, size_t *len, char word[WORD_MAX])
{
	const char *comma;
	size_t n;

	if (!*len)
		return false;
	comma = memchr(*list, ',', *len);
	n = comma ? (size_t)(comma - *list) : *len;
	copy_word(word, *list, n);
	*list += comma ? n + 1 : n;
	*len -= comma ? n + 1 : n;
	return true;
}

static bool list_takes(const struct pattern *pattern, enum dtype elem)
{
	const char *list = pattern->list;
	size_t len = pattern->list_len;
	char word[WORD_MAX];

	while (next_word(&list, &len, word))
		if (word_takes(word, elem))
			return true;
	return false;
}

static bool takes_all(const struct pattern *pattern)
{
	return pattern->list_len == 3 && !strncmp(pattern->list, "all", 3);
}

/* The pattern that gives a bare letter its list; false: there is none. */
static bool find_definition(const struct op *op, const char *letter,
			    struct pattern *ret)
{
	const struct port *lists[] = { op->in, op->out };

	for (int i = 0; i < 2; i++)
		for (const struct port *p = lists[i]; p && p->name; p++) {
			*ret = pattern_read(p->types);
			if (ret->list_len && !strcmp(ret->letter, letter))
				return true;
		}
	return false;
}

/* A port's pattern with the list of its letter filled in. */
static struct pattern port_pattern(const struct op *op, const struct port *port)
{
	struct pattern pattern = pattern_read(port->types), found;

	if (!pattern.list_len && pattern.letter[0] &&
	    find_definition(op, pattern.letter, &found)) {
		pattern.list = found.list;
		pattern.list_len = found.list_len;
	}
	return pattern;
}

void port_counts(const struct port *ports, int32_t *ret_min, int32_t *ret_max)
{
	*ret_min = 0;
	*ret_max = 0;
	for (const struct port *p = ports; p && p->name; p++) {
		++*ret_max;
		if (!(p->flags & PORT_OPTIONAL))
			*ret_min = *ret_max;
		if (p->flags & PORT_VARIADIC)
			*ret_max = INT32_MAX;
	}
}

const struct port *port_at(const struct port *ports, int32_t i)
{
	for (const struct port *p = ports; p && p->name; p++, i--)
		if (i <= 0 || (p->flags & PORT_VARIADIC))
			return p;
	return NULL;
}

bool port_accepts(const struct op *op, const struct port *port, enum dtype elem)
{
	struct pattern pattern = port_pattern(op, port);

	return list_takes(&pattern, elem);
}

static bool same_type(struct type a, struct type b)
{
	return a.elem == b.elem && a.is_sequence == b.is_sequence &&
	       a.is_optional == b.is_optional;
}

static const char *type_text(struct type type, char text[TYPE_TEXT_MAX])
{
	(void)snprintf(text, TYPE_TEXT_MAX, "%s%s%s%s%s",
		       type.is_optional ? "optional(" : "",
		       type.is_sequence ? "seq(" : "",
		       dtype_info(type.elem)->name, type.is_sequence ? ")" : "",
		       type.is_optional ? ")" : "");
	return text;
}

static struct binding *find_bound(struct unify *unify, const char *letter)
{
	for (unsigned i = 0; i < unify->n_bound; i++)
		if (!strcmp(unify->bound[i].letter, letter))
			return &unify->bound[i];
	return NULL;
}

static enum err_code refuse(const struct unify *unify, const struct port *port,
			    const struct pattern *pattern, struct type type,
			    struct err *err)
{
	char text[TYPE_TEXT_MAX];

	return err_set(err, ERR_INVALID,
		       "node '%s' (%s): '%s' must be %s%.*s%s, but is %s",
		       unify->node_name, unify->op->name, port->name,
		       pattern->is_sequence ? "a sequence of " : "",
		       (int)pattern->list_len, pattern->list,
		       pattern->is_optional ? " (optional)" : "",
		       type_text(type, text));
}

/* Takes a letter's first type, or wants the same again. */
static enum err_code bind(struct unify *unify, const struct port *port,
			  const char *letter, struct type type, struct err *err)
{
	struct binding *bound = find_bound(unify, letter);
	char came[TYPE_TEXT_MAX], before[TYPE_TEXT_MAX];

	if (bound && same_type(bound->type, type))
		return ERR_NONE;
	if (bound)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): '%s' must be %s like the "
			       "operands before it, but is %s",
			       unify->node_name, unify->op->name, port->name,
			       type_text(bound->type, before),
			       type_text(type, came));
	if (unify->n_bound == LETTERS_MAX)
		return err_set(err, ERR_INTERNAL, "%s: more than %d letters",
			       unify->op->name, LETTERS_MAX);
	bound = &unify->bound[unify->n_bound++];
	copy_word(bound->letter, letter, strlen(letter));
	bound->type = type;
	return ERR_NONE;
}

static enum err_code check_input(struct unify *unify, const struct port *port,
				 struct type type, struct err *err)
{
	struct pattern pattern = port_pattern(unify->op, port);
	bool all = takes_all(&pattern);

	if (!all && (type.is_sequence != pattern.is_sequence ||
		     type.is_optional != pattern.is_optional ||
		     !list_takes(&pattern, type.elem)))
		return refuse(unify, port, &pattern, type, err);
	if (!pattern.letter[0])
		return ERR_NONE;
	if (!all)
		type = (struct type){ .elem = type.elem };
	return bind(unify, port, pattern.letter, type, err);
}

static enum err_code check_inputs(struct unify *unify, const struct type *in,
				  unsigned n_in, struct err *err)
{
	int32_t min, max;
	enum err_code rc = ERR_NONE;

	port_counts(unify->op->in, &min, &max);
	if ((int64_t)n_in > max)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s) has %u inputs; at most %d are "
			       "allowed",
			       unify->node_name, unify->op->name, n_in,
			       (int)max);
	for (int32_t i = 0; (i < (int32_t)n_in || i < min) && !rc; i++) {
		const struct port *port = port_at(unify->op->in, i);

		if (!port)
			break;
		if (i < (int32_t)n_in && in[i].elem != DTYPE_NONE)
			rc = check_input(unify, port, in[i], err);
		else if (!(port->flags & PORT_OPTIONAL))
			rc = err_set(err, ERR_INVALID,
				     "node '%s' (%s): input '%s' is missing",
				     unify->node_name, unify->op->name,
				     port->name);
	}
	return rc;
}

/* The type that the attribute of "@name" gives; NONE when it gives none. */
static enum dtype attr_dtype(const struct unify *unify, const char *name)
{
	const struct op_attr *row = op_attr_find(unify->op->attrs, name);
	struct attr_value value;

	if (!row || !unify->node->attrs ||
	    !op_attr_get(row, unify->node->attrs, &value))
		return DTYPE_NONE;
	switch (row->kind) {
	case ATTR_TENSOR:
		return value.t->dtype;
	case ATTR_STRINGS:
		return value.strings.n ? DTYPE_STRING : DTYPE_NONE;
	case ATTR_INTS:
		return value.ints.n ? DTYPE_I64 : DTYPE_NONE;
	case ATTR_FLOATS:
		return value.floats.n ? DTYPE_F32 : DTYPE_NONE;
	case ATTR_INT:
		return value.i > 0 && value.i < DTYPE_COUNT
			   ? (enum dtype)value.i
			   : DTYPE_NONE;
	default:
		return DTYPE_NONE;
	}
}

/* The next name of "@a@b", or false at its end. */
static bool next_attr(struct pattern *pattern, char word[WORD_MAX])
{
	const char *end = pattern->attr_len
			      ? memchr(pattern->attr, '@', pattern->attr_len)
			      : NULL;
	const size_t n =
	    end ? (size_t)(end - pattern->attr) : pattern->attr_len;

	if (!pattern->attr_len)
		return false;
	copy_word(word, pattern->attr, n);
	pattern->attr += end ? n + 1 : n;
	pattern->attr_len -= end ? n + 1 : n;
	return true;
}

static enum err_code set_output(struct unify *unify, const struct port *port,
				struct type *out, struct err *err)
{
	struct pattern pattern = port_pattern(unify->op, port);
	const struct binding *bound = find_bound(unify, pattern.letter);
	char word[WORD_MAX];

	if (!bound && pattern.other[0])
		bound = find_bound(unify, pattern.other);
	*out = (struct type){ 0 };
	while (out->elem == DTYPE_NONE && next_attr(&pattern, word))
		out->elem = attr_dtype(unify, word);
	if (out->elem == DTYPE_NONE && pattern.letter[0] && bound)
		*out = bound->type;
	else if (out->elem == DTYPE_NONE && pattern.list_len) {
		next_word(&pattern.list, &pattern.list_len, word);
		if (!pattern.list_len)
			out->elem = dtype_find(word);
	}
	if (out->elem == DTYPE_NONE)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s): the type of output '%s' is not "
			       "given",
			       unify->node_name, unify->op->name, port->name);
	out->is_sequence |= pattern.is_sequence;
	out->is_optional |= pattern.is_optional;
	return ERR_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): a node has that many parts */
enum err_code port_unify(const struct op *op, const struct graph_node *node,
			 const struct type *in, unsigned n_in, struct type *out,
			 unsigned n_out, const char *node_name, struct err *err)
{
	struct unify unify = { .op = op, .node = node, .node_name = node_name };
	enum err_code rc = check_inputs(&unify, in, n_in, err);
	int32_t min, max;

	if (rc)
		return rc;
	port_counts(op->out, &min, &max);
	if ((int64_t)n_out < min || (int64_t)n_out > max)
		return err_set(err, ERR_INVALID,
			       "node '%s' (%s) has %u outputs; it makes %d to "
			       "%d",
			       node_name, op->name, n_out, (int)min, (int)max);
	if (op->type) {
		rc = op->type(node, in, out, n_out, err);
		return rc ? err_prefix(err, "node '%s' (%s)", node_name,
				       op->name)
			  : ERR_NONE;
	}
	for (unsigned i = 0; i < n_out && !rc; i++) {
		const struct port *port = port_at(op->out, (int32_t)i);

		if (port)
			rc = set_output(&unify, port, &out[i], err);
	}
	return rc;
}

/* ---- rows ---------------------------------------------------------------- */

static bool is_group(const char *word)
{
	return !strcmp(word, "any") || !strcmp(word, "all") ||
	       !strcmp(word, "arith") || !strcmp(word, "floats") ||
	       !strcmp(word, "ints");
}

static enum err_code check_row_port(const struct op *op,
				    const struct port *port, struct err *err)
{
	struct pattern pattern = port_pattern(op, port);
	char word[WORD_MAX];

	if (!pattern.list_len && !pattern.attr_len)
		return err_set(err, ERR_INVALID, "%s: '%s' has no types",
			       op->name, port->name);
	while (next_attr(&pattern, word))
		if (!op_attr_find(op->attrs, word))
			return err_set(err, ERR_INVALID,
				       "%s: no attribute '%s'", op->name, word);
	while (next_word(&pattern.list, &pattern.list_len, word))
		if (!is_group(word) && dtype_find(word) == DTYPE_NONE)
			return err_set(err, ERR_INVALID,
				       "%s: '%s' has the unknown type '%s'",
				       op->name, port->name, word);
	if ((port->flags & PORT_VARIADIC) && port[1].name)
		return err_set(err, ERR_INVALID,
			       "%s: '%s' is variadic, but not the last",
			       op->name, port->name);
	return ERR_NONE;
}

enum err_code port_check_row(const struct op *op, struct err *err)
{
	const struct port *lists[] = { op->in, op->out };
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < 2; i++)
		for (const struct port *p = lists[i]; p && p->name && !rc; p++)
			rc = check_row_port(op, p, err);
	return rc;
}
