/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tensor files: inputs and outputs of a model as files of a folder.
 *
 * A tensor is NAME.npy, NAME.pb, input_N.npy or input_N.pb (output_N ...), N
 * its place in the model; .pb is ONNX's TensorProto.
 *
 * Ownership: what is read lives in the arena.
 * Threads:   any, each on its own folder.
 * Limits:    files of 4 GiB.
 */
#ifndef MEASURE_TENSOR_FILE_H
#define MEASURE_TENSOR_FILE_H

#include "engine/tensor.h"

struct arena;

struct tensor_name {
	const char *name; /**< of the port; "" or NULL: only the place counts */
	const char *kind; /**< "input", "output" */
	unsigned place;
};

/** ERR_NOT_FOUND names what was looked for. */
MUST_USE enum err_code tensor_file_read(const char *dir,
					const struct tensor_name *name,
					struct arena *arena,
					struct tensor_view *ret_view,
					struct err *err);
/** As NAME.npy, or KIND_N.npy where the name cannot be one of a file. */
MUST_USE enum err_code tensor_file_write(const char *dir,
					 const struct tensor_name *name,
					 const struct tensor_view *view,
					 struct err *err);

#endif
