/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Machine: one line that names what times of kernels depend on: the processor,
 * what code is made for it, and the versions of oneDNN and of ourselves.
 *
 * Threads: pure.
 */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

enum { MACHINE_TEXT_MAX = 192 };

/** Printable, without a line's end. */
const char *machine_text(char ret_text[MACHINE_TEXT_MAX]);

#endif
