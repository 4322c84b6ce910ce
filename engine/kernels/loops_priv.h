/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops, inside: the tables that loops_table.c becomes, and what its typed
 * headers share.
 */
#ifndef ENGINE_KERNELS_LOOPS_PRIV_H
#define ENGINE_KERNELS_LOOPS_PRIV_H

#include "engine/kernels/loops.h"

extern const struct loop loops_base[], loops_v3[], loops_v4[],
    loops_reference[];

/* Iterations do not depend on each other, though out may be in[0]. */
#if defined(__clang__)
#define LOOPS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LOOPS_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* The function that a table names: a walk with a rule inlined into it. */
#define LOOPS_WALK1(rule)                                               \
	static bool NAME(rule##_loop)(int64_t n, const void *const *in, \
				      const int *step, void *out,       \
				      const double *p)                  \
	{                                                               \
		return NAME(walk1)(n, in, step, out, p, NAME(rule));    \
	}
#define LOOPS_WALK2(rule)                                               \
	static bool NAME(rule##_loop)(int64_t n, const void *const *in, \
				      const int *step, void *out,       \
				      const double *p)                  \
	{                                                               \
		return NAME(walk2)(n, in, step, out, p, NAME(rule));    \
	}
#define LOOPS_TEST(rule)                                                \
	static bool NAME(rule##_loop)(int64_t n, const void *const *in, \
				      const int *step, void *out,       \
				      const double *p)                  \
	{                                                               \
		(void)p;                                                \
		return NAME(walk_test)(n, in, step, out, NAME(rule));   \
	}

#define LOOPS_TEST1(rule)                                                 \
	static bool NAME(rule##_loop)(int64_t n, const void *const *in,   \
				      const int *step, void *out,         \
				      const double *p)                    \
	{                                                                 \
		return NAME(walk_test1)(n, in, step, out, p, NAME(rule)); \
	}

#define LOOPS_INLINE static inline __attribute__((always_inline))

#endif
