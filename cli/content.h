/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Content: the media type of a file, by its first bytes or its ending.
 *
 * Threads: pure functions.
 */
#ifndef CLI_CONTENT_H
#define CLI_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

/** `name` may be "-". "application/octet-stream" where nothing tells. */
const char *content_type_of(const char *name, const void *bytes, size_t len);
/** Begins like a JSON object or list. */
bool content_is_json(const char *text);

#endif
