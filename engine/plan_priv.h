/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan, inside: what planner, instance and their tests share.
 *
 * Times: 0 is the start (inputs are there; outputs that are inputs, constants
 * or variables are copied), node number i of the order runs at i + 1, then
 * come the copies to variables in two phases, then the end, when outputs are
 * read. Several steps may have one time; their operands do not depend on each
 * other.
 *
 * Ownership: as in plan.h.
 * Threads:   as in plan.h.
 */
#ifndef ENGINE_PLAN_PRIV_H
#define ENGINE_PLAN_PRIV_H

#include <stdatomic.h>
#include <string.h>

#include "engine/plan.h"

enum { PLAN_ALIGN = 64 };

/** Where a tensor is: in somebody's memory, or at an offset of the block. */
struct spot {
	bool is_absent;
	char *fixed; /**< NULL: the block */
	size_t offset;
};

struct plan_step {
	const struct kernel *kernel;
	struct kernel_query query; /**< op NULL: a copy */
	void *state;
	const char *name; /**< of the node, for messages */
	unsigned n_slices;
	size_t scratch_bytes;  /**< of one slice, a multiple of PLAN_ALIGN */
	size_t scratch_offset; /**< in the block */
	double cost_us;
	const struct spot *in, *out;
	int32_t time;
	int32_t node; /**< -1: a copy */
};

/** Bytes of the block that nobody needs once `step` steps have run. */
struct plan_freed {
	size_t step, offset, bytes;
};

/** Where an output of the plan, or an input of its tail, comes from. */
struct tail_place {
	enum {
		TAIL_FROM_STEPS, /* output `index` of the static part */
		TAIL_FROM_INPUT, /* input `index` of the plan */
		TAIL_FROM_TAIL,	 /* output `index` of the tail */
	} from;
	int32_t index;
};

struct plan {
	atomic_uint refs;
	struct plan_options options;
	struct arena *arena; /**< all below but graph and facts */
	struct graph *graph; /**< own, changed by planning */
	struct facts *facts;
	/** What only a run can shape, run by the interpreter after the steps;
	 * NULL: nothing. Then the static part's outputs are not the plan's. */
	struct graph *tail;
	struct tail_place *tail_input; /**< by input of the tail */
	struct tail_place *place;      /**< by output of the plan */
	const int32_t *output_value;   /**< by output of the plan: its id */
	int32_t n_output;	       /**< of the plan, when it has a tail */
	struct plan_step *step;
	struct spot *input, *output;
	struct plan_freed *freed;
	size_t n_freed;
	struct plan_report report;
};

static inline size_t plan_round(size_t bytes)
{
	return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/** Bytes that stay read only, as a view wants them. */
static inline void *plan_bytes(const void *value)
{
	/* a view has no const in its type
	 * NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return (void *)(uintptr_t)value;
}

struct instance;
/** For tests: bytes that nobody needs are filled with 0xFF between steps. */
void instance_poison(struct instance *instance);
/** For tests: a team is called for however little work there is. */
void instance_call_always(struct instance *instance);

#endif
