/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Constants after passes over the graph: what the passes made is kept as what
 * the file had is, so that models share it, and what nobody reads any more is
 * let go.
 */
#include "base/mem.h"
#include "engine/pack.h"
#include "models/package_priv.h"

/* Smaller ones are not worth it. */
enum { LARGE = 64 << 10 };

static size_t bytes_of(const struct tensor_view *view)
{
	return view->data && view->dtype != DTYPE_STRING
		   ? tensor_bytes(view->dtype, &view->shape)
		   : 0;
}

/* Bodies may have the same bytes without a word about it. */
static bool has_bodies(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].n_body)
			return true;
	return false;
}

/* Does another constant have some of these bytes? */
static bool is_shared(const struct graph *graph, int32_t constant,
		      const void *data, size_t bytes)
{
	const uintptr_t first = (uintptr_t)data;

	for (int32_t i = 0; i < graph->n_constant; i++) {
		const struct tensor_view *other = &graph->constant[i];
		const uintptr_t at = (uintptr_t)other->data;

		if (i != constant && at < first + bytes &&
		    first < at + bytes_of(other))
			return true;
	}
	return false;
}

static enum err_code keep(struct package *package, int32_t constant,
			  struct err *err)
{
	struct graph *graph = package->graph;
	struct tensor_view *view = &graph->constant[constant];
	const size_t bytes = bytes_of(view);
	union {
		const void *kept;
		void *data; /* a view has no const in its type */
	} same;
	void *made = view->data;
	enum err_code rc;

	if (bytes < LARGE || packs_has(package->packs, made) ||
	    is_shared(graph, constant, made, bytes))
		return ERR_NONE;
	rc = packs_keep(package->packs, made, bytes, &same.kept, err);
	if (rc)
		return rc;
	view->data = same.data;
	/* where it was no block of the arena it stays */
	(void)arena_release(graph->arena, made);
	return ERR_NONE;
}

static void drop(struct package *package, int32_t constant)
{
	struct graph *graph = package->graph;
	struct tensor_view *view = &graph->constant[constant];
	const size_t bytes = bytes_of(view);
	void *kept = view->data;

	if (!bytes || !packs_has(package->packs, kept) ||
	    is_shared(graph, constant, kept, bytes))
		return;
	*view =
	    (struct tensor_view){ .dtype = view->dtype, .shape = { 1, { 0 } } };
	packs_drop(package->packs, kept);
}

/* Which constants are read; NULL: out of memory. */
static bool *find_read(const struct graph *graph)
{
	const size_t n_value = (size_t)graph->n_value;
	int32_t *readers = mem_array(n_value + 1, sizeof(*readers));
	bool *read = mem_array((size_t)graph->n_constant + 1, sizeof(*read));

	if (readers && read) {
		graph_count_readers(graph, readers);
		for (size_t v = 0; v < n_value; v++)
			if (readers[v] &&
			    graph->value[v].origin == ORIGIN_CONST)
				read[graph->value[v].source] = true;
	} else {
		mem_free(read);
		read = NULL;
	}
	mem_free(readers);
	return read;
}

enum err_code package_settle_constants(struct package *package, struct err *err)
{
	const struct graph *graph = package->graph;
	enum err_code rc = ERR_NONE;
	bool *read;

	if (has_bodies(graph))
		return ERR_NONE;
	read = find_read(graph);
	if (!read)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (int32_t i = 0; i < graph->n_constant && !rc; i++)
		if (read[i])
			rc = keep(package, i, err);
		else
			drop(package, i);
	mem_free(read);
	return rc;
}
