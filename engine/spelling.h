/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Spellings: older and foreign forms of operators, lowered at import.
 *
 * (domain, name, opset) finds a spelling, else the row itself. A spelling says
 * how in one of three ways: `moves` (attributes that became inputs, or went
 * away; the others are the row's), `text` (graph text), or `lower`. Kernels,
 * gradients and passes never see an opset.
 *
 * The importer walks a file's nodes in order and calls spelling_lower() for
 * each; its attribute source tells the node's attributes (but bodies) as
 * struct attr_value. Lowered graphs are in evaluation form.
 *
 * Ownership: what is made lives in the graph's arena.
 * Threads:   one at a time a graph; tables are const.
 */
#ifndef ENGINE_SPELLING_H
#define ENGINE_SPELLING_H

#include "engine/attr.h"
#include "engine/build.h"

/** Graphs that are attributes of a node: for a spelling with `bodies`. */
struct body_source {
	void *ctx;
	/** Appends the nodes of the graph `name`, whose one input is *value, to
	 * the graph of the node; *value becomes its one output. Nothing happens
	 * where the node has no such graph. */
	enum err_code (*append)(void *ctx, const char *name, int32_t *value,
				struct err *err);
};

/** A node as a file has it. */
struct spelling_node {
	const char *domain, *name; /**< "" and "ai.onnx" are the same */
	unsigned opset;		   /**< of that domain */
	const char *node_name;
	const struct attr_source *attrs;
	const struct body_source *bodies; /**< NULL: it has no graphs */
	const int32_t *in;		  /**< VALUE_NONE: absent */
	unsigned n_in;
	int32_t *out; /**< to fill: n_out values */
	unsigned n_out;
};

/** Appends what a node means in canonical operators. ERR_UNSUPPORTED names
 * operator, domain and opset where there is no row for it; rows of domain
 * "predictd" are refused, too. */
MUST_USE enum err_code spelling_lower(struct build *build,
				      const struct spelling_node *node,
				      struct err *err);

enum spelling_as {
	AS_INTS,   /**< an int64 vector */
	AS_SCALAR, /**< a scalar of the type of input 0 */
	AS_NOTHING /**< left out: it has no meaning any more */
};
struct spelling_move {
	const char *attr; /**< NULL ends a list */
	enum spelling_as as;
	unsigned input;
	bool is_required;
};

/** What `lower` gets. */
struct lower {
	struct build *build;
	const struct spelling_node *node;
	const void *attrs; /**< of the spelling's own table */
	const struct tensor_view *const *in_const; /**< by input, or NULL */
	const struct op_attr *table;
};

struct spelling {
	const char *domain, *name;
	uint16_t from, to; /**< opsets, inclusive */
	const struct spelling_move *moves;
	const char *text; /**< inputs x0, x1 ..., results y0, y1 ... */
	enum err_code (*lower)(struct lower *lower, struct err *err);
	/** Of text and lower; NULL: lower() reads node->attrs itself. */
	const struct op_attr *attrs;
	size_t attrs_size;
	/** Attributes that are graphs: lower() appends them; or NULL. */
	const char *const *bodies;
};

/** NULL: use the row. */
const struct spelling *spelling_find(const char *domain, const char *name,
				     unsigned opset);
/** Number i of all; NULL when i is past the end. For tests and docs. */
const struct spelling *spelling_at(size_t i);

/** For lower(): appends graph text, in the names of `text` above; "@name" is
 * an attribute of the spelling. Fills node->out. */
MUST_USE enum err_code lower_text(struct lower *lower, const char *text,
				  struct err *err);

#endif
