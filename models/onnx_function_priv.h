/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Functions of a model: a node whose domain, operator and overload name one
 * becomes the function's nodes before anything else is asked of them, so that
 * names, order, support and lowering know nothing of functions. A function of
 * a standard operator's name comes before the operator.
 *
 * Names of a function's inner values get a prefix for each call, formal inputs
 * and outputs become the actual ones (an input that the call leaves out is ""),
 * and attributes by reference take what the call gives, else the function's
 * default, else they are left out. Bodies of a function's nodes are read in
 * the scope of the call. Nodes lower by the function's own operator sets.
 *
 * Ownership: everything is in the reader's scratch arena.
 * Threads:   one reader a read.
 * Limits:    calls nest ONNX_MAX_CALLS deep; all calls of a file together make
 *            ONNX_MAX_INLINED nodes at most.
 */
#ifndef MODELS_ONNX_FUNCTION_PRIV_H
#define MODELS_ONNX_FUNCTION_PRIV_H

#include "models/onnx_rows_priv.h"

struct onnx_file;
struct onnx_model;
struct onnx_node;

enum { ONNX_MAX_CALLS = 32, ONNX_MAX_INLINED = 1 << 17 };

struct onnx_function {
	const char *domain, *name, *overload;
	struct onnx_texts in, out;
	int32_t n_import, n_default, n_node;
	struct onnx_import *import;
	struct onnx_attr *defaults; /**< of attributes that have one */
	struct onnx_node *node;
};

/** A FunctionProto. */
onnx_parse_row onnx_parse_function;

/** Sorts the functions of a model; refuses two of one name. */
MUST_USE enum err_code onnx_sort_functions(const struct onnx_reader *reader,
					   struct onnx_model *model,
					   struct err *err);
/** The function that a node calls, or NULL. */
const struct onnx_function *onnx_find_function(const struct onnx_model *model,
					       const struct onnx_node *node);

/** What a name in a function, or in a body within one, stands for. */
struct onnx_scope {
	/** The call that made the scope; NULL: it is a body's. */
	const struct onnx_function *function;
	const struct onnx_node *call;
	const struct onnx_scope *around; /**< of the call or of the body */
	const struct onnx_scope *home;	 /**< the call's: itself, or around */
	const char *prefix;		 /**< of a function's inner names */
	unsigned depth;			 /**< of calls */
	struct onnx_alias {
		const char *name, *to; /**< "": left out */
		int32_t place;	       /**< among equal names */
	} * alias;		       /**< sorted by name */
	int32_t n_alias;
};

/** NULL when out of memory; a NULL scope leaves names as they are. */
const char *onnx_scope_name(const struct onnx_reader *reader,
			    const struct onnx_scope *scope, const char *name);
/** Number of the entry, or -1; only in the scope itself. */
int32_t onnx_scope_find(const struct onnx_scope *scope, const char *name);
/** Entries must be sorted before names are looked up. */
void onnx_scope_sort(struct onnx_scope *scope);
/** A node as the scope has it: its names, and its attributes by reference. */
MUST_USE enum err_code onnx_scope_node(const struct onnx_reader *reader,
				       const struct onnx_scope *scope,
				       struct onnx_node *node, struct err *err);
/** The same for a body's inputs, initializers and outputs. *ret: the scope of
 * its nodes, in which names that the body defines are its own. */
MUST_USE enum err_code onnx_scope_body(const struct onnx_reader *reader,
				       const struct onnx_scope *around,
				       struct onnx_file *body,
				       const struct onnx_scope **ret,
				       struct err *err);

/** Puts the nodes of functions in the place of calls, to any depth, and gives
 * every node its operator set. `scope` is that of the file's nodes; NULL: the
 * model's graph or a body in it. */
MUST_USE enum err_code onnx_inline_calls(const struct onnx_reader *reader,
					 struct onnx_file *file,
					 const struct onnx_scope *scope,
					 struct err *err);

#endif
