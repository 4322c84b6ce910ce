/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Builder: puts a document together in reading order, within its limits. Both
 * notations are read through it.
 *
 * Ownership: nodes live in the arena. Threads: one at a time.
 */
#ifndef BASE_DOC_PRIV_H
#define BASE_DOC_PRIV_H

#include "base/doc.h"

enum { DOC_LEVELS = 32, DOC_NODES_MAX = 100000, DOC_STRING_MAX = 1 << 20 };

struct doc_builder {
	const char *name; /**< begins every message */
	struct arena *arena;
	struct doc *root;
	size_t n_nodes, depth;
	struct {
		struct doc *branch, *last;
	} open[DOC_LEVELS]; /**< outermost first */
};

/** Copies len bytes, which must hold no NUL and not be too many. */
MUST_USE enum err_code doc_builder_text(struct doc_builder *builder,
					const char *bytes, size_t len, int line,
					const char **ret_text, struct err *err);
/** A new node at the end of the innermost open branch, or the root. */
MUST_USE enum err_code doc_builder_add(struct doc_builder *builder,
				       enum doc_kind kind, const char *key,
				       int line, struct doc **ret_doc,
				       struct err *err);
/** The next nodes go into `branch`, until doc_builder_close(). */
MUST_USE enum err_code doc_builder_open(struct doc_builder *builder,
					struct doc *branch, struct err *err);
void doc_builder_close(struct doc_builder *builder);
/** "NAME" or "NAME line 7", in the arena or, failing that, just the name. */
const char *doc_builder_where(const struct doc_builder *builder, int line);

#endif
