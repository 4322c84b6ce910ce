/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"

const char *onnx_node_name(const struct onnx_node *node)
{
	if (*node->name)
		return node->name;
	return node->n_out ? node->out[0] : "";
}

/* --- definitions --- */

static int compare_defs(const void *left, const void *right)
{
	const struct onnx_def *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void add_def(struct onnx_names *names, const char *name,
		    enum onnx_def_kind kind, int32_t index)
{
	names->def[names->n++] =
	    (struct onnx_def){ name, kind, index, VALUE_NONE, false };
}

static void gather_defs(const struct onnx_file *file, struct onnx_names *names)
{
	for (int32_t i = 0; i < file->n_input; i++)
		if (*file->input[i].name)
			add_def(names, file->input[i].name, ONNX_DEF_INPUT, i);
	for (int32_t i = 0; i < file->n_init; i++)
		add_def(names, file->init[i].name, ONNX_DEF_INIT, i);
	for (int32_t i = 0; i < file->n_node; i++) {
		const struct onnx_node *node = &file->node[i];

		for (int32_t j = 0; j < node->n_out; j++) {
			if (*node->out[j])
				add_def(names, node->out[j], ONNX_DEF_NODE, i);
		}
	}
}

/* Sorted names: neighbours tell of duplicates. Before IR version 4 every
 * initializer had to be an input too. */
static enum err_code refuse_duplicates(const struct onnx_reader *reader,
				       struct onnx_names *names,
				       struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		struct onnx_def *last = n ? &names->def[n - 1] : NULL;
		const struct onnx_def *here = &names->def[i];

		if (!last || strcmp(last->name, here->name) != 0) {
			names->def[n++] = *here;
			continue;
		}
		if (last->kind != ONNX_DEF_INPUT || here->kind != ONNX_DEF_INIT)
			return err_set(err, ERR_FORMAT,
				       "%s: the name '%s' is defined twice",
				       reader->name, here->name);
		*last = *here;
	}
	names->n = n;
	return ERR_NONE;
}

struct onnx_def *onnx_find_name(const struct onnx_names *names,
				const char *name)
{
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, names->def[middle].name);

		if (!order)
			return &names->def[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static enum err_code resolve_inputs(const struct onnx_reader *reader,
				    struct onnx_node *node,
				    const struct onnx_names *names,
				    struct err *err)
{
	node->def = arena_array(reader->scratch, (size_t)node->n_in + 1,
				sizeof(struct onnx_def *));
	if (!node->def)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < node->n_in; i++) {
		if (!*node->in[i])
			continue;
		node->def[i] = onnx_find_name(names, node->in[i]);
		if (!node->def[i])
			return err_set(err, ERR_FORMAT,
				       "%s: node '%s' (%s) reads '%s', which "
				       "nothing defines",
				       reader->name, onnx_node_name(node),
				       node->op, node->in[i]);
	}
	return ERR_NONE;
}

enum err_code onnx_resolve_names(const struct onnx_reader *reader,
				 struct onnx_file *file, struct onnx_names *ret,
				 struct err *err)
{
	struct onnx_names names = { 0 };
	size_t n = (size_t)file->n_input + (size_t)file->n_init;
	enum err_code rc;

	for (int32_t i = 0; i < file->n_node; i++)
		n += (size_t)file->node[i].n_out;
	names.def = arena_array(reader->scratch, n + 1, sizeof(*names.def));
	if (!names.def)
		return onnx_no_memory(reader->name, err);
	gather_defs(file, &names);
	qsort(names.def, names.n, sizeof(*names.def), compare_defs);
	rc = refuse_duplicates(reader, &names, err);
	for (int32_t i = 0; i < file->n_node && !rc; i++)
		rc = onnx_name_target(reader, &file->node[i], err);
	for (int32_t i = 0; i < file->n_node && !rc; i++)
		rc = resolve_inputs(reader, &file->node[i], &names, err);
	if (!rc)
		*ret = names;
	return rc;
}

/* --- order --- */

/* Kahn's algorithm over the edges producer to reader, first come first. */
struct sorter {
	int32_t *first; /* [n_node + 1]: where the readers of a node begin */
	int32_t *reader;
	int32_t *waits; /* [n_node]: producers that have not come yet */
	int32_t *order;
};

static bool is_edge(const struct onnx_node *node, int32_t i)
{
	return node->def[i] && node->def[i]->kind == ONNX_DEF_NODE;
}

static bool is_sorted(const struct onnx_file *file)
{
	for (int32_t i = 0; i < file->n_node; i++) {
		const struct onnx_node *node = &file->node[i];

		for (int32_t j = 0; j < node->n_in; j++) {
			if (is_edge(node, j) && node->def[j]->index >= i)
				return false;
		}
	}
	return true;
}

static void link_readers(const struct onnx_file *file, struct sorter *s)
{
	for (int32_t i = 0; i < file->n_node; i++) {
		for (int32_t j = 0; j < file->node[i].n_in; j++) {
			if (is_edge(&file->node[i], j)) {
				s->first[file->node[i].def[j]->index + 1]++;
				s->waits[i]++;
			}
		}
	}
	for (int32_t i = 0; i < file->n_node; i++)
		s->first[i + 1] += s->first[i];
	/* filled from the back, so that readers end up in their old order */
	for (int32_t i = file->n_node; i-- > 0;) {
		for (int32_t j = file->node[i].n_in; j-- > 0;) {
			if (is_edge(&file->node[i], j)) {
				int32_t from = file->node[i].def[j]->index;

				s->reader[--s->first[from + 1]] = i;
			}
		}
	}
}

static int32_t run_sorter(const struct onnx_file *file, struct sorter *s,
			  int32_t n_edge)
{
	int32_t n = 0;

	for (int32_t i = 0; i < file->n_node; i++) {
		if (!s->waits[i])
			s->order[n++] = i;
	}
	for (int32_t at = 0; at < n; at++) {
		int32_t node = s->order[at];
		int32_t end =
		    node + 1 < file->n_node ? s->first[node + 2] : n_edge;

		for (int32_t e = s->first[node + 1]; e < end; e++) {
			if (!--s->waits[s->reader[e]])
				s->order[n++] = s->reader[e];
		}
	}
	return n;
}

static const char *first_waiting(const struct onnx_file *file,
				 const struct sorter *s)
{
	for (int32_t i = 0; i < file->n_node; i++) {
		if (s->waits[i])
			return onnx_node_name(&file->node[i]);
	}
	return "";
}

enum err_code onnx_sort_nodes(const struct onnx_reader *reader,
			      const struct onnx_file *file, int32_t **ret_order,
			      struct err *err)
{
	struct sorter s;
	size_t n = (size_t)file->n_node, n_edge = 0;

	for (size_t i = 0; i < n; i++)
		n_edge += (size_t)file->node[i].n_in;
	if (n_edge > INT32_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: too many operands",
			       reader->name);
	s.order = arena_array(reader->scratch, n + 1, sizeof(int32_t));
	s.first = arena_array(reader->scratch, n + 2, sizeof(int32_t));
	s.waits = arena_array(reader->scratch, n + 1, sizeof(int32_t));
	s.reader = arena_array(reader->scratch, n_edge + 1, sizeof(int32_t));
	if (!s.order || !s.first || !s.waits || !s.reader)
		return onnx_no_memory(reader->name, err);
	*ret_order = s.order;
	if (is_sorted(file)) {
		for (int32_t i = 0; i < file->n_node; i++)
			s.order[i] = i;
		return ERR_NONE;
	}
	n_edge = 0;
	for (size_t i = 0; i < n; i++) {
		for (int32_t j = 0; j < file->node[i].n_in; j++)
			n_edge += is_edge(&file->node[i], j);
	}
	link_readers(file, &s);
	if (run_sorter(file, &s, (int32_t)n_edge) != file->n_node)
		return err_set(err, ERR_FORMAT,
			       "%s: node '%s' reads, by way of others, what it "
			       "makes itself",
			       reader->name, first_waiting(file, &s));
	return ERR_NONE;
}
