/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"
#include "models/onnx_function_priv.h"

static int compare_aliases(const void *left, const void *right)
{
	const struct onnx_alias *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->place > b->place) - (a->place < b->place);
}

static int compare_names(const void *left, const void *right)
{
	const struct onnx_alias *a = left, *b = right;

	return strcmp(a->name, b->name);
}

void onnx_scope_sort(struct onnx_scope *scope)
{
	if (scope->n_alias)
		qsort(scope->alias, (size_t)scope->n_alias,
		      sizeof(*scope->alias), compare_aliases);
}

int32_t onnx_scope_find(const struct onnx_scope *scope, const char *name)
{
	const struct onnx_alias key = { .name = name };
	const struct onnx_alias *found =
	    scope->n_alias ? bsearch(&key, scope->alias, (size_t)scope->n_alias,
				     sizeof(key), compare_names)
			   : NULL;

	return found ? (int32_t)(found - scope->alias) : -1;
}

/* "" stays "": an operand that is left out. */
static const char *prefixed(const struct onnx_reader *reader,
			    const struct onnx_scope *scope, const char *name)
{
	return scope && *name ? arena_printf(reader->scratch, "%s%s",
					     scope->home->prefix, name)
			      : name;
}

/* What a name was given as, in this scope or one around it up to the call's
 * own; NULL: it is an inner one. */
static const char *alias_of(const struct onnx_scope *scope, const char *name)
{
	for (; scope; scope = scope->around) {
		const int32_t i = onnx_scope_find(scope, name);

		if (i >= 0)
			return scope->alias[i].to;
		if (scope->function)
			break;
	}
	return NULL;
}

const char *onnx_scope_name(const struct onnx_reader *reader,
			    const struct onnx_scope *scope, const char *name)
{
	const char *to = *name ? alias_of(scope, name) : NULL;

	return to ? to : prefixed(reader, scope, name);
}

/* --- nodes --- */

static enum err_code rename_one(const struct onnx_reader *reader,
				const struct onnx_scope *scope,
				const char **name, struct err *err)
{
	*name = onnx_scope_name(reader, scope, *name);
	return *name ? ERR_NONE : onnx_no_memory(reader->name, err);
}

static enum err_code rename_all(const struct onnx_reader *reader,
				const struct onnx_scope *scope,
				const char ***list, int32_t n, struct err *err)
{
	const char **own =
	    arena_array(reader->scratch, (size_t)n + 1, sizeof(*own));
	enum err_code rc = ERR_NONE;

	if (!own)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < n && !rc; i++) {
		own[i] = (*list)[i];
		rc = rename_one(reader, scope, &own[i], err);
	}
	*list = own;
	return rc;
}

static const struct onnx_attr *find_attr(const struct onnx_attr *attr,
					 int32_t n, const char *name)
{
	for (int32_t i = 0; i < n; i++)
		if (!strcmp(attr[i].name, name))
			return &attr[i];
	return NULL;
}

/* What an attribute by reference stands for; false: nothing is given. */
static bool take_reference(const struct onnx_scope *call,
			   struct onnx_attr *attr)
{
	const struct onnx_function *function = call->function;
	const struct onnx_attr *given =
	    find_attr(call->call->attr, call->call->n_attr, attr->ref);
	const struct onnx_scope *scope = given ? given->scope : call;
	const char *name = attr->name;

	if (!given)
		given = find_attr(function->defaults, function->n_default,
				  attr->ref);
	if (!given)
		return false;
	*attr = *given;
	attr->name = name;
	attr->scope = scope;
	attr->is_given = true;
	return true;
}

static enum err_code settle_attrs(const struct onnx_reader *reader,
				  const struct onnx_scope *scope,
				  struct onnx_node *node, struct err *err)
{
	struct onnx_attr *own = arena_array(
	    reader->scratch, (size_t)node->n_attr + 1, sizeof(*own));
	int32_t n = 0;

	if (!own)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < node->n_attr; i++) {
		own[n] = node->attr[i];
		own[n].scope = scope;
		n += !own[n].ref || take_reference(scope->home, &own[n]);
	}
	node->attr = own;
	node->n_attr = n;
	return ERR_NONE;
}

enum err_code onnx_scope_node(const struct onnx_reader *reader,
			      const struct onnx_scope *scope,
			      struct onnx_node *node, struct err *err)
{
	enum err_code rc;

	if (!scope)
		return ERR_NONE;
	node->name = prefixed(reader, scope, node->name);
	if (!node->name)
		return onnx_no_memory(reader->name, err);
	rc = rename_all(reader, scope, &node->in, node->n_in, err);
	if (!rc)
		rc = rename_all(reader, scope, &node->out, node->n_out, err);
	return rc ? rc : settle_attrs(reader, scope, node, err);
}

/* --- bodies --- */

/* A body may define anew what is an input or output of the function. */
static enum err_code define(const struct onnx_reader *reader,
			    struct onnx_scope *scope, const char *name,
			    struct err *err)
{
	struct onnx_alias *alias = &scope->alias[scope->n_alias];

	if (!alias_of(scope->around, name))
		return ERR_NONE;
	alias->name = name;
	alias->to = prefixed(reader, scope, name);
	scope->n_alias++;
	return alias->to ? ERR_NONE : onnx_no_memory(reader->name, err);
}

static enum err_code define_all(const struct onnx_reader *reader,
				const struct onnx_file *body,
				struct onnx_scope *scope, struct err *err)
{
	size_t n = (size_t)body->n_input + (size_t)body->n_init;
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < body->n_node; i++)
		n += (size_t)body->node[i].n_out;
	scope->alias =
	    arena_array(reader->scratch, n + 1, sizeof(*scope->alias));
	if (!scope->alias)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < body->n_input && !rc; i++)
		rc = define(reader, scope, body->input[i].name, err);
	for (int32_t i = 0; i < body->n_init && !rc; i++)
		rc = define(reader, scope, body->init[i].name, err);
	for (int32_t i = 0; i < body->n_node && !rc; i++)
		for (int32_t j = 0; j < body->node[i].n_out && !rc; j++)
			rc = define(reader, scope, body->node[i].out[j], err);
	onnx_scope_sort(scope);
	return rc;
}

enum err_code onnx_scope_body(const struct onnx_reader *reader,
			      const struct onnx_scope *around,
			      struct onnx_file *body,
			      const struct onnx_scope **ret, struct err *err)
{
	struct onnx_scope *scope;
	enum err_code rc;

	*ret = NULL;
	if (!around)
		return ERR_NONE;
	scope = arena_alloc(reader->scratch, sizeof(*scope));
	if (!scope)
		return onnx_no_memory(reader->name, err);
	scope->around = around;
	scope->home = around->home;
	scope->depth = around->depth;
	rc = define_all(reader, body, scope, err);
	for (int32_t i = 0; i < body->n_input && !rc; i++)
		rc = rename_one(reader, scope, &body->input[i].name, err);
	for (int32_t i = 0; i < body->n_init && !rc; i++)
		rc = rename_one(reader, scope, &body->init[i].name, err);
	for (int32_t i = 0; i < body->n_output && !rc; i++)
		rc = rename_one(reader, scope, &body->output[i].name, err);
	*ret = scope;
	return rc;
}
