/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loss: what an output feature's `loss` map says, as the engine takes it.
 *
 * Kinds are rows of loss_kinds.c; names of parameters and values are PyTorch's
 * where PyTorch has the loss. Which types of output a kind is for, and how its
 * outputs are measured, is part of its row.
 *
 * Ownership: lists and attributes live in the spec's arena. Threads: pure.
 */
#ifndef TRAINING_LOSS_H
#define TRAINING_LOSS_H

#include "base/field.h"
#include "engine/train_step.h"

struct json_writer;

enum loss_reduction { LOSS_BATCH_MEAN, LOSS_MEAN };
enum loss_role { LOSS_CRITIC, LOSS_GENERATOR };

struct loss_params {
	double none; /**< 0: what a row without a number points to */
	double label_smoothing, delta, gamma, alpha, margin, quantile, smooth;
	double p, eps;
	int64_t ignore_index;
	int reduction, role;
	bool log_target, batch, swap, negatives;
	struct field_doubles weight; /**< by class, or pos_weight */
};

/** Types of output that a kind is for. */
enum {
	LOSS_OF_CATEGORY = 1,
	LOSS_OF_NUMBER = 2,
	LOSS_OF_VECTOR = 4,
	LOSS_OF_TEXT = 8, /**< of each token */
};

/** What `weight` is to the kind. */
enum loss_weight {
	LOSS_NO_WEIGHT,
	LOSS_CLASS_WEIGHT,    /**< one a class, or none at all */
	LOSS_CLASS_ONES,      /**< one a class, else ones */
	LOSS_POSITIVE_WEIGHT, /**< one, or one a number; else one of 1 */
};

struct loss_kind {
	const char *name, *help;
	const char *measures; /**< metrics_of() (training/metric.h) */
	const char *op;	      /**< the engine's row */
	const char *text;     /**< or graph text (engine/train_step.h) */
	/** or one that parameters choose: sets op or text */
	void (*choose)(const struct loss_params *params,
		       struct train_loss *step);
	size_t number[TRAIN_LOSS_NUMBERS]; /**< of text: offsets in params */
	unsigned of;			   /**< LOSS_OF_* */
	enum loss_weight weight;
	bool of_shares;		    /**< targets are from 0 to 1 */
	const struct field *fields; /**< over struct loss_params */
};

struct loss {
	const struct loss_kind *kind;
	struct loss_params params;
};

/** All kinds, ending with a NULL name; the first for a type is its usual one.
 */
const struct loss_kind *loss_kinds(void);

/** map NULL: the usual one for the feature's type. */
MUST_USE enum err_code loss_read(const struct doc *map,
				 const char *feature_type, int64_t width,
				 struct loss *ret, struct arena *arena,
				 struct err *err);
/** The members of its JSON Schema: of all kinds, for any feature. */
void loss_schema(struct json_writer *writer);
void loss_write(const struct loss *loss, struct json_writer *writer);
/** As the training step takes it, for an output of so many numbers a row;
 * attributes land in the arena. */
MUST_USE enum err_code loss_for_step(const struct loss *loss, int64_t width,
				     struct arena *arena,
				     struct train_loss *ret, struct err *err);

#endif
