/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loss: what an output feature's `loss` map says, and the engine's row.
 *
 * Ownership: lists and attributes live in the spec's arena. Threads: pure.
 */
#ifndef TRAINING_LOSS_H
#define TRAINING_LOSS_H

#include "base/field.h"
#include "engine/train_step.h"

struct json_writer;

struct loss_params {
	double label_smoothing, delta, gamma, margin, quantile;
	int64_t ignore_index;
	struct field_doubles weight; /**< by class */
};

struct loss_kind {
	const char *name, *help;
	const char *feature;	    /**< type of output feature: "category" */
	const char *op;		    /**< the engine's row */
	const char *text;	    /**< or graph text (engine/train_step.h) */
	size_t number;		    /**< of text: offset of its parameter */
	const struct field *fields; /**< over struct loss_params */
};

struct loss {
	const struct loss_kind *kind;
	struct loss_params params;
};

/** map NULL: the usual one for the feature's type. */
MUST_USE enum err_code loss_read(const struct doc *map,
				 const char *feature_type, int64_t width,
				 struct loss *ret, struct arena *arena,
				 struct err *err);
void loss_write(const struct loss *loss, struct json_writer *writer);
/** As the training step takes it; attributes land in the arena. */
MUST_USE enum err_code loss_for_step(const struct loss *loss,
				     struct arena *arena,
				     struct train_loss *ret, struct err *err);

#endif
