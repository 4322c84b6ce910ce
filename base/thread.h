/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Thread: what a thread asks of the system's scheduler.
 *
 * Threads: each function is about the calling one, or all others.
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
/** Back to turns of the system's length. A new thread takes turns like the one
 * that makes it. */
void thread_take_usual_turns(void);

/** Lets all other threads of the process give way to everything (nice 19).
 * For the start of a program, and threads that libraries have begun
 * before it and that it will not use. */
void thread_lull_others(void);

#endif
