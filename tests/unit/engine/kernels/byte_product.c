/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/byte_product.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

enum { GUARD = 0x5A };

/* A product, its operands as bytes of either kind, and zero points. */
struct trial {
	int64_t m, n, k, n_parts;
	bool a_is_signed, b_is_signed, is_transposed;
	bool a_by_row, b_by_column;
	uint8_t *a, *b;
	int32_t *a_zero, *b_zero, *row_sum;
	int64_t part[3];
	void *packed;
};

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static int32_t value_of(uint8_t byte, bool is_signed)
{
	return is_signed ? (int8_t)byte : byte;
}

static int64_t a_step(const struct trial *t)
{
	return t->k * t->n_parts;
}

/* The widest differences as often as any. */
static uint8_t byte_of(uint32_t *state)
{
	static const uint8_t extreme[] = { 0, 127, 128, 255 };
	const uint32_t x = draw(state);

	return x & 256 ? extreme[x & 3] : (uint8_t)x;
}

static void trial_init(struct trial *t, uint32_t seed)
{
	const int64_t depth = t->k * t->n_parts;

	t->a = mem_array((size_t)(t->m * depth) + 1, 1);
	t->b = mem_array((size_t)(t->n * depth) + 1, 1);
	t->a_zero = mem_array((size_t)t->m, sizeof(int32_t));
	t->b_zero = mem_array((size_t)t->n, sizeof(int32_t));
	t->row_sum = mem_array((size_t)t->m, sizeof(int32_t));
	for (int64_t i = 0; i < t->m * depth; i++)
		t->a[i] = byte_of(&seed);
	for (int64_t i = 0; i < t->n * depth; i++)
		t->b[i] = byte_of(&seed);
	for (int64_t i = 0; i < t->m; i++)
		t->a_zero[i] = value_of(byte_of(&seed), t->a_is_signed);
	for (int64_t i = 0; i < t->n; i++)
		t->b_zero[i] = value_of(byte_of(&seed), t->b_is_signed);
	for (int64_t p = 0; p < t->n_parts; p++)
		t->part[p] = p * t->k;
}

static void trial_finish(struct trial *t)
{
	mem_free(t->a);
	mem_free(t->b);
	mem_free(t->a_zero);
	mem_free(t->b_zero);
	mem_free(t->row_sum);
	mem_free(t->packed);
}

static struct byte_matrix b_of(const struct trial *t)
{
	const int64_t depth = t->k * t->n_parts;

	if (t->is_transposed)
		return (struct byte_matrix){ t->b, t->k, 1, depth };
	return (struct byte_matrix){ t->b, t->k * t->n, t->n, 1 };
}

static int32_t want_at(const struct trial *t, int64_t i, int64_t j)
{
	const struct byte_matrix b = b_of(t);
	uint32_t sum = 0;

	for (int64_t l = 0; l < t->k * t->n_parts; l++) {
		const int64_t at = l / t->k * b.part_step +
				   l % t->k * b.row_step + j * b.col_step;
		const int32_t x =
		    value_of(t->a[i * a_step(t) + l], t->a_is_signed) -
		    t->a_zero[t->a_by_row ? i : 0];
		const int32_t y = value_of(t->b[at], t->b_is_signed) -
				  t->b_zero[t->b_by_column ? j : 0];

		sum += (uint32_t)(x * y);
	}
	return (int32_t)sum;
}

static unsigned wrong_of_tile(const struct trial *t,
			      const struct byte_product *p, int64_t row,
			      int64_t panel)
{
	const int64_t most = byte_rows(p->form.loops);
	const int64_t n_rows = t->m - row < most ? t->m - row : most;
	const int64_t first = panel * BYTE_PANEL;
	int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL];
	unsigned wrong = 0;

	byte_tile(p, row, n_rows, panel, sum);
	for (int64_t i = 0; i < n_rows; i++)
		for (int64_t j = 0; j < BYTE_PANEL && first + j < t->n; j++)
			wrong += sum[i * BYTE_PANEL + j] !=
				 want_at(t, row + i, first + j);
	return wrong;
}

/* Sums that are wrong, and a byte behind what is packed. */
static unsigned wrong_of(const struct byte_loops *loops, struct trial *t)
{
	struct byte_product p = {
		.form = { loops, t->n_parts, t->k, t->n, t->a_is_signed,
			  t->b_is_signed },
		.row_step = a_step(t),
		.part = t->part,
		.a_zero = t->a_zero,
		.b_zero = t->b_zero,
		.n_a_zero = t->a_by_row ? t->m : 1,
		.n_b_zero = t->b_by_column ? t->n : 1,
	};
	const size_t bytes = byte_pack_bytes(&p.form);
	const struct byte_matrix b = b_of(t);
	uint8_t *packed = mem_array(bytes + 1, 1);
	unsigned wrong = 0;

	packed[bytes] = GUARD;
	t->packed = packed;
	p.a = t->a;
	p.packed = t->packed;
	byte_pack(&p.form, &b, t->packed);
	if (byte_wants_sums(&p)) {
		byte_row_sums(&p, 0, t->m, t->row_sum);
		p.row_sum = t->row_sum;
	}
	for (int64_t row = 0; row < t->m; row += byte_rows(loops))
		for (int64_t i = 0; i < byte_panels(t->n); i++)
			wrong += wrong_of_tile(t, &p, row, i);
	return wrong + (packed[bytes] != GUARD);
}

/* `kind` has the kind of operands and of zero points as bits. */
static unsigned wrong_of_kind(const int64_t shape[4], unsigned kind,
			      unsigned level)
{
	struct trial t = {
		.m = shape[0],
		.n = shape[1],
		.k = shape[2],
		.n_parts = shape[3],
		.a_is_signed = kind & 1,
		.b_is_signed = kind & 2,
		.is_transposed = kind & 4,
		.a_by_row = kind & 8,
		.b_by_column = kind & 16,
	};
	unsigned wrong;

	trial_init(&t, kind + 1);
	wrong = wrong_of(byte_loops_level(level), &t);
	trial_finish(&t);
	return wrong;
}

static void check_kinds(const int64_t shape[4], unsigned level)
{
	for (unsigned kind = 0; kind < 32; kind++) {
		const unsigned wrong = wrong_of_kind(shape, kind, level);

		cr_expect_eq(wrong, 0, "%lld x %lld x %lld, kind %u, level %u",
			     (long long)shape[0], (long long)shape[1],
			     (long long)shape[2], kind, level);
	}
}

Test(byte_product, every_level_gives_exact_sums)
{
	static const int64_t shapes[][4] = {
		{ 1, 1, 1, 1 },	   { 1, 16, 4, 1 },   { 7, 65, 3, 1 },
		{ 2, 17, 6, 1 },   { 3, 33, 5, 1 },   { 4, 49, 7, 1 },
		{ 5, 64, 8, 1 },   { 6, 130, 9, 1 },  { 13, 70, 300, 1 },
		{ 1, 40, 513, 1 }, { 6, 20, 5, 3 },   { 3, 64, 8, 2 },
		{ 2, 3, 0, 1 },	   { 2, 5, 1025, 1 },
	};

	for (unsigned level = 0; level < byte_levels(); level++)
		for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
			check_kinds(shapes[i], level);
}

/* One column, as a vector. */
static unsigned wrong_vectors(const struct byte_loops *loops, unsigned kind)
{
	unsigned wrong = 0;

	for (int64_t k = 0; k < 200; k += k < 5 ? 1 : 61) {
		struct trial t = {
			.m = 5,
			.n = 1,
			.k = k,
			.n_parts = 1,
			.a_is_signed = kind & 1,
			.b_is_signed = kind & 2,
			.a_by_row = kind & 4,
		};
		int32_t sum[5];
		struct byte_product p = {
			.form = { loops, 1, k, 1, kind & 1, kind >> 1 & 1 },
			.row_step = k,
			.n_a_zero = kind & 4 ? 5 : 1,
			.n_b_zero = 1,
		};

		trial_init(&t, kind + 3);
		t.packed = mem_zero(byte_vector_bytes(&p.form));
		byte_vector(&p.form, t.b, t.packed);
		p.a = t.a;
		p.packed = t.packed;
		p.a_zero = t.a_zero;
		p.b_zero = t.b_zero;
		byte_row_sums(&p, 0, t.m, t.row_sum);
		p.row_sum = t.row_sum;
		byte_rows_by_vector(&p, 0, t.m, sum);
		for (int64_t i = 0; i < t.m; i++)
			wrong += sum[i] != want_at(&t, i, 0);
		trial_finish(&t);
	}
	return wrong;
}

Test(byte_product, a_column_is_a_vector)
{
	for (unsigned level = 0; level < byte_levels(); level++)
		for (unsigned kind = 0; kind < 8; kind++)
			cr_expect_eq(
			    wrong_vectors(byte_loops_level(level), kind), 0,
			    "kind %u, level %u", kind, level);
}

/* 40,000 products of 255 and 255 pass 2^31. */
Test(byte_product, sums_wrap)
{
	for (unsigned level = 0; level < byte_levels(); level++) {
		struct trial t = { .m = 2, .n = 3, .k = 40000, .n_parts = 1 };

		trial_init(&t, 1);
		memset(t.a, 255, (size_t)(t.m * t.k));
		memset(t.b, 255, (size_t)(t.n * t.k));
		t.a_zero[0] = t.b_zero[0] = 0;
		cr_expect_eq(wrong_of(byte_loops_level(level), &t), 0);
		trial_finish(&t);
	}
}

/* k rows of n bytes packed whole and as a panel: are they the same? Columns of
 * padding may hold anything, so n is a multiple of 16. */
static bool packs_alike(const struct byte_form *form)
{
	const size_t bytes = byte_pack_bytes(form);
	const int64_t n = form->n, k = form->k;
	uint8_t *b = mem_array((size_t)(k * n + n) + BYTE_PANEL, 4);
	uint8_t *want = mem_zero(bytes), *got = mem_zero(bytes);
	const struct byte_matrix whole = { b, 0, n, 1 };
	const struct byte_panel panel = { *form, got };
	uint32_t seed = 5;
	bool same;

	for (int64_t i = 0; i < k * n; i++)
		b[i] = byte_of(&seed);
	byte_pack(form, &whole, want);
	for (int64_t l = 0; l < k; l += 4) {
		const void *row[4] = { b + l * n, b + (l + 1) * n,
				       b + (l + 2) * n, b + (l + 3) * n };

		byte_panel_rows(&panel, l, row,
				k - l < 4 ? (unsigned)(k - l) : 4);
	}
	byte_panel_end(&panel);
	same = memcmp(want, got, bytes) == 0;
	mem_free(b);
	mem_free(want);
	mem_free(got);
	return same;
}

/* Both kinds of A, and so B flipped and not. */
static unsigned wrong_panels(const struct byte_loops *loops)
{
	unsigned wrong = 0;

	for (int64_t n = 16; n <= BYTE_PANEL; n += 16)
		for (int64_t k = 1; k < 10; k++)
			for (int64_t is_signed = 0; is_signed < 2; is_signed++)
				wrong += !packs_alike(&(struct byte_form){
				    loops, 1, k, n, is_signed, 0 });
	return wrong;
}

Test(byte_product, a_panel_of_rows_is_a_packed_one)
{
	for (unsigned level = 0; level < byte_levels(); level++)
		cr_expect_eq(wrong_panels(byte_loops_level(level)), 0);
}
