/* SPDX-License-Identifier: Apache-2.0 */
#include "server/run_times.h"

static const int64_t sizes[RUN_SIZES] = { 1,  2,  3,  4,  6,  8,
					  12, 16, 24, 32, 48, 64 };

/* Of the padded size; RUN_SIZES above the largest. */
static unsigned index_of(int64_t rows)
{
	unsigned i = 0;

	while (i < RUN_SIZES && rows > sizes[i])
		i++;
	return i;
}

int64_t run_padded(int64_t rows)
{
	const unsigned i = index_of(rows);

	return i < RUN_SIZES ? sizes[i] : rows;
}

static int64_t get(const atomic_int_least64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

static void set(atomic_int_least64_t *at, int64_t ns)
{
	atomic_store_explicit(at, ns, memory_order_relaxed);
}

/* Three parts of what is known and one of what is new; of that no more than
 * four times as much: a thread may have lost its CPU meanwhile. */
static void smooth(atomic_int_least64_t *at, int64_t ns)
{
	const int64_t old = get(at);

	if (old && ns / 4 > old)
		ns = 4 * old;
	set(at, old ? (3 * old + ns) / 4 : ns);
}

/* ns * of / by, as far as it can be said. */
static int64_t scale(int64_t ns, int64_t of, int64_t by)
{
	int64_t product;

	return __builtin_mul_overflow(ns, of, &product) ? INT64_MAX
							: product / by;
}

void run_times_init(struct run_times *times)
{
	for (unsigned i = 0; i < RUN_SIZES; i++)
		atomic_init(&times->ns[i], 0);
	atomic_init(&times->ns_per_row, 0);
}

void run_times_learn(struct run_times *times, int64_t rows, int64_t ns)
{
	const unsigned i = index_of(rows);

	/* 0 says that nothing is known */
	if (i < RUN_SIZES)
		smooth(&times->ns[i], ns + 1);
	smooth(&times->ns_per_row, ns / run_padded(rows) + 1);
}

bool run_times_knows(const struct run_times *times, int64_t rows)
{
	const unsigned i = index_of(rows);

	return i < RUN_SIZES && get(&times->ns[i]) > 0;
}

int64_t run_times_predict(const struct run_times *times, int64_t rows)
{
	const unsigned size = index_of(rows);
	int64_t ns;

	for (unsigned i = size < RUN_SIZES ? size + 1 : RUN_SIZES; i-- > 0;) {
		ns = get(&times->ns[i]);
		if (ns)
			return scale(ns, run_padded(rows), sizes[i]);
	}
	for (unsigned i = size + 1; i < RUN_SIZES; i++) {
		ns = get(&times->ns[i]);
		if (ns)
			return ns;
	}
	return 0;
}

int64_t run_times_split(const struct run_times *times, int64_t rows,
			int64_t *ret_ns)
{
	const unsigned i = index_of(rows);
	int64_t less;

	*ret_ns = run_times_predict(times, rows);
	if (i == 0 || i == RUN_SIZES || rows == sizes[i])
		return rows;
	less = run_times_predict(times, sizes[i - 1]) +
	       run_times_predict(times, rows - sizes[i - 1]);
	if (less >= *ret_ns)
		return rows;
	*ret_ns = less;
	return sizes[i - 1];
}

void run_times_follow(struct run_times *times, const struct run_times *from)
{
	const int64_t mine = get(&times->ns[0]), its = get(&from->ns[0]);

	for (unsigned i = 1; i < RUN_SIZES; i++) {
		const int64_t ns = get(&from->ns[i]);

		if (ns && !get(&times->ns[i]))
			set(&times->ns[i],
			    mine && its ? scale(ns, mine, its) : ns);
	}
}
