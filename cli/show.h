/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Show: a document for people to read, as indented "key: value" lines.
 *
 * Lists of plain values stand on one line; what is null is left out.
 *
 * Threads: one at a time.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "base/doc.h"
#include "cli/terminal.h"

void show_doc(const struct terminal *terminal, const struct doc *doc);
/** One value as text ("0.5", "true", "x"), or JSON for lists and maps, in the
 * arena; NULL: out of memory. */
const char *show_value(const struct doc *doc, struct arena *arena);

#endif
