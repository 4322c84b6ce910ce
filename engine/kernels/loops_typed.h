/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops over elements of type T: a rule, one element at a time, is
 * inlined into one of the walks below. NAME(x) gives x its type. */

typedef T NAME(rule1)(T x, const T *p);
typedef T NAME(rule2)(T a, T b, const T *p);
typedef bool NAME(test2)(T a, T b);
typedef bool NAME(test1)(T x, const T *p);

LOOPS_INLINE void NAME(params)(const double *from, T *to)
{
	for (int i = 0; i < LOOP_MAX_PARAMS; i++)
		to[i] = (T)from[i];
}

LOOPS_INLINE bool NAME(walk1)(int64_t n, const void *const *in, const int *step,
			      void *out, const double *params,
			      NAME(rule1) * rule)
{
	const T *x = in[0];
	T *y = out;
	T p[LOOP_MAX_PARAMS];

	NAME(params)(params, p);
	if (!step[0]) {
		const T all = n ? rule(x[0], p) : 0;

		for (int64_t i = 0; i < n; i++)
			y[i] = all;
		return true;
	}
	LOOPS_INDEPENDENT
	for (int64_t i = 0; i < n; i++)
		y[i] = rule(x[i], p);
	return true;
}

LOOPS_INLINE bool NAME(walk2)(int64_t n, const void *const *in, const int *step,
			      void *out, const double *params,
			      NAME(rule2) * rule)
{
	const T *a = in[0], *b = in[1];
	T *y = out;
	T p[LOOP_MAX_PARAMS];

	if (n == 0)
		return true;
	NAME(params)(params, p);
	if (step[0] && step[1]) {
		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = rule(a[i], b[i], p);
	} else if (step[0]) {
		const T still = b[0];

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = rule(a[i], still, p);
	} else if (step[1]) {
		const T still = a[0];

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = rule(still, b[i], p);
	} else {
		const T all = rule(a[0], b[0], p);

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = all;
	}
	return true;
}

LOOPS_INLINE bool NAME(walk_test)(int64_t n, const void *const *in,
				  const int *step, void *out,
				  NAME(test2) * test)
{
	const T *a = in[0], *b = in[1];
	bool *y = out;

	if (n == 0)
		return true;
	if (step[0] && step[1]) {
		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = test(a[i], b[i]);
	} else if (step[0]) {
		const T still = b[0];

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < n; i++)
			y[i] = test(a[i], still);
	} else {
		for (int64_t i = 0; i < n; i++)
			y[i] = test(a[0], b[step[1] ? i : 0]);
	}
	return true;
}

LOOPS_INLINE bool NAME(walk_test1)(int64_t n, const void *const *in,
				   const int *step, void *out,
				   const double *params, NAME(test1) * test)
{
	const T *x = in[0];
	bool *y = out;
	T p[LOOP_MAX_PARAMS];

	NAME(params)(params, p);
	LOOPS_INDEPENDENT
	for (int64_t i = 0; i < n; i++)
		y[i] = test(x[step[0] ? i : 0], p);
	return true;
}
