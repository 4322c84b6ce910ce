/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once a level of CPU; REDUCE_FN_OF names the result. */
#include "engine/ops/reduce_loops_priv.h"

#include <math.h>

/* REDUCE_TILE: results side by side that are reduced together. Memory is read
 * row by row, so long pieces of rows; the sums still stay near. */
enum { REDUCE_LANES = 16, REDUCE_TILE = 1024 };

struct block {
	int64_t rows, columns, pitch, step; /* step: between columns */
	const double *shift;		    /* of each column */
};

static double finite_or_0(double x)
{
	return isfinite(x) ? x : 0;
}

/* Offset in x of result number i. */
static int64_t reduce_offset(const struct reduce *r, int64_t i)
{
	int64_t offset = 0;

	for (unsigned k = r->n_kept; k-- > 0;) {
		offset += i % r->kept_dim[k] * r->kept_stride[k];
		i /= r->kept_dim[k];
	}
	return offset;
}

/* How many results from number i on are reduced together. */
static int64_t reduce_width(const struct reduce *r, int64_t i, int64_t last)
{
	int64_t inner, width = REDUCE_TILE;

	if (!r->is_inner_kept)
		return 1;
	inner = r->kept_dim[r->n_kept - 1];
	if (width > inner - i % inner)
		width = inner - i % inner;
	return width > last - i ? last - i : width;
}

/* Results of few neighbours each, one result behind the other. Their lanes hold
 * an element each, so that results side by side give the same bits. */
static bool is_short(const struct reduce *r)
{
	return !r->is_inner_kept && r->n_reduced == 1 && r->n_kept == 1 &&
	       r->count > 0 && r->count <= REDUCE_LANES &&
	       r->rule->map != MAP_EXP;
}

/* Steps over the first n reduced axes; false at the end. */
static bool reduce_next(const struct reduce *r, unsigned n, int64_t *at,
			int64_t *from)
{
	for (unsigned i = n; i-- > 0;) {
		*from += r->reduced_stride[i];
		if (++at[i] < r->reduced_dim[i])
			return true;
		*from -= r->reduced_stride[i] * r->reduced_dim[i];
		at[i] = 0;
	}
	return false;
}

#define IS_NAN(v) isnan(v)
#define IS_NEGATIVE(v) ((v) < 0)
#define T float
#define ACC double
#define WIDE double
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define NAME(x) x##_f32
#include "engine/ops/reduce_typed.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "engine/ops/reduce_typed.h"
#undef T
#undef ACC
#undef WIDE
#undef LOWEST
#undef HIGHEST
#undef NAME
/* sums of integers wrap */
#undef IS_NAN
#define IS_NAN(v) false
#define T int32_t
#define ACC uint64_t
#define WIDE int64_t
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define NAME(x) x##_i32
#include "engine/ops/reduce_typed.h"
#undef T
#undef LOWEST
#undef HIGHEST
#undef NAME
#define T int64_t
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#define NAME(x) x##_i64
#include "engine/ops/reduce_typed.h"
#undef T
#undef WIDE
#undef LOWEST
#undef HIGHEST
#undef NAME
#undef IS_NEGATIVE
#define IS_NEGATIVE(v) false
#define T uint64_t
#define WIDE uint64_t
#define LOWEST 0
#define HIGHEST UINT64_MAX
#define NAME(x) x##_u64
#include "engine/ops/reduce_typed.h"
#undef T
#undef HIGHEST
#undef NAME
#define T uint8_t
#define HIGHEST 1
#define NAME(x) x##_bool
#include "engine/ops/reduce_typed.h"
#undef T
#undef ACC
#undef WIDE
#undef LOWEST
#undef HIGHEST
#undef NAME
#undef IS_NAN
#undef IS_NEGATIVE

reduce_fn *REDUCE_FN_OF(enum dtype dtype)
{
	static reduce_fn *const fn[DTYPE_COUNT] = {
		[DTYPE_F32] = reduce_f32, [DTYPE_F64] = reduce_f64,
		[DTYPE_I32] = reduce_i32, [DTYPE_I64] = reduce_i64,
		[DTYPE_U64] = reduce_u64, [DTYPE_BOOL] = reduce_bool,
	};

	return fn[dtype];
}
