/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/byte_product_priv.h"

#include <string.h>

#include "engine/kernels/loops.h"

/* ONES: a multiple of every group; LINE: of cache */
enum { ONES = 256, LINE = 64 };

static const uint8_t nothing[BYTE_PANEL];

#ifdef LOOPS_X86_LEVELS
unsigned byte_levels(void)
{
	const bool is_vnni =
	    loop_levels() == 3 && __builtin_cpu_supports("avx512vnni");

	return loop_levels() == 1 ? 1 : is_vnni ? 3 : 2;
}

const struct byte_loops *byte_loops_level(unsigned level)
{
	return level == 2   ? &byte_loops_vnni
	       : level == 1 ? &byte_loops_v3
			    : &byte_loops_base;
}
#else
unsigned byte_levels(void)
{
	return 1;
}

const struct byte_loops *byte_loops_level(unsigned level)
{
	(void)level;
	return &byte_loops_base;
}
#endif

const struct byte_loops *byte_loops(void)
{
	return byte_loops_level(byte_levels() - 1);
}

int64_t byte_rows(const struct byte_loops *loops)
{
	return loops->rows;
}

bool byte_is_fast(const struct byte_loops *loops)
{
	return loops->is_fast;
}

int64_t byte_panels(int64_t n)
{
	return (n + BYTE_PANEL - 1) / BYTE_PANEL;
}

static int64_t up_to(int64_t n, int64_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

/* What packing takes off B's bytes: flipping them adds or takes 128. */
static int32_t shift_of(const struct byte_form *f)
{
	if (f->a_is_signed != f->b_is_signed)
		return 0;
	return f->b_is_signed ? -128 : 128;
}

static int64_t depth(const struct byte_form *f)
{
	return f->n_parts * up_to(f->k, f->loops->group);
}

static int64_t width_of(const struct byte_form *f, int64_t panel)
{
	const int64_t left = f->n - panel * BYTE_PANEL;

	return left < BYTE_PANEL ? up_to(left, BYTE_STRIP) : BYTE_PANEL;
}

/* Sums of columns stand behind all panels, one int32 for each of their columns.
 */
static size_t sums_at(const struct byte_form *f)
{
	return (size_t)up_to(up_to(f->n, BYTE_STRIP) * depth(f), BYTE_PANEL);
}

size_t byte_pack_bytes(const struct byte_form *form)
{
	return sums_at(form) +
	       (size_t)(byte_panels(form->n) * BYTE_PANEL) * sizeof(int32_t);
}

/* A row of ones, and again for what is deeper. */
static void sum_columns(const struct byte_form *f, const uint8_t *panel,
			int64_t width, int32_t *sum)
{
	const int64_t n = depth(f), first = 0;
	int32_t part[BYTE_PANEL] = { 0 };
	uint8_t ones[ONES];

	memset(ones, 1, sizeof(ones));
	memset(sum, 0, BYTE_PANEL * sizeof(*sum));
	for (int64_t l = 0; l < n; l += ONES) {
		const struct byte_work work = {
			.a = ones,
			.part = &first,
			.n_parts = 1,
			.k = n - l < ONES ? n - l : ONES,
			.n_rows = 1,
			.width = width,
			.a_is_signed = f->a_is_signed,
			.b = panel + l * width,
			.sum = part,
		};

		f->loops->tile(&work);
		for (int64_t j = 0; j < width; j++)
			sum[j] =
			    (int32_t)((uint32_t)sum[j] + (uint32_t)part[j]);
	}
}

/* Up to four rows into groups. Depth behind the last row is 0 as packed: it is
 * not flipped. What is written behind the last group of a panel is written
 * again, as the next panel or as sums. */
static void weave(const struct byte_form *f, const uint8_t *const row[4],
		  unsigned n_rows, int64_t width, uint8_t *to)
{
	const uint32_t all = shift_of(f) ? 0x80808080U : 0;
	const uint32_t some = n_rows < 4 ? (1U << 8 * n_rows) - 1 : UINT32_MAX;
	const uint8_t *from[4] = { nothing, nothing, nothing, nothing };

	for (unsigned i = 0; i < n_rows; i++)
		from[i] = row[i];
	f->loops->weave(from, width, all & some, to);
}

static void gather(const struct byte_matrix *b, int64_t at, int64_t n,
		   uint8_t *line)
{
	const uint8_t *from = (const uint8_t *)b->data + at;

	if (b->col_step == 1)
		memcpy(line, from, (size_t)n);
	else
		for (int64_t j = 0; j < n; j++)
			line[j] = from[j * b->col_step];
}

/* Depth l and what follows of a part's panel, at most four. */
static void pack_rows(const struct byte_form *f, const struct byte_matrix *b,
		      const int64_t first[3], uint8_t *to)
{
	const int64_t part = first[0], l = first[1], column = first[2];
	const int64_t left = f->n - column,
		      width = left < BYTE_PANEL ? up_to(left, BYTE_STRIP)
						: BYTE_PANEL;
	const int64_t n = f->k - l < 4 ? f->k - l : 4;
	uint8_t line[4][BYTE_PANEL] = { { 0 } };
	const uint8_t *const row[4] = { line[0], line[1], line[2], line[3] };

	for (int64_t i = 0; i < n; i++)
		gather(b,
		       part * b->part_step + (l + i) * b->row_step +
			   column * b->col_step,
		       left < BYTE_PANEL ? left : BYTE_PANEL, line[i]);
	weave(f, row, (unsigned)n, width, to);
}

void byte_pack(const struct byte_form *form, const struct byte_matrix *b,
	       void *to)
{
	uint8_t *at = to;
	void *sums = at + sums_at(form);
	const int64_t group = form->loops->group;

	for (int64_t i = 0; i < byte_panels(form->n); i++) {
		const int64_t width = width_of(form, i);
		const uint8_t *panel = at;

		for (int64_t l = 0; l < form->n_parts * form->k;) {
			const int64_t first[3] = { l / form->k, l % form->k,
						   i * BYTE_PANEL };
			const int64_t left = form->k - first[1];
			const int64_t n = left < 4 ? left : 4;

			pack_rows(form, b, first, at);
			at += up_to(n, group) * width;
			l += n;
		}
		sum_columns(form, panel, width,
			    (int32_t *)sums + i * BYTE_PANEL);
	}
}

void byte_panel_rows(const struct byte_panel *panel, int64_t l,
		     const void *const row[4], unsigned n_rows)
{
	const struct byte_form *f = &panel->form;
	const int64_t width = width_of(f, 0);
	const uint8_t *bytes[4] = { row[0], row[1], row[2], row[3] };

	weave(f, bytes, n_rows, width, (uint8_t *)panel->to + l * width);
}

void byte_panel_end(const struct byte_panel *panel)
{
	const struct byte_form *f = &panel->form;
	void *sums = (uint8_t *)panel->to + sums_at(f);

	sum_columns(f, panel->to, width_of(f, 0), sums);
}

bool byte_wants_sums(const struct byte_product *p)
{
	const int32_t shift = shift_of(&p->form);

	if (!p->b_zero)
		return shift != 0;
	for (int64_t j = 0; j < p->n_b_zero; j++)
		if (p->b_zero[j] != shift)
			return true;
	return false;
}

void byte_row_sums(const struct byte_product *p, int64_t row, int64_t n_rows,
		   int32_t *sum)
{
	const struct byte_loops *loops = p->form.loops;
	const void *a = p->a;

	for (int64_t i = 0; i < n_rows; i++) {
		uint32_t all = 0;

		for (int64_t part = 0; part < p->form.n_parts; part++) {
			const int64_t at = (row + i) * p->row_step +
					   (p->part ? p->part[part] : 0);

			all += (uint32_t)(p->form.a_is_signed
					      ? loops->sum_signed(
						    (const int8_t *)a + at,
						    p->form.k)
					      : loops->sum_unsigned(
						    (const uint8_t *)a + at,
						    p->form.k));
		}
		sum[i] = (int32_t)all;
	}
}

static int32_t zero_at(const int32_t *zero, int64_t n, int64_t i)
{
	return zero ? zero[n == 1 ? 0 : i] : 0;
}

/* Zero points of packed B: its own less what packing took off. */
static bool b_zeros(const struct byte_product *p, int64_t panel,
		    int32_t zero[BYTE_PANEL])
{
	const int32_t shift = shift_of(&p->form);
	const int64_t first = panel * BYTE_PANEL, left = p->form.n - first;
	int32_t any = 0;

	for (int64_t j = 0; j < BYTE_PANEL; j++) {
		zero[j] = 0;
		if (j < left)
			zero[j] =
			    zero_at(p->b_zero, p->n_b_zero, first + j) - shift;
		any |= zero[j];
	}
	return any != 0;
}

static void take_zeros(const struct byte_product *p, int64_t row,
		       int64_t n_rows, int64_t panel, int32_t *sum)
{
	const uint32_t k = (uint32_t)(p->form.n_parts * p->form.k);
	const void *sums = (const uint8_t *)p->packed + sums_at(&p->form);
	int32_t zero[BYTE_PANEL];
	struct byte_zeros z = {
		.n_rows = n_rows,
		.width = width_of(&p->form, panel),
		.column = (const int32_t *)sums + panel * BYTE_PANEL,
	};
	int32_t any = 0;

	if (p->row_sum && b_zeros(p, panel, zero))
		z.b_zero = zero;
	for (int64_t i = 0; i < n_rows; i++) {
		z.a_zero[i] = zero_at(p->a_zero, p->n_a_zero, row + i);
		any |= z.a_zero[i];
		if (z.b_zero)
			z.rest[i] = (int32_t)((uint32_t)p->row_sum[row + i] -
					      k * (uint32_t)z.a_zero[i]);
	}
	if (any || z.b_zero)
		p->form.loops->take_zeros(&z, sum);
}

void byte_column_sums(const struct byte_product *p, int32_t *sum)
{
	const uint32_t k = (uint32_t)(p->form.n_parts * p->form.k);
	const void *at = (const uint8_t *)p->packed + sums_at(&p->form);
	const int32_t *sums = at, shift = shift_of(&p->form);

	for (int64_t j = 0; j < p->form.n; j++) {
		const int32_t zero = zero_at(p->b_zero, p->n_b_zero, j) - shift;

		sum[j] = (int32_t)((uint32_t)sums[j] - k * (uint32_t)zero);
	}
}

void byte_tile(const struct byte_product *p, int64_t row, int64_t n_rows,
	       int64_t panel, int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL])
{
	const int64_t at = panel * BYTE_PANEL * depth(&p->form), first = 0;
	const struct byte_work work = {
		.a = (const uint8_t *)p->a + row * p->row_step,
		.row_step = p->row_step,
		.part = p->part ? p->part : &first,
		.n_parts = p->form.n_parts,
		.k = p->form.k,
		.n_rows = n_rows,
		.width = width_of(&p->form, panel),
		.a_is_signed = p->form.a_is_signed != 0,
		.b = (const uint8_t *)p->packed + at,
		.sum = sum,
	};

	p->form.loops->tile(&work);
	take_zeros(p, row, n_rows, panel, sum);
}

/* The bytes, flipped as packing would, and their sum. */
size_t byte_vector_bytes(const struct byte_form *form)
{
	return (size_t)up_to(form->k, LINE) + sizeof(int32_t);
}

void byte_vector(const struct byte_form *form, const void *b, void *to)
{
	const uint8_t flip = shift_of(form) ? 128 : 0;
	const struct byte_loops *loops = form->loops;
	const uint8_t *from = b;
	void *sum = (uint8_t *)to + up_to(form->k, LINE);
	uint8_t *bytes = to;

	for (int64_t l = 0; l < form->k; l++)
		bytes[l] = from[l] ^ flip;
	*(int32_t *)sum = form->a_is_signed ? loops->sum_unsigned(to, form->k)
					    : loops->sum_signed(to, form->k);
}

void byte_rows_by_vector(const struct byte_product *p, int64_t row,
			 int64_t n_rows, int32_t *sum)
{
	const struct byte_form *f = &p->form;
	const void *at = (const uint8_t *)p->packed + up_to(f->k, LINE);
	const uint32_t column = (uint32_t) * (const int32_t *)at;
	const int32_t zero = zero_at(p->b_zero, p->n_b_zero, 0) - shift_of(f);

	for (int64_t i = 0; i < n_rows; i++) {
		const uint8_t *a =
		    (const uint8_t *)p->a + (row + i) * p->row_step;
		const uint32_t a_zero =
		    (uint32_t)zero_at(p->a_zero, p->n_a_zero, row + i);
		uint32_t all = (uint32_t)f->loops->dot(a, p->packed, f->k,
						       f->a_is_signed != 0);

		all -= a_zero * column;
		if (zero)
			all -= (uint32_t)zero * ((uint32_t)p->row_sum[row + i] -
						 (uint32_t)f->k * a_zero);
		sum[i] = (int32_t)all;
	}
}

void byte_prefetch(const struct byte_product *p, int64_t panel, int64_t i,
		   int64_t n)
{
	const int64_t all = depth(&p->form) * BYTE_PANEL;
	const int64_t bytes = depth(&p->form) * width_of(&p->form, panel);
	const uint8_t *from = (const uint8_t *)p->packed + panel * all;

	if (panel >= byte_panels(p->form.n))
		return;
	for (int64_t at = bytes * i / n; at < bytes * (i + 1) / n; at += LINE)
		__builtin_prefetch(from + at, 0, 2);
}
