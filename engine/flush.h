/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Flush: denormal numbers count as zero while numbers are crunched.
 *
 * Adam over denormal moments is more than twice as slow. Every thread that
 * runs slices is in this mode, so that a result does not depend on who
 * computed it: helpers for life, a leader for the length of its run.
 *
 * Threads: the mode belongs to the calling thread.
 */
#ifndef ENGINE_FLUSH_H
#define ENGINE_FLUSH_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

/** Begins the mode; the result goes to flush_end(). */
static inline uint64_t flush_begin(void)
{
#if defined(__SSE2__)
	const unsigned old = _mm_getcsr();

	/* FTZ is bit 15 and DAZ bit 6 of MXCSR */
	_mm_setcsr(old | 0x8040u);
	return old;
#elif defined(__aarch64__)
	uint64_t old;

	/* FZ is bit 24 of FPCR */
	__asm__ volatile("mrs %0, fpcr" : "=r"(old));
	__asm__ volatile("msr fpcr, %0" : : "r"(old | (UINT64_C(1) << 24)));
	return old;
#else
	return 0;
#endif
}

/** Restores what was before. */
static inline void flush_end(uint64_t old)
{
#if defined(__SSE2__)
	_mm_setcsr((unsigned)old);
#elif defined(__aarch64__)
	__asm__ volatile("msr fpcr, %0" : : "r"(old));
#else
	(void)old;
#endif
}

#endif
