/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Activation: what a prediction does to the network's numbers. `auto` is
 * sigmoid where the loss takes scores (logits) for probabilities, else none.
 *
 * Threads: pure.
 */
#ifndef DATA_FEATURES_ACTIVATION_H
#define DATA_FEATURES_ACTIVATION_H

#include <math.h>

#include "base/field.h"
#include "base/str.h"

enum activation { ACTIVATION_AUTO, ACTIVATION_NONE, ACTIVATION_SIGMOID };

/** type: the struct with the member `activation`, an int. */
#define ACTIVATION_FIELD(type)                                            \
	{                                                                 \
		.name = "activation",                                     \
		.help = "of a prediction: none, sigmoid, or auto: what "  \
			"the loss takes scores for",                      \
		.kind = FIELD_ENUM, .offset = offsetof(type, activation), \
		.names = activation_names                                 \
	}
static const char *const activation_names[] = { "auto", "none", "sigmoid",
						NULL };

/** loss: the feature's map, or NULL. */
static inline int activation_resolve(int activation, const struct doc *loss)
{
	static const char *const of_scores[] = {
		"binary_cross_entropy_with_logits", "dice", "focal"
	};
	const struct doc *type = doc_find(loss, "type");

	if (activation != ACTIVATION_AUTO)
		return activation;
	for (size_t i = 0; type && type->kind == DOC_STRING && i < 3; i++) {
		if (str_equal(type->text, of_scores[i]))
			return ACTIVATION_SIGMOID;
	}
	return ACTIVATION_NONE;
}

static inline double activation_apply(int activation, double x)
{
	return activation == ACTIVATION_SIGMOID ? 1 / (1 + exp(-x)) : x;
}

#endif
