/* SPDX-License-Identifier: Apache-2.0 */
#include "server/whole_run.h"

#include "engine/kernels/loops.h"
#include "server/float_run_priv.h"

/* One element of at most 8 digits that ends right at `end`. */
static ALWAYS_INLINE bool take(const char *at, const char *end, const void *of,
			       size_t i)
{
	const struct whole_run *run = of;
	const bool is_negative = *at == '-';
	uint64_t value = 0;
	unsigned n;

	at += is_negative;
	n = digits_at(at, &value);
	if (at + n != end || !n || (*at == '0' && n > 1) ||
	    value > run->limit[is_negative])
		return false;
	value = is_negative ? 0 - value : value;
	memcpy((char *)run->out + i * run->size, &value, run->size);
	return true;
}

static const char *run_base(const char *at, const char *end,
			    const struct whole_run *run)
{
	return run_by_commas(at, end, take, run, run->count, run->n);
}

#ifdef LOOPS_X86_LEVELS
whole_run_fn whole_run_v3, whole_run_v4;

whole_run_fn *whole_run_find_level(unsigned level)
{
	return level == 2 ? whole_run_v4 : level == 1 ? whole_run_v3 : run_base;
}
#else
whole_run_fn *whole_run_find_level(unsigned level)
{
	(void)level;
	return run_base;
}
#endif

whole_run_fn *whole_run_find(void)
{
	return whole_run_find_level(loop_levels() - 1);
}
