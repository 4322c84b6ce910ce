/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fuzz: the one function that libFuzzer calls and replay.c replays.
 *
 * Threads: one at a time.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Returns 0; a fault is a sanitizer's report or a failed assert. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
