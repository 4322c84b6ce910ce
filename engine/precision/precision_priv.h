/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the parts of precision share: one graph under work.
 *
 * Ownership: everything is in the arena.
 * Threads:   one.
 */
#ifndef ENGINE_PRECISION_PRECISION_PRIV_H
#define ENGINE_PRECISION_PRECISION_PRIV_H

#include "engine/precision/precision.h"

/** A convolution, or a product with a matrix of constants. */
struct layer {
	int32_t x, w, bias; /**< bias: VALUE_NONE, or a constant of m numbers */
	int64_t m, depth;   /**< channels out, weights of each; m 0: no layer */
	bool is_conv;
	bool is_turned;	    /**< w is [depth, m] */
	double alpha, beta; /**< factors of w and bias */
	bool stays;	    /**< in fp32 */
};

/** What a value was on all rows. */
struct range {
	double low, high, sum, squares;
	int64_t n; /**< elements seen */
};

/** How a value becomes bytes. */
struct byte_scale {
	enum dtype elem;
	double scale;
};

struct work {
	struct graph *graph;
	struct arena *arena;
	const struct precision_options *options;
	int32_t n_value, n_node; /**< of the graph as it was */
	struct layer *layer;	 /**< by node */
	int32_t
	    *summand; /**< by node: what an Add takes narrow, or VALUE_NONE */
	/* by value */
	bool *is_wanted; /**< narrow */
	int32_t *kin;	 /**< another value that shares its scale, or itself */
	struct range *range;
};

/* marks.c */

MUST_USE enum err_code marks_init(struct work *work, struct err *err);
/** Fills is_wanted, kin and summand for the layers that do not stay. */
void marks_make(struct work *work);
/** The value that stands for all of one scale. */
int32_t marks_root(const struct work *work, int32_t value);
/** Nodes that hand on what they read: values of the same numbers, for which
 * kernels of bytes are there. n inputs share the result's scale. */
int32_t marks_hands_on(const struct work *work, const struct graph_node *node);

/* calibration.c */

/** Outputs of the rows in fp32 to compare with, as many as there is room for.
 */
struct reference {
	unsigned n_rows;
	int32_t n_out;
	struct tensor_view *view; /**< [n_rows][n_out] */
};
/** Runs the rows in fp32: fills ranges of wanted values. */
MUST_USE enum err_code calibrate(struct work *work, struct reference *ret,
				 struct err *err);
/** Runs them again, on the graph as it is now. */
MUST_USE enum err_code compare(const struct work *work,
			       const struct reference *reference,
			       struct precision_report *report,
			       struct err *err);

/* rewrite.c */

/** False: the rows do not tell, or bytes cannot hold it. */
bool byte_scale_of(const struct work *work, int32_t value,
		   struct byte_scale *ret);
MUST_USE enum err_code rewrite(struct work *work, struct err *err);

#endif
