/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ONNX files: read into a graph, written from one.
 *
 * Read by a zero-copy protobuf wire reader with a depth cap (models/wire.h);
 * tensors stay in the mapped file where their alignment allows. Every node is
 * lowered to the newest form of its operator, functions of the model become
 * their nodes; one message lists all operators that are not supported, with
 * domain and node names. External data is read only beneath the model's folder.
 * An output that is a list of maps (ZipMap) is served as tensors: NAME holds
 * the values, [N,C], and behind all other outputs NAME_keys the keys, row by
 * row.
 *
 * Ownership: the graph borrows the bytes, unless `copy` says otherwise;
 *            external data is read into the graph's arena.
 * Threads:   any, each on its own model.
 * Limits:    depth 32, 2^20 nodes, rank 8; file sizes are checked first.
 */
#ifndef MODELS_ONNX_H
#define MODELS_ONNX_H

#include "models/signature.h"

struct buf;
struct file_root;
struct packs; /* engine/pack.h */

struct onnx_options {
	/** Float initializers that feed nodes become ROLE_PARAM variables
	 * (BatchNormalization statistics ROLE_STATE) instead of constants;
	 * their memory is a private copy. */
	bool trainable;
	/** Folder for external data; NULL: there is none. */
	const struct file_root *folder;
	size_t max_bytes; /**< ceiling of the graph's arena; 0: default */
	/** Copy every element: the bytes may end before the graph does. */
	bool copy;
	/** The bytes are a mapped file: its pages are given back once they are
	 * copied. */
	bool is_map;
	/** With copy: where large constants are kept, which must outlive the
	 * graph; NULL: in the graph's arena. */
	struct packs *packs;
	/** Sequences and optionals as inputs and outputs, too: for the
	 * interpreter. Otherwise they are refused. */
	bool any_values;
};

/** Signature strings live in the graph's arena. */
MUST_USE enum err_code
onnx_read(const void *bytes, size_t len, const char *name,
	  const struct onnx_options *options, struct graph **ret_graph,
	  struct model_signature *ret_signature, struct err *err);

struct onnx_write_options {
	const char *producer_version;
	const char *graph_name;
	/** Facts are not needed: shapes come from the signature. */
};

/** Variables become initializers. Only domains of the standard; ERR_UNSUPPORTED
 * names an internal operator. Opset: the largest `since`, at least 17. */
MUST_USE enum err_code onnx_write(const struct graph *graph,
				  const struct model_signature *signature,
				  const struct onnx_write_options *options,
				  struct buf *buf, struct err *err);

/** One TensorProto (backend tests: input_0.pb). data lands in arena. */
MUST_USE enum err_code onnx_read_tensor(const void *bytes, size_t len,
					const char *name, struct arena *arena,
					struct tensor_view *ret_view,
					const char **ret_name, struct err *err);
/** One value of that type; a sequence or optional has its struct sequence
 * (engine/run_heap.h) in the arena as the view's data. */
MUST_USE enum err_code onnx_read_value(const void *bytes, size_t len,
				       const char *name, struct type type,
				       struct arena *arena,
				       struct tensor_view *ret_view,
				       struct err *err);
MUST_USE enum err_code onnx_write_tensor(const struct tensor_view *view,
					 const char *name, struct buf *buf,
					 struct err *err);

#endif
