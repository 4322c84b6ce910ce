/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Thread: what a thread asks of the system's scheduler.
 *
 * Threads: each function is about the calling one.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <stdbool.h>

/** Asks for short turns: after a wake-up the thread then runs soon, before
 * others of its priority that have turns of the usual length, and gets no more
 * of the CPU than they. For threads that wake often for little work. False
 * where the system has no such thing (Linux before 6.12 says true and does
 * nothing). */
bool thread_take_short_turns(void);

#endif
