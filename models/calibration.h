/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Calibration: rows of a model's inputs, on disk or made, for precisions below
 * fp32 (engine/precision/precision.h).
 *
 * What somebody gives is a folder with a tensor for each input (NAME.npy,
 * input_N.npy, NAME.pb or input_N.pb), or one file (.npy or .pb) where the
 * model has one input. Of a model that batches the first axis counts rows, and
 * each row is a run. Of one that does not, as many first extents as the model
 * has are a run, where it has some; else a tensor is one run.
 *
 * Ownership: lives in the arena handed in.
 * Threads:   pure.
 * Limits:    PRECISION_ROWS_MAX rows are used; tensor files of 4 GiB.
 */
#ifndef MODELS_CALIBRATION_H
#define MODELS_CALIBRATION_H

#include "models/package.h"

struct arena;

struct calibration {
	unsigned n_rows;		      /**< that are used */
	int64_t n_given;		      /**< that are there */
	const struct tensor_view *const *row; /**< [n_rows][inputs] */
};

/** path: beneath root (NULL: as it is); begins messages. ERR_INVALID,
 * ERR_SHAPE: tensors that the signature does not admit. */
MUST_USE enum err_code
calibration_read(const struct file_root *root, const char *path,
		 const struct package *package, struct arena *arena,
		 struct calibration *ret, struct err *err);
/** The same few rows every time; n_rows 0: an input has a shape that nobody can
 * guess. */
MUST_USE enum err_code calibration_make(const struct package *package,
					struct arena *arena,
					struct calibration *ret,
					struct err *err);

#endif
