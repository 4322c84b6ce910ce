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
#ifndef MODELS_TENSOR_FILE_H
#define MODELS_TENSOR_FILE_H

#include "engine/tensor.h"

struct arena;
struct file_root;

struct tensor_name {
	const char *name; /**< of the port; "" or NULL: only the place counts */
	const char *kind; /**< "input", "output" */
	unsigned place;
};

/** One file, by its ending; root NULL: the path is as it is. ERR_NOT_FOUND
 * where there is none. */
MUST_USE enum err_code tensor_file_load(const struct file_root *root,
					const char *path, struct arena *arena,
					struct tensor_view *ret_view,
					struct err *err);
/** A port's file of a folder. ERR_NOT_FOUND names what was looked for. */
MUST_USE enum err_code
tensor_file_read(const struct file_root *root, const char *dir,
		 const struct tensor_name *name, struct arena *arena,
		 struct tensor_view *ret_view, struct err *err);
/** As NAME.npy, or KIND_N.npy where the name cannot be one of a file. */
MUST_USE enum err_code tensor_file_write(const char *dir,
					 const struct tensor_name *name,
					 const struct tensor_view *view,
					 struct err *err);

#endif
