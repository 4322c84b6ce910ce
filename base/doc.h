/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Document: what a JSON or YAML text says, as one small tree.
 *
 * Job specs, configuration, model.yaml and manifests are read through it, so
 * that a spec means the same in both notations. Order and line numbers are
 * kept. jansson reads JSON, libyaml's events read YAML; duplicate keys,
 * anchors, aliases, tags and several documents are refused. A YAML scalar
 * that is not quoted is null, a boolean, a number or a string by the core
 * schema (YAML 1.2, section 10.3).
 *
 * Ownership: nodes and strings live in the arena that was handed in.
 * Threads:   doc_init() first; a finished document is read only.
 * Limits:    32 levels, 100,000 nodes, strings of 1 MiB, the text's own max.
 */
#ifndef BASE_DOC_H
#define BASE_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum doc_kind {
	DOC_NULL,
	DOC_BOOL,
	DOC_INT,
	DOC_DOUBLE,
	DOC_STRING,
	DOC_LIST,
	DOC_MAP
};

struct doc {
	enum doc_kind kind;
	int line;	 /**< from 1; 0 where unknown (JSON) */
	const char *key; /**< in a map; NULL elsewhere */
	bool boolean;
	int64_t integer;
	double number;	   /**< also set for DOC_INT */
	const char *text;  /**< DOC_STRING; NUL-terminated, no NUL inside */
	size_t n;	   /**< children of a list or map */
	struct doc *first; /**< first child */
	struct doc *next;  /**< next sibling */
};

/** Once, in main(), before threads start. */
void doc_init(void);

/** `name` (a file, "request body") begins every message. */
MUST_USE enum err_code doc_parse_json(const char *text, size_t len,
				      const char *name, struct arena *arena,
				      struct doc **ret_doc, struct err *err);
MUST_USE enum err_code doc_parse_yaml(const char *text, size_t len,
				      const char *name, struct arena *arena,
				      struct doc **ret_doc, struct err *err);
/** Child by key, NULL when absent or when doc is no map. */
const struct doc *doc_find(const struct doc *doc, const char *key);
/** "a map", "the number 3", "the text 'x'": for messages, in the arena. */
const char *doc_describe(const struct doc *doc, struct arena *arena);

/* Building one by hand; NULL when out of memory. */
struct doc *doc_new(struct arena *arena, enum doc_kind kind);
struct doc *doc_new_text(struct arena *arena, const char *text);
struct doc *doc_new_double(struct arena *arena, double number);
struct doc *doc_new_int(struct arena *arena, int64_t integer);
struct doc *doc_new_bool(struct arena *arena, bool boolean);
/** Appends child under key (NULL in a list). */
void doc_add(struct doc *parent, const char *key, struct doc *child);

#endif
