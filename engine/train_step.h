/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Training step: the graph of one optimizer step, made from the base graph.
 *
 * The base graph is what is exported: standard operators in evaluation form,
 * parameters and statistics as variables. The step graph is made anew from it:
 * training forms (BatchNormalization to BatchNormTrain with assigned running
 * statistics, Dropout to DropoutTrain), the loss of base's output 0, autodiff,
 * one flat gradient (an outermost Concat), its norm, and one optimizer node
 * over the flat arenas, from the first trainable parameter to the last.
 * Parameters keep their own variables; each is a range of the flat parameter
 * arena, which the optimizer updates in place. A BatchNormalization whose
 * statistics are frozen, or no variables, stays in evaluation form.
 *
 * A penalty of recurrent networks (Merity et al. 2017) is added to the loss
 * that is learned from, not to the one that is told: `activation` times the
 * mean square of the last recurrent layer's output after its dropout, and
 * `temporal` times that of its change from step to step before it. Rows that
 * are mixed (Zhang et al. 2018) have two targets: their loss is `mix` times
 * that of the first and the rest of the second's.
 *
 * Inputs of the step graph: those of the base graph, then `target`, then
 * `step` (int64 scalar, for DropoutMask), then `hyper` (float
 * [n_groups, OPTIMIZER_HYPER], see engine/ops/optimizer.h), then, where
 * gradients accumulate, `share` (float scalar), then, where rows are mixed,
 * `mix` (float scalar) and `target2`. Outputs: loss, gradient norm
 * (before clipping), then the base graph's outputs.
 *
 * A step of several batches is several graphs: TRAIN_ADD adds share times the
 * gradient to memory->sum and updates nothing; TRAIN_LAST updates by that sum
 * and share times its own gradient. Shares of a step should add up to 1. The
 * caller zeroes the sum after a last one.
 *
 * Ownership: train_memory owns the arenas that all variables point into, and
 *            outlives every graph and plan over them; so does the base graph.
 * Threads:   build in one thread.
 */
#ifndef ENGINE_TRAIN_STEP_H
#define ENGINE_TRAIN_STEP_H

#include "engine/facts.h"

/** Flat arenas: parameters and each moment have the same offsets. */
struct train_memory {
	size_t n; /**< floats in the parameter arena */
	float *params;
	float *moment[3]; /**< as many as the optimizer has; the rest NULL */
	unsigned n_moments;
	float *sum;  /**< of gradients, or NULL */
	void *block; /**< all of them, and the states */
};

enum { TRAIN_LOSS_NUMBERS = 3, TRAIN_WATCH_MAX = 256 };

struct train_loss {
	const char *op; /**< "SoftmaxCrossEntropy", "MeanSquaredError" */
	/** In place of op: statements of graph text that make `loss` of x (the
	 * output), t (the target), the numbers a, b and c, n (int64: x's extent
	 * along axis 1, else 1) and w (the weight, where there is one). */
	const char *text;
	double number[TRAIN_LOSS_NUMBERS]; /**< a, b, c */
	const void *attrs;
	/** The output is [..., classes] and the target [...]: each place is a
	 * row of the loss. */
	bool is_sequence;
	struct type target; /**< type of the target input */
	struct fact
	    weight; /**< of classes or numbers: value NULL: there is none */
};

/** How many batches a step takes. */
enum train_batches { TRAIN_ONE, TRAIN_ADD, TRAIN_LAST };

struct train_step_options {
	struct train_loss loss;
	const char *optimizer; /**< "Sgd", "RMSprop", "Adam" */
	const void *optimizer_attrs;
	uint64_t seed;	    /**< of dropout */
	const bool *frozen; /**< by variable of base, also states; NULL: none */
	const int32_t *group; /**< by variable of base; NULL: all 0 */
	unsigned n_groups;
	/** By variable of base: a table's rows of so many numbers stay as they
	 * are in a step without a gradient of theirs (lazy updates); 0: all
	 * move. NULL: none. */
	const int64_t *lazy_width;
	enum train_batches batches;
	double activation, temporal; /**< penalties; 0: none */
	bool mixes;		     /**< two targets */
};

/** Moves every ROLE_PARAM variable of `base` into one new flat arena (values
 * are copied) and points the variables there; ROLE_STATE variables get memory
 * of their own. n_moments arenas, and one for the sum of gradients where it is
 * asked for, are zeroed. */
MUST_USE enum err_code train_memory_create(struct graph *base,
					   unsigned n_moments, bool has_sum,
					   struct train_memory **ret_memory,
					   struct err *err);
void train_memory_destroy(struct train_memory *memory);

/** input: facts of base's inputs followed by the target's. ERR_UNSUPPORTED
 * lists every node without a gradient, with what would help. */
MUST_USE enum err_code
train_step_build(const struct graph *base, struct train_memory *memory,
		 const struct train_step_options *options,
		 const struct fact *input, struct graph **ret_step,
		 struct err *err);

/** Base graph and loss in evaluation form: outputs loss, then base's, then,
 * where it is watched, of each Relu node the greatest value of each unit
 * (axis 1, of rows of [steps, numbers] the last) over the batch, float. */
MUST_USE enum err_code
train_eval_build(const struct graph *base, const struct train_loss *loss,
		 bool is_watched, const struct fact *input,
		 struct graph **ret_eval, struct err *err);
/** Numbers of base's Relu nodes in the order of those outputs; returns how many
 * there are, at most TRAIN_WATCH_MAX. node may be NULL. */
unsigned train_watched(const struct graph *base, int32_t *node);

#endif
