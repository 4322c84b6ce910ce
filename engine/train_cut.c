/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/train_cut.h"

#include <string.h>

#include "base/mem.h"
#include "engine/op.h"

/* What is known of each value. */
struct marks {
	const struct graph *base;
	const bool *frozen;
	bool *is_fixed;	  /* the same every time, for the same row */
	bool *is_data;	  /* depends on an input */
	bool *is_feature; /* fixed, of data, and read by what is not */
	bool has_body;	  /* a frozen parameter meets data */
	unsigned n_features;
};

/* Whether training gives what evaluation gives. */
static bool is_steady(const struct graph_node *node)
{
	return !(node->op->flags & (OP_IMPURE | OP_DYNAMIC)) &&
	       !node->op->evaluate && !node->n_body &&
	       strcmp(node->op->name, "Dropout") != 0;
}

static void mark_sources(struct marks *m)
{
	for (int32_t v = 0; v < m->base->n_value; v++) {
		const struct graph_value *value = &m->base->value[v];

		m->is_data[v] = value->origin == ORIGIN_INPUT;
		m->is_fixed[v] = value->origin == ORIGIN_INPUT ||
				 value->origin == ORIGIN_CONST ||
				 (value->origin == ORIGIN_VARIABLE &&
				  m->frozen[value->source]);
	}
}

static bool is_parameter(const struct graph *graph, int32_t value)
{
	const struct graph_value *row = &graph->value[value];

	return row->origin == ORIGIN_VARIABLE &&
	       graph->variable[row->source].role == ROLE_PARAM;
}

static void mark_node(struct marks *m, const struct graph_node *node)
{
	const int32_t *in = graph_in(m->base, node);
	const int32_t *out = graph_out(m->base, node);
	bool is_fixed = is_steady(node), is_data = false, has_param = false;

	for (int32_t j = 0; j < node->n_in; j++) {
		if (in[j] == VALUE_NONE)
			continue;
		is_fixed = is_fixed && m->is_fixed[in[j]];
		is_data = is_data || m->is_data[in[j]];
		has_param = has_param || is_parameter(m->base, in[j]);
	}
	m->has_body = m->has_body || (is_fixed && is_data && has_param);
	for (int32_t j = 0; j < node->n_out; j++) {
		if (out[j] == VALUE_NONE)
			continue;
		m->is_fixed[out[j]] = is_fixed;
		m->is_data[out[j]] = is_data;
	}
}

/* A fixed value of data that a node which is not fixed reads. */
static void find_features(struct marks *m)
{
	for (int32_t i = 0; i < m->base->n_node; i++) {
		const struct graph_node *node = &m->base->node[i];
		const int32_t *in = graph_in(m->base, node);
		const int32_t *out = graph_out(m->base, node);

		if (node->n_out < 1 || out[0] == VALUE_NONE ||
		    m->is_fixed[out[0]])
			continue;
		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t v = in[j];

			if (v == VALUE_NONE || m->is_feature[v] ||
			    m->base->value[v].origin != ORIGIN_NODE ||
			    !m->is_fixed[v] || !m->is_data[v])
				continue;
			m->is_feature[v] = true;
			m->n_features++;
		}
	}
}

/* Rows of floats can be kept; anything else stays where it is. */
static bool are_usable(const struct marks *m)
{
	if (!m->has_body || !m->n_features ||
	    m->n_features + (unsigned)m->base->n_input > CUT_MAX)
		return false;
	for (int32_t v = 0; v < m->base->n_value; v++)
		if (m->is_feature[v] &&
		    m->base->value[v].type.elem != DTYPE_F32)
			return false;
	for (int32_t i = 0; i < m->base->n_output; i++)
		if (m->is_fixed[m->base->output[i]])
			return false;
	return true;
}

static enum err_code make_body(const struct marks *m, struct train_cut *cut,
			       struct err *err)
{
	struct graph *body;
	enum err_code rc = graph_clone(m->base, &cut->body, err);

	body = cut->body;
	if (rc)
		return rc;
	body->n_output = 0;
	body->n_assign = 0;
	for (int32_t v = 0; v < m->base->n_value && !rc; v++)
		if (m->is_feature[v])
			rc = graph_add_output(body, v, err);
	return rc ? rc : graph_tidy(body, err);
}

/* Inputs of the base graph that nobody reads any more go. */
static void keep_inputs(struct graph *head, const int32_t *readers,
			struct train_cut *cut)
{
	const int32_t n = head->n_input - (int32_t)cut->n_features;
	int32_t list[CUT_MAX], n_list = 0;

	for (unsigned i = 0; i < cut->n_features; i++)
		list[n_list++] = head->input[n + (int32_t)i];
	for (int32_t i = 0; i < n; i++) {
		if (!readers[head->input[i]])
			continue;
		cut->kept[cut->n_kept++] = (unsigned)i;
		list[n_list++] = head->input[i];
	}
	memcpy(head->input, list, (size_t)n_list * sizeof(*list));
	head->n_input = n_list;
	for (int32_t i = 0; i < n_list; i++)
		head->value[list[i]].source = i;
}

static enum err_code make_head(const struct marks *m, struct train_cut *cut,
			       struct err *err)
{
	int32_t *readers;
	enum err_code rc = graph_clone(m->base, &cut->head, err);

	for (int32_t v = 0; v < m->base->n_value && !rc; v++) {
		int32_t input;

		if (!m->is_feature[v])
			continue;
		rc = graph_add_input(cut->head, m->base->value[v].name,
				     m->base->value[v].type, &input, err);
		if (!rc)
			graph_replace_uses(cut->head, v, input);
	}
	if (!rc)
		rc = graph_tidy(cut->head, err);
	if (rc)
		return rc;
	readers = mem_array((size_t)cut->head->n_value + 1, sizeof(*readers));
	if (!readers)
		return err_set(err, ERR_NO_MEMORY, "cut: out of memory");
	graph_count_readers(cut->head, readers);
	keep_inputs(cut->head, readers, cut);
	mem_free(readers);
	return ERR_NONE;
}

static enum err_code cut_marked(struct marks *m, struct train_cut *ret,
				struct err *err)
{
	struct train_cut cut = { 0 };
	enum err_code rc;

	mark_sources(m);
	for (int32_t i = 0; i < m->base->n_node; i++)
		mark_node(m, &m->base->node[i]);
	find_features(m);
	*ret = cut;
	if (!are_usable(m))
		return ERR_NONE;
	cut.n_features = m->n_features;
	rc = make_body(m, &cut, err);
	if (!rc)
		rc = make_head(m, &cut, err);
	if (rc)
		train_cut_finish(&cut);
	else
		*ret = cut;
	return rc;
}

enum err_code train_cut(const struct graph *base, const bool *frozen,
			struct train_cut *ret, struct err *err)
{
	const size_t n = (size_t)base->n_value + 1;
	struct marks m = { .base = base, .frozen = frozen };
	bool *block = mem_array(3 * n, sizeof(*block));
	enum err_code rc;

	if (!block)
		return err_set(err, ERR_NO_MEMORY, "cut: out of memory");
	m.is_fixed = block;
	m.is_data = block + n;
	m.is_feature = block + 2 * n;
	rc = cut_marked(&m, ret, err);
	mem_free(block);
	return rc;
}

void train_cut_finish(struct train_cut *cut)
{
	graph_destroy(cut->body);
	graph_destroy(cut->head);
	*cut = (struct train_cut){ 0 };
}
