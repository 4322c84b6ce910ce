/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Planner: the state of one planning, and what each file does to it.
 *
 * Values lie in areas, areas in areas; the roots that no constant or variable
 * backs get offsets in the block at the end.
 *
 * Ownership: everything is in the planner's arena but the plan's own arrays.
 * Threads:   one.
 */
#ifndef ENGINE_PLANNER_PRIV_H
#define ENGINE_PLANNER_PRIV_H

#include "engine/plan_priv.h"

/** Bytes that several values share; a tree of areas inside areas. */
struct area {
	int32_t parent; /**< -1: a root */
	size_t shift;	/**< in the parent */
	size_t bytes;
	char *fixed; /**< memory of a constant or variable; NULL: the block */
	bool is_input;
	int32_t first, last; /**< times of a root, both inclusive */
	int32_t head, tail;  /**< its values; -1: none */
	size_t offset;	     /**< in the block, once placed */
};

enum fate { FATE_RUN, FATE_NOTHING, FATE_PIECES };

/** Bytes moved by the planner's own wish. */
struct copy {
	int32_t time, from, to; /**< areas */
	size_t from_at, to_at, bytes;
	int32_t node; /**< for its name; -1 */
};

struct planner {
	struct plan *plan;
	struct graph *graph;
	struct facts *facts;
	struct arena *arena; /**< for this planning */
	int32_t *order, n_order;
	size_t live; /**< most bytes alive at once in that order */
	/* by node */
	int32_t *time;
	enum fate *fate;
	struct plan_step *step; /**< kernel NULL: none chosen */
	int32_t *scratch;	/**< area, -1: none */
	/* by value */
	int32_t *born, *dies; /**< dies -1: nobody reads it */
	int32_t *area, *next; /**< next: in the area's list */
	size_t *at;	      /**< in its area */
	struct area *areas;
	int32_t n_areas;
	int32_t *variable_area; /**< by variable */
	int32_t *output_area;	/**< by output; -1: that of the value */
	struct copy *copy;
	int32_t n_copies;
};

/* Times after the last node. */
static inline int32_t time_save(const struct planner *p)
{
	return p->n_order + 1;
}
static inline int32_t time_assign(const struct planner *p)
{
	return p->n_order + 2;
}
static inline int32_t time_end(const struct planner *p)
{
	return p->n_order + 3;
}

static inline size_t fact_bytes(const struct planner *p, int32_t value)
{
	const struct fact *fact = &p->facts->fact[value];

	return tensor_bytes(fact->type.elem, &fact->shape);
}
static inline bool op_is(const struct op *op, const char *name)
{
	return !op->domain[0] && !strcmp(op->name, name);
}

/* plan_branch.c: an If whose condition is known becomes its branch. */
MUST_USE enum err_code plan_branches(struct graph *graph,
				     const struct fact *input, struct err *err);
/* plan_tail.c: what only a run can shape */
bool plan_needs_tail(const struct plan *plan);
MUST_USE enum err_code plan_cut_tail(struct plan *plan, struct err *err);
/* plan_gradient.c: Gradient nodes become what autodiff appends. */
MUST_USE enum err_code plan_gradients(struct planner *p, struct err *err);
/* plan_lower.c: nodes without kernels become their bodies. */
MUST_USE enum err_code plan_expand(struct planner *p, struct err *err);
/* plan_fold.c: what is known becomes a constant, identities go. */
MUST_USE enum err_code plan_fold(struct planner *p, struct err *err);

/* plan_round.c: operands of products are rounded, where kernels do not. */
MUST_USE enum err_code plan_round_products(struct planner *p, struct err *err);

/* plan_order.c */
MUST_USE enum err_code plan_order(struct planner *p, struct err *err);
/** By value: the one in whose bytes it lies (views and parts do), for
 * plan_root_of(), and the bytes of such a one; 0: they are not the run's. */
void plan_roots(const struct planner *p, int32_t *root, size_t *bytes);
int32_t plan_root_of(int32_t *root, int32_t value);

/* plan_recompute.c: fewer bytes, by computing again; orders anew. */
MUST_USE enum err_code plan_recompute(struct planner *p, struct err *err);

/* plan_area.c: areas and the values in them */
MUST_USE enum err_code plan_areas(struct planner *p, struct err *err);
/** Appends an area of the block. */
int32_t area_add(struct planner *p, size_t bytes, int32_t first, int32_t last);
/** The root that area lies in; *ret_at: area's first byte there. */
int32_t area_root(struct planner *p, int32_t area, size_t *ret_at);
/** The root of a value and its first byte there. */
int32_t value_root(struct planner *p, int32_t value, size_t *ret_at);
void area_put(struct planner *p, int32_t area, size_t at, int32_t value);
void area_join(struct planner *p, int32_t root, int32_t into, size_t shift);
void copy_add(struct planner *p, const struct copy *copy);

/* plan_alias.c: values that share bytes */
/** Output 0 is input 0's bytes; so is a Transpose of axes of extent 1. */
bool is_another_shape(const struct planner *p, const struct graph_node *node);
/** A Concat whose inputs lie one after the other in its output. */
bool is_outer_concat(const struct planner *p, const struct graph_node *node);
void plan_alias_views(struct planner *p);
void plan_alias_concats(struct planner *p);
void plan_alias_in_place(struct planner *p);
/* plan_assign.c: new values of variables */
MUST_USE enum err_code plan_assigns(struct planner *p, struct err *err);

/* plan_kernels.c */
/** Moves state (a size_t) bytes from in 0 to out 0. */
extern const struct kernel plan_copy_kernel;
/** Scratches of a step at once: slices that one thread runs one after the
 * other can do with one, where memory is short. */
unsigned plan_scratches(const struct planner *p, unsigned n_slices);
MUST_USE enum err_code plan_kernels(struct planner *p, struct err *err);
/** Gives up the states of kernels that no plan took over. */
void plan_kernels_finish(struct planner *p);

/* plan_place.c: offsets of all roots and scratches */
MUST_USE enum err_code plan_place(struct planner *p, struct err *err);
/* plan_steps.c: the plan's own arrays */
MUST_USE enum err_code plan_steps(struct planner *p, struct err *err);

#endif
