/* SPDX-License-Identifier: Apache-2.0 */
#include "training/layer_groups.h"

#include "engine/op.h"

#include "base/str.h"
#include "engine/kernels/regex.h"

static size_t head_length(const char *name)
{
	return strcspn(name, "./");
}

/* The group of that beginning, a new one where there is none. */
static int32_t find(const struct graph *graph, const int32_t *first,
		    int32_t *n_groups, const char *name)
{
	size_t len = head_length(name);

	for (int32_t g = *n_groups; g-- > 0;) {
		const char *other = graph->variable[first[g]].name;

		if (head_length(other) == len && !strncmp(name, other, len))
			return g;
	}
	return (*n_groups)++;
}

enum err_code layer_groups_find(const struct graph *graph, struct arena *arena,
				struct layer_groups *ret, struct err *err)
{
	const size_t n = (size_t)graph->n_variable + 1;
	int32_t *of = arena_array(arena, n, sizeof(*of));
	/* a variable of each group */
	int32_t *first = arena_array(arena, n, sizeof(*first));
	struct layer_groups groups = { .of = of };

	if (!of || !first)
		return err_set(err, ERR_NO_MEMORY, "layers: out of memory");
	for (int32_t v = 0; v < graph->n_variable; v++) {
		int32_t before = groups.n;

		of[v] = find(graph, first, &groups.n, graph->variable[v].name);
		if (groups.n > before)
			first[of[v]] = v;
	}
	*ret = groups;
	return ERR_NONE;
}

static enum err_code add_pattern(const struct doc *doc, const char *where,
				 struct freeze_spec *freeze, struct err *err)
{
	struct regex *regex = NULL;
	struct str text;
	enum err_code rc;

	if (doc->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s.freeze: expected none, body, a number of "
			       "groups or patterns of names",
			       where);
	text = (struct str){ doc->text, strlen(doc->text) };
	rc = regex_create(&text, false, "freeze", &regex, err);
	regex_destroy(regex);
	freeze->pattern[freeze->n_patterns++] = doc->text;
	return rc;
}

enum err_code freeze_read(const struct doc *doc, const char *where,
			  struct freeze_spec *ret, struct arena *arena,
			  struct err *err)
{
	struct freeze_spec freeze = { .doc = doc };
	size_t n = doc && doc->kind == DOC_LIST ? doc->n : 1;
	enum err_code rc = ERR_NONE;

	freeze.pattern = arena_array(arena, n + 1, sizeof(*freeze.pattern));
	if (!freeze.pattern)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", where);
	if (!doc || doc->kind == DOC_NULL) {
		freeze.doc = NULL;
	} else if (doc->kind == DOC_INT) {
		freeze.n_groups = doc->integer;
		if (doc->integer < 0)
			rc = err_set(err, ERR_INVALID,
				     "%s.freeze: expected 0 groups or more, "
				     "got %lld",
				     where, (long long)doc->integer);
	} else if (doc->kind == DOC_STRING && str_equal(doc->text, "body")) {
		freeze.is_body = true;
	} else if (doc->kind == DOC_LIST) {
		for (const struct doc *at = doc->first; at && !rc;
		     at = at->next)
			rc = add_pattern(at, where, &freeze, err);
	} else if (doc->kind != DOC_STRING || !str_equal(doc->text, "none")) {
		rc = add_pattern(doc, where, &freeze, err);
	}
	if (!rc)
		*ret = freeze;
	return rc;
}

bool freeze_is_any(const struct freeze_spec *freeze)
{
	return freeze->is_body || freeze->n_groups > 0 || freeze->n_patterns;
}

static enum err_code apply_pattern(const char *pattern,
				   const struct graph *graph, bool *ret_frozen,
				   struct err *err)
{
	_Alignas(16) char scratch[REGEX_SCRATCH_BYTES];
	const struct str text = { pattern, strlen(pattern) };
	struct regex *regex = NULL;
	bool is_met = false;
	enum err_code rc = regex_create(&text, false, "freeze", &regex, err);

	for (int32_t v = 0; v < graph->n_variable && !rc; v++) {
		const char *name = graph->variable[v].name;
		const struct str whole = { name, strlen(name) };
		size_t first, last;
		enum regex_answer answer =
		    regex_find(regex, &whole, 0, scratch, &first, &last);

		if (answer == REGEX_TOO_HARD)
			rc = err_set(err, ERR_INVALID,
				     "freeze: the pattern '%s' is too hard",
				     pattern);
		if (answer != REGEX_YES)
			continue;
		ret_frozen[v] = true;
		is_met = true;
	}
	regex_destroy(regex);
	if (!rc && !is_met)
		rc = err_set(err, ERR_INVALID,
			     "freeze: no parameter matches '%s'; the first is "
			     "called '%s'",
			     pattern,
			     graph->n_variable ? graph->variable[0].name : "");
	return rc;
}

enum err_code freeze_apply(const struct freeze_spec *freeze,
			   const struct graph *graph,
			   const struct layer_groups *groups, bool *ret_frozen,
			   struct err *err)
{
	int64_t n = freeze->is_body ? groups->n - 1 : freeze->n_groups;
	bool is_left = false;
	enum err_code rc = ERR_NONE;

	for (int32_t v = 0; v < graph->n_variable; v++)
		ret_frozen[v] = groups->of[v] < n;
	for (size_t i = 0; i < freeze->n_patterns && !rc; i++)
		rc = apply_pattern(freeze->pattern[i], graph, ret_frozen, err);
	for (int32_t v = 0; v < graph->n_variable; v++)
		is_left = is_left || (graph->variable[v].role == ROLE_PARAM &&
				      !ret_frozen[v]);
	if (!rc && !is_left)
		rc = err_set(err, ERR_INVALID,
			     "freeze: no parameter is left to train");
	return rc;
}

void layer_plain_find(const struct graph *graph, bool biases, bool norms,
		      bool *ret_plain)
{
	for (int32_t v = 0; v < graph->n_variable; v++)
		ret_plain[v] =
		    biases && str_ends_with(graph->variable[v].name, "bias");
	for (int32_t n = 0; n < graph->n_node && norms; n++) {
		const struct graph_node *node = &graph->node[n];

		if (!node->op || !strstr(node->op->name, "Normalization"))
			continue;
		for (int32_t i = 1; i < node->n_in; i++) {
			const int32_t value = graph_in(graph, node)[i];

			if (value != VALUE_NONE &&
			    graph->value[value].origin == ORIGIN_VARIABLE)
				ret_plain[graph->value[value].source] = true;
		}
	}
}
