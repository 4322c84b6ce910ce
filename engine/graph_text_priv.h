/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The parser of graph text, shared by its files.
 *
 * graph_lex.c makes tokens, graph_text_attr.c reads attributes and tensors,
 * graph_text_parse.c statements and calls.
 *
 * Ownership: everything but the graph lives in `scratch`, until the end of the
 *            parse.
 */
#ifndef ENGINE_GRAPH_TEXT_PRIV_H
#define ENGINE_GRAPH_TEXT_PRIV_H

#include "engine/build.h"
#include "engine/graph_lex_priv.h"

enum { TEXT_MAX_BYTES = 64 << 10, TEXT_MAX_LEVELS = 32, OP_NAME_MAX = 128 };

/** A name of the text, and what it stands for. */
struct text_name {
	struct str text;
	int32_t value;
	bool was_read, was_assigned;
};

/** An operand that waits for the end of its call. */
struct operand {
	int32_t value; /**< VALUE_NONE: left out, or a number */
	bool is_number;
	struct literal number;
};

/** An open call. */
struct text_frame {
	const struct op *op;
	const void *attrs;
	int32_t first; /**< its first operand */
};

struct text_parser {
	struct lex lex;
	struct build *build;
	struct arena *scratch;
	const struct graph_node *attrs_of; /**< NULL: no "@name" */
	bool may_declare;		   /**< inputs and variables */
	struct text_name *name;
	int32_t *slot; /**< hash of names: 0, or 1 + index */
	struct operand *operand;
	int32_t *ids; /**< as many as operands: inputs or outputs of a node */
	struct fact *input; /**< by graph input */
	uint32_t n_slot, n_name;
	int32_t n_operand, n_frame, n_input;
	bool has_return;
	struct text_frame frame[TEXT_MAX_LEVELS];
};

/** "<name=value, ...>" or nothing; attrs of the row in scratch memory. */
MUST_USE enum err_code text_attrs(struct text_parser *parser,
				  const struct op *op, const void **ret_attrs,
				  struct err *err);
/** "float[2,3]", at the type's name. has_shape: brackets were there, with
 * numbers only. */
MUST_USE enum err_code text_type(struct text_parser *parser, struct fact *ret,
				 struct err *err);
/** "{1, 2}", at the brace, into elements of that type and shape. */
MUST_USE enum err_code text_values(struct text_parser *parser,
				   struct arena *arena, const struct fact *type,
				   struct tensor_view *ret, struct err *err);
/** Steps over a mark, or refuses. */
MUST_USE enum err_code text_expect(struct text_parser *parser, char mark,
				   struct err *err);
/** "graph text: out of memory" */
enum err_code text_no_memory(struct err *err);

#endif
