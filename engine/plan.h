/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan: everything decided before running, for one signature of inputs.
 *
 * Sweeps facts, folds constants, chooses kernels, orders steps and places
 * every value: one block of memory with fixed offsets. Views (OP_VIEW, Split
 * and Slice on the outermost axis, inputs of such a Concat, a Transpose that
 * moves axes of one element alone) and in-place results share bytes. A plan is
 * immutable and shared by its instances.
 *
 * New values of variables are made in the variables' memory where nobody reads
 * that any more, under whatever name, and copied there at the end of a run
 * elsewhere. Outputs never share bytes with inputs, constants or variables.
 *
 * An If whose condition is known is replaced by its branch. Nodes that only a
 * run can shape, or whose bodies a run controls (If, Loop, Scan), are the
 * plan's tail: the interpreter runs them after the steps and allocates. Bodies
 * that come again with equal shapes get plans of their own
 * (engine/body_plans.h).
 * plan_output() knows no shape of what the tail makes.
 *
 * Ownership: counted; holds its own graph copy. The source graph and the
 *            memory of its constants and variables must outlive it.
 * Threads:   plan_create in any thread; a plan is read only.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/facts.h"
#include "engine/kernel.h"
#include "engine/passes/pass_switch.h"

struct tuner; /* engine/tuner.h */

/** Input shapes, and the values of those small integer inputs that decide
 * shapes. */
struct signature {
	unsigned n;
	const struct fact *input;
};

struct plan_options {
	bool quick;	  /**< QUICK kernels only: no new primitives */
	bool keep_all;	  /**< no sharing of bytes: for tests */
	unsigned threads; /**< that may come to a run; 0: 1 */
	unsigned lanes;	  /**< of blocked values, for tests; 0: the CPU's */
	enum numerics numerics;
	/** Of MatMul, MatMulT, Gemm, Conv, ConvTranspose, ConvGradData and
	 * ConvGradWeights; what the tail runs stays PRODUCTS_F32. */
	enum products products;
	size_t memory_limit; /**< of arena and scratch; 0: none */
	/** Of a training step, whose output 0 is the loss: values of the way
	 * there are forgotten and computed again on the way back, by the same
	 * kernels, until the arena has about so few bytes, or as few as that
	 * can reach. 0: nothing is computed again. */
	size_t arena_goal;
	/** Slices of a step that work in scratch run one after the other, in
	 * one scratch, whatever the threads. */
	bool one_scratch;
	struct pass_switch passes; /**< zero: every PLAN pass */
	/** Of the source graph; NULL: kernels pack constants for this plan. */
	struct packs *packs;
	struct tuner *tuner; /**< NULL: kernels are chosen as predicted */
};

/** Bytes. Constants are those that steps read or were packed from; the arena
 * holds inputs, outputs, values and scratches; scratch is the largest one. */
struct plan_report {
	size_t constants, variables, arena, scratch;
	size_t packs; /**< constants in kernels' forms, which plans may share */
	size_t peak;  /**< of one run: constants, packs, variables, arena */
	size_t arena_lower_bound; /**< most bytes alive at once */
	size_t n_steps;
	double cost_us;
	size_t n_recomputed;  /**< steps that are run a second time */
	double recomputed_us; /**< predicted, of cost_us */
};

struct plan;

MUST_USE enum err_code plan_create(const struct graph *graph,
				   const struct signature *signature,
				   const struct plan_options *options,
				   struct plan **ret_plan, struct err *err);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan *plan);
const struct plan_report *plan_report(const struct plan *plan);
/** Facts of input or output number i. */
const struct fact *plan_input(const struct plan *plan, unsigned i);
const struct fact *plan_output(const struct plan *plan, unsigned i);
unsigned plan_n_inputs(const struct plan *plan);
unsigned plan_n_outputs(const struct plan *plan);

/** What a step is; facts and state are the plan's. */
struct plan_step_info {
	const char *node_name;
	const struct kernel *kernel;
	const struct kernel_query *query; /**< op NULL: a copy */
	const void *state;
	unsigned n_slices;
	double cost_us; /**< predicted */
};
/** Of step number i, below plan_report()'s n_steps. */
struct plan_step_info plan_step_info(const struct plan *plan, size_t i);

struct buf;
/** One line a step: kernel, node, slices, cost, bytes. */
void plan_print(const struct plan *plan, struct buf *buf);

#endif
