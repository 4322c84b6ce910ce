/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ONNX's messages, parsed one at a time: what onnx_file.c puts together.
 *
 * Field numbers are those of onnx.proto. Bodies are left as bytes here;
 * onnx_body.c descends into them.
 *
 * Ownership: what the graph keeps lands in `keep`, the rest in `scratch`,
 *            which ends with the read.
 * Threads:   one reader a read.
 */
#ifndef MODELS_ONNX_PRIV_H
#define MODELS_ONNX_PRIV_H

#include "engine/attr.h"
#include "models/onnx.h"
#include "models/wire.h"

struct onnx_reader {
	const char *name; /**< of the file: begins every message */
	struct arena *keep, *scratch;
	const struct file_root *folder; /**< NULL: no external data */
	bool copy;   /**< the bytes end before the graph does */
	bool is_map; /**< see onnx_options */
	struct packs *packs;
};

/** ERR_NO_MEMORY: the arena's ceiling, or there is no more. */
enum err_code onnx_no_memory(const char *name, struct err *err);

/** A string field, NUL-terminated in `arena`: UTF-8 without NUL. */
MUST_USE enum err_code onnx_text(const struct onnx_reader *reader,
				 const struct wire_field *field,
				 struct arena *arena, const char *what,
				 const char **ret_text, struct err *err);

struct onnx_tensor {
	const char *name; /**< "" when it has none */
	struct tensor_view view;
};

/** A TensorProto; its elements are borrowed or in `arena`. */
MUST_USE enum err_code onnx_parse_tensor(const struct onnx_reader *reader,
					 struct wire message,
					 struct arena *arena,
					 struct onnx_tensor *ret,
					 struct err *err);
/** A SparseTensorProto, made dense in `arena`. */
MUST_USE enum err_code onnx_parse_sparse(const struct onnx_reader *reader,
					 struct wire message,
					 struct arena *arena,
					 struct onnx_tensor *ret,
					 struct err *err);
/** Data of a tensor that lies in a file beside the model. */
struct onnx_external {
	const char *location;
	uint64_t offset, length;
	bool has_length;
};
/** Confined to the folder, and the bytes are there; *ret_fd goes to
 * onnx_read_external(), which closes it. */
MUST_USE enum err_code onnx_open_external(const struct onnx_reader *reader,
					  const struct onnx_external *external,
					  const char *tensor, size_t bytes,
					  int *ret_fd, struct err *err);
MUST_USE enum err_code onnx_read_external(const struct onnx_external *external,
					  int fd, void *into, size_t bytes,
					  struct err *err);

struct onnx_scope; /* onnx_function_priv.h */

/** An attribute; `is_graph` and `is_other` have no value. */
struct onnx_attr {
	const char *name;
	struct attr_value value;
	bool is_graph;	   /**< a GraphProto: a body */
	struct wire graph; /**< its bytes */
	bool is_other;	   /**< of a kind that is not read */
	/** Of a function's node: the call's attribute that it stands for; NULL:
	 * it has a value of its own. */
	const char *ref;
	bool is_given;			/**< by a call: see `ref` */
	const struct onnx_scope *scope; /**< of the names in graph, or NULL */
};

/** An AttributeProto; everything lands in the scratch arena, but the elements
 * of tensors in `tensors`. */
MUST_USE enum err_code onnx_parse_attr(const struct onnx_reader *reader,
				       struct wire message,
				       struct arena *tensors,
				       struct onnx_attr *ret, struct err *err);

/** A ValueInfoProto. */
struct onnx_port {
	const char *name;
	struct type type; /**< elem DTYPE_NONE: nothing is said */
	bool is_other;	  /**< map, opaque, sparse: no tensor of ours */
	bool has_rank;
	unsigned rank;
	struct signature_dim dim[SHAPE_MAX_RANK];
};

/** A TypeProto: fills all of a port but its name. */
MUST_USE enum err_code onnx_parse_type(const struct onnx_reader *reader,
				       struct wire message,
				       struct onnx_port *port, struct err *err);
/** Names and symbols land in `keep`. */
MUST_USE enum err_code onnx_parse_port(const struct onnx_reader *reader,
				       struct wire message,
				       struct onnx_port *ret, struct err *err);

#endif
