/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Clock: monotonic time for intervals and deadlines, calendar time for people.
 *
 * Threads: safe from any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_MAX = 32 };

/** A deadline that never comes. */
#define CLOCK_FOREVER INT64_MAX

/** Nanoseconds since some fixed moment; never goes back. */
int64_t clock_monotonic_ns(void);
/** The same as of the kernel's last tick, up to 10 ms ago, in a fourth of the
 * time: for limits of seconds. */
int64_t clock_coarse_ns(void);
/** Milliseconds since 1970-01-01 UTC. */
int64_t clock_realtime_ms(void);
/** clock_monotonic_ns() + ms, at most CLOCK_FOREVER. */
int64_t clock_deadline_ns(int64_t ms);
/** "2026-01-31T12:34:56.789Z"; moments outside the years 0 to 9999 are
 * written as the nearest one inside. */
void clock_format_iso8601(int64_t realtime_ms, char ret_text[CLOCK_TEXT_MAX]);
/** Lets the thread sleep for ms; signals do not cut it short. */
void clock_sleep_ms(int64_t ms);

#endif
