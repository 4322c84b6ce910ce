/* SPDX-License-Identifier: Apache-2.0 */
#include "server/float_run_priv.h"

#include "engine/kernels/loops.h"

enum { FRACTION_MAX = 17 };

/* One element of at most 8 digits, or of one before the point and at most 17
 * behind it, that ends right at `end`. */
static ALWAYS_INLINE bool take(const char *at, const char *end, uint32_t sign,
			       uint32_t *ret_bits)
{
	uint64_t w = 0;
	unsigned n, n_more;

	if (at[1] != '.') {
		n = digits_at(at, &w);
		return at + n == end && n && !(*at == '0' && n > 1) &&
		       run_scale(w, 0, sign, ret_bits);
	}
	w = (unsigned char)(*at - '0');
	n = w <= 9 ? digits_at(at + 2, &w) : 0;
	at += 2 + n;
	if (n == 8) {
		n_more = digits_at(at, &w);
		at += n_more;
		n += n_more;
		if (n_more == 8 && at != end) {
			w = w * 10 + (unsigned char)(*at - '0');
			if ((unsigned char)(*at++ - '0') > 9)
				return false;
			n++;
		}
	}
	return at == end && n && n <= FRACTION_MAX &&
	       run_scale(w, n, sign, ret_bits);
}

static ALWAYS_INLINE bool take_one(const char *at, const char *end,
				   const void *run, size_t i)
{
	const struct float_run *floats = run;
	const uint32_t sign = *at == '-';

	return take(at + sign, end, sign, &floats->out[i]);
}

static const char *run_base(const char *at, const char *end,
			    const struct float_run *run)
{
	return run_by_commas(at, end, take_one, run, run->count, run->n);
}

#ifdef LOOPS_X86_LEVELS
float_run_fn float_run_v3, float_run_v4, float_run_vbmi;

unsigned float_run_levels(void)
{
	const unsigned levels = loop_levels();
	const bool has_vbmi = __builtin_cpu_supports("avx512vbmi") &&
			      __builtin_cpu_supports("avx512vbmi2");

	return levels == 3 && has_vbmi ? 4 : levels;
}

float_run_fn *float_run_find_level(unsigned level)
{
	static float_run_fn *const runs[] = {
		run_base,
		float_run_v3,
		float_run_v4,
		float_run_vbmi,
	};

	return runs[level];
}
#else
unsigned float_run_levels(void)
{
	return 1;
}

float_run_fn *float_run_find_level(unsigned level)
{
	(void)level;
	return run_base;
}
#endif

float_run_fn *float_run_find(void)
{
	return float_run_find_level(float_run_levels() - 1);
}
