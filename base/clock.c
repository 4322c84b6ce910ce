/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t now(clockid_t clock, int64_t per_s)
{
	struct timespec ts = { 0 };

	/* cannot fail for these clocks with a valid pointer */
	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * per_s +
	       (int64_t)ts.tv_nsec / (INT64_C(1000000000) / per_s);
}

int64_t clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC, 1000000000);
}

int64_t clock_coarse_ns(void)
{
	return now(CLOCK_MONOTONIC_COARSE, 1000000000);
}

int64_t clock_realtime_ms(void)
{
	return now(CLOCK_REALTIME, 1000);
}

int64_t clock_deadline_ns(int64_t ms)
{
	int64_t deadline;

	if (__builtin_mul_overflow(ms, 1000000, &deadline) ||
	    __builtin_add_overflow(deadline, clock_monotonic_ns(), &deadline))
		return ms < 0 ? 0 : CLOCK_FOREVER;
	return deadline;
}

void clock_format_iso8601(int64_t realtime_ms, char ret_text[CLOCK_TEXT_MAX])
{
	static const int64_t year_0_ms = -INT64_C(62167219200000);
	static const int64_t year_9999_ms = INT64_C(253402300799999);
	struct tm tm = { 0 };
	time_t seconds;
	int ms;

	if (realtime_ms < year_0_ms)
		realtime_ms = year_0_ms;
	if (realtime_ms > year_9999_ms)
		realtime_ms = year_9999_ms;
	ms = (int)(realtime_ms % 1000);
	ms += ms < 0 ? 1000 : 0;
	seconds = (time_t)((realtime_ms - ms) / 1000);
	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(
	    ret_text, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
	    (unsigned)(tm.tm_year + 1900) % 10000U,
	    (unsigned)(tm.tm_mon + 1) % 100U, (unsigned)tm.tm_mday % 100U,
	    (unsigned)tm.tm_hour % 100U, (unsigned)tm.tm_min % 100U,
	    (unsigned)tm.tm_sec % 100U, (unsigned)ms % 1000U);
}

void clock_sleep_ms(int64_t ms)
{
	struct timespec left;

	if (ms <= 0)
		return;
	left.tv_sec = (time_t)(ms / 1000);
	left.tv_nsec = (long)(ms % 1000) * 1000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		; /* the rest is in left */
}
