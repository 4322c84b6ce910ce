/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Made inputs: what a model is measured with where nobody gives tensors.
 *
 * From a fixed seed: floats uniform in [0, 1), all else zero. An extent that
 * the model leaves open is the batch size in the first place and
 * MADE_OPEN_EXTENT elsewhere, unless --input-shape gives the shape.
 *
 * Threads: one.
 */
#ifndef MEASURE_MADE_INPUTS_H
#define MEASURE_MADE_INPUTS_H

#include "base/args.h"
#include "measure/trial.h"

enum { MADE_OPEN_EXTENT = 64 };

/** Makes them and prepares the trial with them. */
MUST_USE enum err_code made_inputs_prepare(const struct args *args,
					   int64_t batch, struct trial *trial,
					   struct err *err);

#endif
