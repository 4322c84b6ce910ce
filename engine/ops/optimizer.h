/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizer rows over flat arenas: Sgd, RMSprop, Adam and their kin.
 *
 * All have the same ports, so that in place result i is input i:
 *   param, moment0.. = Op<segments=[...]>(param, m0, m1, m2, grad, norm, hyper)
 * with param, m0, m1, m2 and grad flat of one length, norm a scalar (what
 * GlobalNorm gives) and hyper float [n_groups, OPTIMIZER_HYPER]. Moments that
 * a rule does not need are absent; which are needed, in order:
 *   Sgd, Lars  [momentum buffer] (Lars: always)
 *   RMSprop    square average, [momentum buffer], [gradient average]
 *   Adam       average, square average, [largest square average]
 *   NAdam, RAdam, Lamb  average, square average
 *   Adamax     average, largest magnitude
 *   Adagrad    sum of squares
 *   Adadelta   square average, average of squared updates
 *   Lion       average
 *   Rprop      gradient before, step size
 *   Muon       average, square average (of what is no matrix)
 * Lamb and Lars scale each segment by a ratio of norms, and Muon makes a matrix
 * of it, so that there a segment is one parameter. Nothing is written when norm
 * is not finite: the caller sees the norm, does not count the step, and the
 * last finite weights stay.
 *
 * Formulas are PyTorch's, or the papers'. The rows of hyper are made in double,
 * once a step, so schedules never plan again.
 */
#ifndef ENGINE_OPS_OPTIMIZER_H
#define ENGINE_OPS_OPTIMIZER_H

#include "engine/op.h"

enum { OPTIMIZER_MAX_MOMENTS = 3 };

/** Inputs of the rows. Outputs: param and the moments. */
enum optimizer_input {
	OPTIMIZER_PARAM,
	OPTIMIZER_MOMENT, /**< the first of three */
	OPTIMIZER_GRAD = OPTIMIZER_MOMENT + OPTIMIZER_MAX_MOMENTS,
	OPTIMIZER_NORM,
	OPTIMIZER_HYPERS,
	OPTIMIZER_N_IN
};

/** Of all rows; each reads the flags it knows. */
struct optimizer_attrs {
	/** (first, last + 1, group) triples in rising order: the elements that
	 * are updated and the row of hyper that rules them. */
	struct attr_ints segments;
	/** None, or a number for each segment: elements of its rows, of which
	 * those whose gradient is 0 stay as they are, moments too; 0: all
	 * move. Lamb and Lars know none. */
	struct attr_ints rows;
	int64_t momentum;  /**< Sgd, RMSprop: there is a momentum buffer */
	int64_t nesterov;  /**< Sgd */
	int64_t centered;  /**< RMSprop */
	int64_t amsgrad;   /**< Adam */
	int64_t decoupled; /**< weight decay as in AdamW, not L2 */
	/** Muon: of each segment the columns of its matrix; 0: it is none */
	struct attr_ints columns;
};

/** Columns of a row of hyper. */
enum optimizer_column {
	HYPER_RATE,	/**< learning rate; Adam: divided by 1 - beta1^t */
	HYPER_L2,	/**< times the parameter, added to the gradient */
	HYPER_KEEP,	/**< decoupled decay: the parameter times this, first */
	HYPER_MOMENTUM, /**< momentum; Adam: beta1 */
	HYPER_FRESH,	/**< Sgd: 1 - dampening; Adam: 1 - beta1 */
	HYPER_SQUARE,	/**< RMSprop: alpha; Adam: beta2 */
	HYPER_SQUARE_FRESH, /**< 1 - HYPER_SQUARE */
	HYPER_EPS,
	HYPER_ROOT,	 /**< Adam: 1 / sqrt(1 - beta2^t); Rprop: first size */
	HYPER_MAX_NORM,	 /**< gradients are scaled down to it; 0: never */
	HYPER_MAX_VALUE, /**< gradients are cut to -value..value; 0: never */
	HYPER_L1,	 /**< times the sign of the parameter, added */
	HYPER_OWN,	 /**< four of each rule's own; optimizer_rules.c */
	OPTIMIZER_HYPER = HYPER_OWN + 4
};

/** What a user sets for a group, in PyTorch's words. */
struct optimizer_setting {
	double rate;
	double weight_decay;
	double momentum; /**< Adam: beta1 */
	double dampening;
	bool ewma;     /**< Sgd: the gradient enters by 1 - momentum */
	double square; /**< RMSprop: alpha; Adadelta: rho; Adam: beta2 */
	double eps;
	double max_norm, max_value; /**< clipping; 0: none */
	double l1;
	double lr_decay, initial; /**< Adagrad */
	double momentum_decay;	  /**< NAdam */
	double etas[2], sizes[2]; /**< Rprop */
	double trust;	  /**< Lars: coefficient of the ratio of norms */
	bool is_unscaled; /**< Lamb, Lars: no ratio of norms here */
};

/** Is it one of these rows? The functions below take no other. */
bool optimizer_is_row(const struct op *op);
/** Moments that a row with these flags has: 0 to OPTIMIZER_MAX_MOMENTS. */
unsigned optimizer_moments(const struct op *op,
			   const struct optimizer_attrs *attrs);
/** Needs a segment for each parameter. */
bool optimizer_is_by_parameter(const struct op *op);
/** Columns of a parameter as Muon sees it: what follows the first extent that
 * is not 1; 0 where that is a vector, or a matrix with a side above 8192, such
 * as an embedding, of which products would take longer than the step itself. */
int64_t optimizer_columns(const struct shape *shape);
/** One row of hyper for step number `step`, which begins at 1. */
void optimizer_hyper_fill(const struct op *op,
			  const struct optimizer_attrs *attrs,
			  const struct optimizer_setting *setting,
			  uint64_t step, float row[OPTIMIZER_HYPER]);

#endif
