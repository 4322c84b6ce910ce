/* SPDX-License-Identifier: Apache-2.0 */
/* The file TYPED for each element type that has an order: T is the type,
 * NAME(x) its name of x, IS_NAN(v) whether v has no place in the order. */
#define IS_NAN(v) isnan(v)
#define T float
#define NAME(x) x##_f32
#include TYPED
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include TYPED
#undef T
#undef NAME
#undef IS_NAN
#define IS_NAN(v) false
#define T int32_t
#define NAME(x) x##_i32
#include TYPED
#undef T
#undef NAME
#define T int64_t
#define NAME(x) x##_i64
#include TYPED
#undef T
#undef NAME
#define T uint64_t
#define NAME(x) x##_u64
#include TYPED
#undef T
#undef NAME
#undef IS_NAN
#undef TYPED

/* Those functions by element type, for a table [DTYPE_COUNT]. */
#define ORDERED(name)                                       \
	[DTYPE_F32] = name##_f32, [DTYPE_F64] = name##_f64, \
	[DTYPE_I32] = name##_i32, [DTYPE_I64] = name##_i64, \
	[DTYPE_U64] = name##_u64
