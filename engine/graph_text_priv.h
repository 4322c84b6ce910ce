/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The parser of graph text, shared by its files.
 *
 * graph_lex.c makes tokens, graph_text_attr.c reads attributes and tensors,
 * graph_text_call.c names, operands and calls, graph_text_parse.c statements.
 *
 * Ownership: everything but the graph lives in `scratch`, until the end of the
 *            parse.
 */
#ifndef ENGINE_GRAPH_TEXT_PRIV_H
#define ENGINE_GRAPH_TEXT_PRIV_H

#include "engine/attr.h"
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
/** "@name", at the '@': the member of the node whose rule this text is.
 * *ret_present: false for an absent text or tensor. */
MUST_USE enum err_code text_borrowed(struct text_parser *parser,
				     struct attr_value *ret, bool *ret_present,
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
/** NULL when the text has not defined it. */
struct text_name *text_find_name(const struct text_parser *parser,
				 struct str text);
/** Refuses a second definition. */
MUST_USE enum err_code text_add_name(struct text_parser *parser,
				     struct str text, int32_t value,
				     bool was_assigned, struct err *err);
/** Gives the graph's value its name in the text (whole graphs only). */
MUST_USE enum err_code text_rename(struct text_parser *parser, int32_t value,
				   struct str text, struct err *err);
/** ":float[2,3]", at the colon; `text` is the name before it. The value
 * becomes an operand. */
MUST_USE enum err_code text_declare(struct text_parser *parser, struct str text,
				    struct err *err);
/** The right side of a statement with n_out results, which are left as
 * operands. */
MUST_USE enum err_code text_expression(struct text_parser *parser,
				       unsigned n_out, struct err *err);
/** True when the token is that name. */
bool text_is_word(const struct text_parser *parser, const char *word);
/** "graph text: out of memory" */
enum err_code text_no_memory(struct err *err);

#endif
