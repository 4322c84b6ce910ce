/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * One ONNX file on its way to a graph: its lists, the names that it defines,
 * and the steps that onnx_read() takes.
 *
 * Ownership: everything is in the reader's arenas.
 * Threads:   one file a read.
 */
#ifndef MODELS_ONNX_FILE_PRIV_H
#define MODELS_ONNX_FILE_PRIV_H

#include "engine/build.h"
#include "models/onnx_priv.h"

struct body_source; /* engine/spelling.h */

/** What a name of the file stands for. */
enum onnx_def_kind { ONNX_DEF_INPUT, ONNX_DEF_INIT, ONNX_DEF_NODE };
struct onnx_def {
	const char *name;
	enum onnx_def_kind kind;
	int32_t index; /**< of the input, initializer or node */
	int32_t value; /**< in the graph; VALUE_NONE: not there yet */
	bool is_output;
};

struct onnx_node {
	const char *domain; /**< "" for "ai.onnx" */
	const char *op, *name, *overload;
	int32_t n_in, n_out, n_attr;
	const char **in, **out; /**< "": left out */
	struct onnx_attr *attr;
	struct onnx_def **def; /**< by input; NULL: left out */
	unsigned opset;
	/** By attribute, NULL for one that is no graph. Names of the outer
	 * graph that bodies read are the last n_captured inputs, of the node
	 * and of every body. */
	struct onnx_file **body;
	int32_t n_captured;
	/** While it is lowered: graphs of a spelling; or NULL. */
	const struct body_source *bodies;
};

struct onnx_import {
	const char *domain;
	int64_t version;
};

enum { ONNX_MAX_DEPTH = 16 }; /* bodies in bodies */

/** What all graphs of a file share. */
struct onnx_model {
	int64_t ir_version;
	int32_t n_import, n_function;
	struct onnx_import *import;
	struct onnx_function *function; /**< onnx_function_priv.h; sorted */
	int32_t n_inlined; /**< calls of functions, and nodes made of them */
};

struct onnx_file {
	struct onnx_model *model;
	struct wire graph;
	bool has_graph;
	int32_t n_node, n_init, n_input, n_output;
	struct onnx_node *node;
	struct onnx_tensor *init;
	struct onnx_port *input, *output;
};

/** ModelProto and GraphProto, without any meaning yet. */
MUST_USE enum err_code onnx_parse_file(const struct onnx_reader *reader,
				       const void *bytes, size_t len,
				       struct onnx_file *ret, struct err *err);

/** The lists of a GraphProto, without its bodies: file->graph. */
MUST_USE enum err_code onnx_parse_graph(const struct onnx_reader *reader,
					struct onnx_file *file,
					struct err *err);
/** The bodies of all nodes, to any depth, and what they capture. */
MUST_USE enum err_code onnx_parse_bodies(const struct onnx_reader *reader,
					 struct onnx_file *file, unsigned depth,
					 struct err *err);

/** Every name that the file defines, sorted. */
struct onnx_names {
	struct onnx_def *def;
	size_t n;
};

/** A Gradient node gets what its attribute y names as its last input; other
 * nodes stay as they are. */
MUST_USE enum err_code onnx_name_target(const struct onnx_reader *reader,
					struct onnx_node *node,
					struct err *err);

/** Refuses names that are defined twice; an initializer that is an input too
 * is an initializer. Gives every input of every node its definition, and
 * refuses names that nothing defines. */
MUST_USE enum err_code onnx_resolve_names(const struct onnx_reader *reader,
					  struct onnx_file *file,
					  struct onnx_names *ret,
					  struct err *err);
/** NULL when absent. */
struct onnx_def *onnx_find_name(const struct onnx_names *names,
				const char *name);
/** *ret_order: numbers of nodes, each after those it reads; refuses cycles. */
MUST_USE enum err_code onnx_sort_nodes(const struct onnx_reader *reader,
				       const struct onnx_file *file,
				       int32_t **ret_order, struct err *err);
/** One message for all nodes that cannot be lowered. */
MUST_USE enum err_code onnx_check_support(const struct onnx_reader *reader,
					  const struct onnx_file *file,
					  struct err *err);
/** Initializers that training may change: which role each has. ret_role has
 * n_init entries; -1: a constant. */
MUST_USE enum err_code onnx_choose_roles(const struct onnx_reader *reader,
					 const struct onnx_file *file,
					 int **ret_role, struct err *err);
/** Appends the newest form of a node. out[i] stays VALUE_NONE for an output
 * that the form does not have. */
MUST_USE enum err_code onnx_lower_node(const struct onnx_reader *reader,
				       struct build *build,
				       const struct onnx_node *node,
				       const int32_t *in, int32_t *out,
				       struct err *err);
/** The pairs that ModelProto carries, into `keep`. */
MUST_USE enum err_code onnx_read_notes(const struct onnx_reader *reader,
				       struct wire message,
				       struct model_signature *ret,
				       struct err *err);
/** How a node is called in messages: its name, or that of its first output. */
const char *onnx_node_name(const struct onnx_node *node);

#endif
