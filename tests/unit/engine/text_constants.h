/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph texts with constants that nobody wants to write out.
 */
#ifndef TESTS_ENGINE_TEXT_CONSTANTS_H
#define TESTS_ENGINE_TEXT_CONSTANTS_H

#include "base/buf.h"

/** Copies a text; "#[8,16]" becomes a constant of that shape, whose elements
 * lie between -1 and 1. */
void text_with_constants(const char *text, struct buf *buf);

#endif
