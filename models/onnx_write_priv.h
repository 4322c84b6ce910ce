/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the parts of the ONNX writer share.
 *
 * Ownership: names live in the arena handed in.
 * Threads:   one writer a call.
 */
#ifndef MODELS_ONNX_WRITE_PRIV_H
#define MODELS_ONNX_WRITE_PRIV_H

#include "base/buf.h"
#include "engine/attr.h"
#include "models/onnx.h"
#include "models/wire.h"

/** Names in the file: inputs and outputs by the signature, all others as in
 * the graph and unique. */
struct onnx_writer_names {
	const char **value; /**< [n_value] */
	bool *identity;	    /**< [n_output]: needs a node of its own */
};

MUST_USE enum err_code onnx_choose_names(const struct graph *graph,
					 const struct model_signature *sig,
					 struct arena *arena,
					 struct onnx_writer_names *ret,
					 struct err *err);

/** A TensorProto's fields, without tag and length. */
MUST_USE enum err_code onnx_put_tensor(const struct tensor_view *view,
				       const char *name, struct buf *buf,
				       struct err *err);
/** The attributes of a node that are not at their defaults. */
MUST_USE enum err_code onnx_put_attrs(const struct graph_node *node,
				      struct buf *buf, struct err *err);

#endif
