/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_write_priv.h"

/* One name that is wanted. Pinned ones are the signature's. */
struct wish {
	const char *name;
	int32_t id; /* the value, or n_value + number of the output */
	bool pinned;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "onnx: out of memory");
}

static int compare_wishes(const void *left, const void *right)
{
	const struct wish *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	if (a->pinned != b->pinned)
		return a->pinned ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static bool is_wished(const struct wish *wish, size_t n, const char *name)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, wish[middle].name);

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* name_ID: numbers differ, so two made names never meet; underscores follow
 * while somebody else asked for the very same. */
static const char *make_name(const struct wish *wish, size_t n, size_t i,
			     struct arena *arena)
{
	const char *base = *wish[i].name ? wish[i].name : "v";
	char *name = arena_printf(arena, "%s_%d", base, (int)wish[i].id);

	while (name && is_wished(wish, n, name))
		name = arena_printf(arena, "%s_", name);
	return name;
}

/* An output may take the signature's name for its value only when a node makes
 * it and no other output is that value. */
static void choose_identities(const struct graph *graph, const char **pin,
			      const struct model_signature *sig, bool *identity)
{
	for (int32_t i = 0; i < graph->n_input; i++)
		pin[graph->input[i]] = sig->input[i].name;
	for (int32_t i = 0; i < graph->n_output; i++) {
		int32_t value = graph->output[i];

		identity[i] =
		    graph->value[value].origin != ORIGIN_NODE || pin[value];
		if (!identity[i])
			pin[value] = sig->output[i].name;
	}
}

static enum err_code grant(struct wish *wish, size_t n, int32_t n_value,
			   struct arena *arena, const char **value,
			   struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		bool taken = i && !strcmp(wish[i].name, wish[i - 1].name);
		const char *name = wish[i].name;

		if (taken && wish[i].pinned)
			return err_set(err, ERR_INVALID,
				       "onnx: two inputs or outputs have the "
				       "name '%s'",
				       name);
		if (taken || !*name)
			name = make_name(wish, n, i, arena);
		if (!name)
			return no_memory(err);
		if (wish[i].id < n_value)
			value[wish[i].id] = name;
	}
	return ERR_NONE;
}

static enum err_code check_ports(const struct graph *graph,
				 const struct model_signature *sig,
				 struct err *err)
{
	if ((int64_t)sig->n_inputs != graph->n_input ||
	    (int64_t)sig->n_outputs != graph->n_output)
		return err_set(err, ERR_INTERNAL,
			       "onnx: the signature has %u inputs and %u "
			       "outputs, the graph %d and %d",
			       sig->n_inputs, sig->n_outputs, graph->n_input,
			       graph->n_output);
	return ERR_NONE;
}

enum err_code onnx_choose_names(const struct graph *graph,
				const struct model_signature *sig,
				struct arena *arena,
				struct onnx_writer_names *ret, struct err *err)
{
	size_t n_value = (size_t)graph->n_value, n = n_value;
	size_t n_output = (size_t)graph->n_output;
	struct onnx_writer_names names;
	const char **pin;
	struct wish *wish;
	enum err_code rc = check_ports(graph, sig, err);

	if (rc)
		return rc;
	names.value = arena_array(arena, n_value + 1, sizeof(char *));
	names.identity = arena_array(arena, n_output + 1, sizeof(bool));
	pin = arena_array(arena, n_value + 1, sizeof(char *));
	wish = arena_array(arena, n_value + n_output + 1, sizeof(*wish));
	if (!names.value || !names.identity || !pin || !wish)
		return no_memory(err);
	choose_identities(graph, pin, sig, names.identity);
	for (size_t i = 0; i < n_value; i++)
		wish[i] = (struct wish){ pin[i] ? pin[i] : graph->value[i].name,
					 (int32_t)i, pin[i] != NULL };
	for (size_t i = 0; i < n_output; i++) {
		if (names.identity[i])
			wish[n++] =
			    (struct wish){ sig->output[i].name,
					   (int32_t)(n_value + i), true };
	}
	qsort(wish, n, sizeof(*wish), compare_wishes);
	rc = grant(wish, n, (int32_t)n_value, arena, names.value, err);
	if (!rc)
		*ret = names;
	return rc;
}
