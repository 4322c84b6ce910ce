/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/pass.h"

#include <string.h>

#include "engine/facts.h"
#include "engine/passes/rewrite.h"
#include "engine/plan.h"

/* Of the LOAD passes over one graph; each round follows what the one before
 * made possible. */
enum { ROUNDS_MAX = 8 };

#define PASS(row) extern const struct pass pass_##row;
#include "engine/passes/passes.def"
#undef PASS

static const struct pass *const rows[] = {
#define PASS(row) &pass_##row,
#include "engine/passes/passes.def"
#undef PASS
	NULL
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) - 1 };
_Static_assert((int)N_ROWS <= (int)PASS_MAX, "a switch is one word");

const struct pass *pass_at(unsigned i)
{
	return i < N_ROWS ? rows[i] : NULL;
}

/* Every pass of one kind that is on. */
static enum err_code run_all(struct pass_context *context, unsigned flag,
			     struct pass_switch passes, bool *ret_changed,
			     struct err *err)
{
	enum err_code rc = ERR_NONE;

	*ret_changed = false;
	for (unsigned i = 0; i < N_ROWS && !rc; i++) {
		const struct pass *pass = rows[i];
		bool changed = false;

		if (!(pass->flags & flag) || !pass_switch_has(passes, i))
			continue;
		arena_reset(context->arena);
		rc = pass->run
			 ? pass->run(context, &changed, err)
			 : rewrite_all(context, pass->rewrites, &changed, err);
		if (rc)
			return err_prefix(err, "pass '%s'", pass->name);
		*ret_changed |= changed;
	}
	return rc;
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "passes: out of memory");
}

/* Gradient nodes ask for derivatives by what stands in the graph. */
static bool may_change(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op &&
		    !strcmp(graph->node[i].op->name, "Gradient"))
			return false;
	return true;
}

/* A graph that waits for its rounds. */
struct waiting {
	struct graph *graph;
	struct waiting *next;
};

static enum err_code add_bodies(struct waiting *after, struct arena *arena,
				struct err *err)
{
	const struct graph *graph = after->graph;

	for (int32_t i = 0; i < graph->n_node; i++)
		for (unsigned j = 0; j < graph->node[i].n_body; j++) {
			struct waiting *more =
			    arena_alloc(arena, sizeof(*more));

			if (!more)
				return no_memory(err);
			more->graph = graph->node[i].body[j];
			more->next = after->next;
			after->next = more;
		}
	return ERR_NONE;
}

static enum err_code run_rounds(struct pass_context context,
				struct pass_switch passes, struct err *err)
{
	bool changed = may_change(context.graph);
	enum err_code rc = ERR_NONE;

	for (int round = 0; round < ROUNDS_MAX && changed && !rc; round++)
		rc = run_all(&context, PASS_LOAD, passes, &changed, err);
	return rc;
}

enum err_code passes_load(struct graph *graph, const int *input_rank,
			  struct pass_switch passes, struct err *err)
{
	struct waiting first = { .graph = graph };
	struct pass_context context = {
		.arena = arena_create(SIZE_MAX / 2),
		.input_rank = input_rank,
	};
	struct arena *list = arena_create(SIZE_MAX / 2);
	enum err_code rc = context.arena && list ? ERR_NONE : no_memory(err);

	for (struct waiting *at = &first; at && !rc; at = at->next) {
		context.graph = at->graph;
		rc = run_rounds(context, passes, err);
		if (!rc)
			rc = add_bodies(at, list, err);
		context.input_rank = NULL; /* of bodies */
	}
	arena_destroy(list);
	arena_destroy(context.arena);
	return rc;
}

enum err_code passes_plan(struct graph *graph, struct facts *facts,
			  const struct plan_options *options, bool *ret_changed,
			  struct err *err)
{
	struct pass_context context = {
		.graph = graph,
		.arena = arena_create(SIZE_MAX / 2),
		.facts = facts,
		.options = options,
	};
	enum err_code rc;

	if (!context.arena)
		return no_memory(err);
	rc = run_all(&context, PASS_PLAN, options->passes, ret_changed, err);
	arena_destroy(context.arena);
	return rc;
}
