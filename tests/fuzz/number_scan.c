/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <math.h>

#include "base/arena.h"
#include "base/mem.h"
#include "server/number_scan.h"

enum { COUNT_MAX = 256 };

static const enum dtype dtypes[] = { DTYPE_F32, DTYPE_F64,  DTYPE_F16,
				     DTYPE_I8,	DTYPE_I64,  DTYPE_U16,
				     DTYPE_U64, DTYPE_BOOL, DTYPE_STRING,
				     DTYPE_U8,	DTYPE_I32 };

/* What was accepted as integers is what the C library reads there. */
static void compare_integers(const char *text, size_t size, const void *out,
			     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t want;
		char *end;

		text += strspn(text, "[], \n\t\r");
		want = strtoull(text, &end, 10);
		assert(end > text);
		assert(memcmp((const char *)out + i * size, &want, size) == 0);
		text = end;
	}
}

/* What was accepted as floats is what the C library reads there. */
static void compare(const char *text, enum dtype dtype, const void *out,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double want_double, got_double;
		float want_float, got_float;
		char *end;

		text += strspn(text, "[], \n\t\r");
		want_double = strtod(text, &end);
		want_float = strtof(text, NULL);
		if (dtype == DTYPE_F64) {
			memcpy(&got_double, (const double *)out + i, 8);
			assert(isnan(want_double)
				   ? isnan(got_double)
				   : memcmp(&want_double, &got_double, 8) == 0);
		} else {
			memcpy(&got_float, (const float *)out + i, 4);
			assert(isnan(want_float)
				   ? isnan(got_float)
				   : memcmp(&want_float, &got_float, 4) == 0);
		}
		text = end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(16 << 20);
	struct number_target target = { .name = "input", .arena = arena };
	enum number_kind kind;
	struct shape shape;
	struct err err;
	size_t used;
	char *text;

	if (!arena || size < 2) {
		arena_destroy(arena);
		return 0;
	}
	target.dtype = dtypes[data[0] % (sizeof(dtypes) / sizeof(*dtypes))];
	target.count = data[1] % COUNT_MAX;
	data += 2;
	size -= 2;
	/* exactly as large as said, so that a write past it is seen */
	target.out = mem_alloc(target.count * dtype_info(target.dtype)->size);
	if (target.out &&
	    !number_scan((const char *)data, size, &target, &used, &err)) {
		assert(used <= size);
		text = arena_strndup(arena, (const char *)data, used);
		if (target.dtype == DTYPE_F32 || target.dtype == DTYPE_F64)
			compare(text, target.dtype, target.out, target.count);
		else if (dtype_is_integer(target.dtype))
			compare_integers(text, dtype_info(target.dtype)->size,
					 target.out, target.count);
	}
	mem_free(target.out);
	(void)!number_scan_shape((const char *)data, size, "input", &shape,
				 &kind, &err);
	arena_destroy(arena);
	return 0;
}
