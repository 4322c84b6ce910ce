/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A file, or a body in it, on its way to a graph.
 *
 * Ownership: everything is in the reader's arenas.
 * Threads:   one a read.
 */
#ifndef MODELS_ONNX_IMPORT_PRIV_H
#define MODELS_ONNX_IMPORT_PRIV_H

#include "models/onnx_file_priv.h"

struct onnx_importer {
	struct onnx_reader reader;
	struct onnx_file file;
	struct onnx_names names;
	struct graph *graph;
	struct build build;
	int32_t *keys;	 /* by output: keys of its maps, or VALUE_NONE */
	const int *role; /* by initializer; NULL: all are constants */
	bool trainable, any_values;
	/* of a body: the node's operands in the graph around it */
	const struct graph *outer;
	const struct onnx_node *node;
	const int32_t *operand;
	/** A body whose nodes are appended to the graph around it: its names
	 * stay outside. */
	bool is_appended;
};

/** What a name stands for: initializers come in when the first node reads
 * them. `def` may be NULL: VALUE_NONE. */
MUST_USE enum err_code onnx_import_value(struct onnx_importer *im,
					 struct onnx_def *def,
					 int32_t *ret_value, struct err *err);
/** Appends the newest forms of all nodes. */
MUST_USE enum err_code onnx_import_nodes(struct onnx_importer *im,
					 struct err *err);
MUST_USE enum err_code onnx_import_outputs(struct onnx_importer *im,
					   struct err *err);
/** Appends a node that has bodies, whose operands are `in`. */
MUST_USE enum err_code onnx_import_control(struct onnx_importer *im,
					   struct onnx_node *node, int32_t *in,
					   int32_t *out, struct err *err);

#endif
