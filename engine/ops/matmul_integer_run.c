/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of products of bytes (engine/kernels/byte_product.h): with B packed
 * when a plan is made, with B packed panel by panel in the run, and plain. */
#include <string.h>

#include "engine/kernels/byte_product.h"
#include "engine/kernels/convert_loops.h"
#include "engine/ops/matmul_integer.h"
#include "engine/ops/quantize.h"
#include "engine/pack.h"

/* PART_ROWS, COLUMN_ROWS: rows that a slice takes at once */
enum { PART_ROWS = 96, COLUMN_ROWS = 64, WEAVE = 4 };
#define SLICE_US 20.0

/* A slice's work: one product of bytes after the other. */
struct bytes_job {
	struct byte_matmul mm;
	struct byte_product product;
	const struct convert_loops *loops;
	bool is_packed, wants_sums;
	int64_t n_columns; /* that zero points and scales are there for */
	int32_t *b_zero;   /* scratch: [n_columns] */
	float *scale;	   /* the same; of one row */
	uint8_t *panel;	   /* scratch */
};

/* Some rows of a batch by one panel. */
struct part {
	int64_t batch, row, last_row, panel;
};

static struct byte_form form_of(const struct kernel_query *q,
				const struct product *p, int64_t n)
{
	const unsigned b = byte_places_of(q->op)->b;

	return (struct byte_form){
		.loops = byte_loops(),
		.n_parts = 1,
		.k = p->k,
		.n = n,
		.a_is_signed = q->in[0].type.elem == DTYPE_I8,
		.b_is_signed = q->in[b].type.elem == DTYPE_I8,
	};
}

static int64_t n_parts(const struct product *p, bool is_packed)
{
	const int64_t rows = is_packed ? (p->m + PART_ROWS - 1) / PART_ROWS : 1;

	return p->n_batch * byte_panels(p->n) * rows;
}

static struct part part_at(const struct bytes_job *job, int64_t i)
{
	const struct product *p = &job->mm.p;
	const int64_t panels = byte_panels(p->n);
	const int64_t rows =
	    job->is_packed ? (p->m + PART_ROWS - 1) / PART_ROWS : 1;
	struct part part = { .batch = i / rows / panels,
			     .panel = i / rows % panels,
			     .row = i % rows * PART_ROWS,
			     .last_row = p->m };

	if (job->is_packed && part.row + PART_ROWS < p->m)
		part.last_row = part.row + PART_ROWS;
	return part;
}

/* ---- before a panel ------------------------------------------------------ */

/* The run's own panel: B's rows, with room to read behind the last column. */
static void pack_panel(struct bytes_job *job, int64_t at_b, int64_t first)
{
	const struct product *p = &job->mm.p;
	const struct byte_panel panel = { job->product.form, job->panel };
	const uint8_t *b = (const uint8_t *)job->mm.b.data + at_b + first;
	const size_t n = (size_t)job->product.form.n;
	uint8_t line[WEAVE][BYTE_PANEL] = { { 0 } };
	const void *const row[WEAVE] = { line[0], line[1], line[2], line[3] };

	for (int64_t l = 0; l < p->k; l += WEAVE) {
		const int64_t left = p->k - l < WEAVE ? p->k - l : WEAVE;

		for (int64_t i = 0; i < left; i++)
			memcpy(line[i], b + (l + i) * p->n, n);
		byte_panel_rows(&panel, l, row, (unsigned)left);
	}
	byte_panel_end(&panel);
}

/* Zero points of B from column `first` on, and scales that no row changes. */
static void load_factors(struct bytes_job *job, int64_t batch, int64_t first)
{
	const struct byte_matmul *mm = &job->mm;

	for (int64_t j = 0; j < job->n_columns; j++) {
		const int64_t col = byte_matmul_column(mm, batch, first + j);

		job->b_zero[j] =
		    quantized_at(mm->b.elem, mm->b.zero, col % mm->b.n_zero);
	}
	for (int64_t j = 0; j < job->n_columns; j++)
		job->scale[j] =
		    j && mm->b.n_scale == 1
			? job->scale[0]
			: byte_matmul_scale(mm, batch, 0, first + j);
	job->wants_sums = byte_wants_sums(&job->product);
}

/* Column of the scratch's factors where a panel begins. */
static int64_t factor_at(const struct bytes_job *job, int64_t panel)
{
	return job->is_packed ? panel * BYTE_PANEL : 0;
}

static void begin_panel(struct bytes_job *job, const struct part *part)
{
	const int64_t first = part->panel * BYTE_PANEL;
	const int64_t left = job->mm.p.n - first;
	int64_t at_a, at_b;

	if (job->is_packed)
		return;
	product_batch(&job->mm.p, part->batch, &at_a, &at_b);
	job->product.form.n = left < BYTE_PANEL ? left : BYTE_PANEL;
	job->n_columns = job->product.n_b_zero = job->product.form.n;
	load_factors(job, part->batch, first);
	pack_panel(job, at_b, first);
}

/* ---- behind a tile ------------------------------------------------------- */

/* The scales of a row, where rows have their own. */
static const float *scales_of(const struct bytes_job *job,
			      const struct part *part, int64_t row, int64_t n,
			      float spare[BYTE_PANEL])
{
	const struct byte_matmul *mm = &job->mm;

	if (mm->a.n_scale * mm->y.n_scale == 1)
		return job->scale + factor_at(job, part->panel);
	for (int64_t j = 0; j < n; j++)
		spare[j] = byte_matmul_scale(mm, part->batch, row,
					     part->panel * BYTE_PANEL + j);
	return spare;
}

static void store_bytes(const struct byte_matmul *mm, int64_t zero,
			const int32_t *sum, const float *scale, int64_t n,
			uint8_t *y)
{
	struct byte_grid grid = {
		.zero =
		    quantized_at(mm->y.elem, mm->y.zero, zero % mm->y.n_zero),
	};

	(void)quantized_range(mm->y.elem, &grid.low, &grid.high);
	convert_loops()->requantize(sum, scale, n, &grid, y);
}

static void store_row(const struct bytes_job *job, const struct part *part,
		      int64_t row, const int32_t *sum)
{
	const struct byte_matmul *mm = &job->mm;
	const int64_t first = part->panel * BYTE_PANEL;
	const int64_t left = mm->p.n - first;
	const int64_t n = left < BYTE_PANEL ? left : BYTE_PANEL;
	const int64_t line = part->batch * mm->p.m + row;
	const int64_t at = line * mm->p.n + first;
	float spare[BYTE_PANEL];
	void *out = mm->out;

	if (mm->y.elem == DTYPE_I32)
		memcpy((int32_t *)out + at, sum, (size_t)n * sizeof(*sum));
	else if (mm->y.elem == DTYPE_F32)
		job->loops->scale_whole(
		    sum, scales_of(job, part, row, n, spare),
		    mm->bias ? mm->bias + first : NULL, n, (float *)out + at);
	else
		store_bytes(mm, line, sum, scales_of(job, part, row, n, spare),
			    n, (uint8_t *)out + at);
}

/* ---- tiles --------------------------------------------------------------- */

static void run_tile(const struct bytes_job *job, const struct part *part,
		     int64_t row, int64_t n_rows)
{
	const struct byte_matmul *mm = &job->mm;
	int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL];
	int32_t zero[BYTE_ROWS_MAX], row_sum[BYTE_ROWS_MAX];
	struct byte_product product = job->product;
	int64_t at_a, at_b;

	product_batch(&mm->p, part->batch, &at_a, &at_b);
	product.a = (const uint8_t *)mm->a.data + at_a + row * mm->p.k;
	for (int64_t i = 0; i < n_rows; i++)
		zero[i] = quantized_at(
		    mm->a.elem, mm->a.zero,
		    byte_matmul_row(mm, part->batch, row + i) % mm->a.n_zero);
	product.a_zero = zero;
	product.n_a_zero = n_rows;
	if (job->wants_sums) {
		byte_row_sums(&product, 0, n_rows, row_sum);
		product.row_sum = row_sum;
	}
	byte_tile(&product, 0, n_rows, job->is_packed ? part->panel : 0, sum);
	for (int64_t i = 0; i < n_rows; i++)
		store_row(job, part, row + i, sum + i * BYTE_PANEL);
}

static void run_part(struct bytes_job *job, const struct part *part)
{
	const int64_t most = byte_rows(job->product.form.loops);

	begin_panel(job, part);
	for (int64_t row = part->row; row < part->last_row; row += most) {
		const int64_t left = part->last_row - row;

		run_tile(job, part, row, left < most ? left : most);
	}
}

/* Columns that the scratch has factors for. */
static int64_t factor_columns(const struct product *p, bool is_packed)
{
	return is_packed ? byte_panels(p->n) * BYTE_PANEL : BYTE_PANEL;
}

static void run_slice(const struct kernel_call *call, unsigned slice,
		      void *scratch, const void *packed)
{
	struct bytes_job job = { .loops = convert_loops(),
				 .is_packed = packed != NULL,
				 .b_zero = scratch };
	int64_t first, last, columns;
	void *at;

	byte_matmul_init(call, &job.mm);
	columns = factor_columns(&job.mm.p, job.is_packed);
	at = job.b_zero + columns;
	job.scale = at;
	job.panel = at = job.scale + columns;
	job.product = (struct byte_product){
		.form = form_of(call->query, &job.mm.p, job.mm.p.n),
		.row_step = job.mm.p.k,
		.packed = packed ? packed : at,
		.b_zero = job.b_zero,
		.n_b_zero = job.mm.p.n,
	};
	job.n_columns = job.mm.p.n;
	if (packed)
		load_factors(&job, 0, 0);
	kernel_slice(n_parts(&job.mm.p, job.is_packed), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++) {
		const struct part part = part_at(&job, i);

		run_part(&job, &part);
	}
}

/* ---- kernels ------------------------------------------------------------- */

static double matmul_cost(const struct kernel_query *query)
{
	const double us_a_product = byte_is_fast(byte_loops()) ? 3e-6 : 2e-5;
	struct product p;

	byte_matmul_product(query, &p);
	return 0.2 + us_a_product * product_flops(&p) / 2;
}

static void setup(const struct kernel_query *query, bool is_packed,
		  struct kernel_setup *ret)
{
	const double most = matmul_cost(query) / SLICE_US;
	struct product p;
	struct byte_form form;
	double parts;

	byte_matmul_product(query, &p);
	form = form_of(query, &p, p.n < BYTE_PANEL ? p.n : BYTE_PANEL);
	parts = (double)n_parts(&p, is_packed);
	ret->n_slices = kernel_slices(query, most < parts ? most : parts);
	ret->scratch_bytes = (size_t)factor_columns(&p, is_packed) *
			     (sizeof(int32_t) + sizeof(float));
	if (!is_packed)
		ret->scratch_bytes += byte_pack_bytes(&form);
}

static enum err_code fill(const void *data, const void *plain, void *to,
			  struct err *err)
{
	const struct byte_form *form = data;
	const struct byte_matrix b = { plain, 0, form->n, 1 };

	(void)err;
	byte_pack(form, &b, to);
	return ERR_NONE;
}

static enum err_code packed_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	struct product p;
	struct byte_form form;
	struct pack *pack;
	struct pack_wish wish;
	enum err_code rc;

	byte_matmul_product(query, &p);
	form = form_of(query, &p, p.n);
	wish = (struct pack_wish){
		.plain = query->in[byte_places_of(query->op)->b].value,
		.plain_bytes = (size_t)(p.n * p.k),
		.form = &form,
		.form_bytes = sizeof(form),
		.bytes = byte_pack_bytes(&form),
		.make = fill,
		.data = &form,
	};
	rc = pack_get(query->packs, &wish, &pack, err);
	if (rc)
		return rc;
	setup(query, true, ret);
	ret->pack_bytes = pack_size(pack);
	ret->state = pack;
	return ERR_NONE;
}

static enum err_code bytes_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	(void)err;
	setup(query, false, ret);
	return ERR_NONE;
}

static void packed_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	run_slice(call, slice, scratch, pack_bytes(call->state));
}

static void bytes_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	run_slice(call, slice, scratch, NULL);
}

static void packed_finish(void *state)
{
	pack_put(state);
}

/* One B for all rows. */
static bool packed_fits(const struct kernel_query *query)
{
	struct product p;

	if (!byte_matmul_is_whole(query) ||
	    !query->in[byte_places_of(query->op)->b].value)
		return false;
	byte_matmul_product(query, &p);
	return p.n_batch == 1 && p.k > 0 && p.n > 0;
}

/* ---- one column ---------------------------------------------------------- */

/* n rows of y, one number each. */
static void store_column(const struct bytes_job *job, int64_t row,
			 const int32_t *sum, int64_t n)
{
	const struct byte_matmul *mm = &job->mm;
	float scale[COLUMN_ROWS], add[COLUMN_ROWS];
	void *out = mm->out;

	for (int64_t i = 0; i < n; i++) {
		scale[i] = mm->a.n_scale * mm->y.n_scale == 1
			       ? job->scale[0]
			       : byte_matmul_scale(mm, 0, row + i, 0);
		add[i] = mm->bias ? mm->bias[0] : 0;
	}
	if (mm->y.elem == DTYPE_I32)
		memcpy((int32_t *)out + row, sum, (size_t)n * sizeof(*sum));
	else if (mm->y.elem == DTYPE_F32)
		job->loops->scale_whole(sum, scale, mm->bias ? add : NULL, n,
					(float *)out + row);
	else
		for (int64_t i = 0; i < n; i++)
			store_bytes(mm, row + i, sum + i, scale + i, 1,
				    (uint8_t *)out + row + i);
}

static void column_part(const struct bytes_job *job, int64_t row,
			int64_t n_rows)
{
	const struct byte_matmul *mm = &job->mm;
	struct byte_product product = job->product;
	int32_t zero[COLUMN_ROWS], sum[COLUMN_ROWS], row_sum[COLUMN_ROWS];

	product.a = (const uint8_t *)mm->a.data + row * mm->p.k;
	product.a_zero = zero;
	product.n_a_zero = n_rows;
	for (int64_t i = 0; i < n_rows; i++)
		zero[i] = quantized_at(mm->a.elem, mm->a.zero,
				       byte_matmul_row(mm, 0, row + i) %
					   mm->a.n_zero);
	if (job->wants_sums) {
		byte_row_sums(&product, 0, n_rows, row_sum);
		product.row_sum = row_sum;
	}
	byte_rows_by_vector(&product, 0, n_rows, sum);
	store_column(job, row, sum, n_rows);
}

static void column_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	struct bytes_job job = { .loops = convert_loops(), .n_columns = 1 };
	int64_t first, last;
	int32_t b_zero;
	float scale;

	byte_matmul_init(call, &job.mm);
	job.b_zero = &b_zero;
	job.scale = &scale;
	job.product = (struct byte_product){
		.form = form_of(call->query, &job.mm.p, 1),
		.row_step = job.mm.p.k,
		.packed = scratch,
		.b_zero = &b_zero,
		.n_b_zero = 1,
	};
	load_factors(&job, 0, 0);
	byte_vector(&job.product.form, job.mm.b.data, scratch);
	kernel_slice(job.mm.p.m, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i += COLUMN_ROWS)
		column_part(&job, i,
			    last - i < COLUMN_ROWS ? last - i : COLUMN_ROWS);
}

static enum err_code column_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	struct byte_form form;
	struct product p;

	(void)err;
	byte_matmul_product(query, &p);
	form = form_of(query, &p, 1);
	ret->n_slices = kernel_slices(query, matmul_cost(query) / SLICE_US);
	ret->scratch_bytes = byte_vector_bytes(&form);
	return ERR_NONE;
}

static bool column_fits(const struct kernel_query *query)
{
	struct product p;

	if (!byte_matmul_is_whole(query))
		return false;
	byte_matmul_product(query, &p);
	return p.n == 1 && p.n_batch == 1;
}

/* ---- the plain one ------------------------------------------------------- */

static int32_t plain_sum(const struct byte_matmul *mm, int64_t batch,
			 int64_t row, int64_t col)
{
	const int64_t i = byte_matmul_row(mm, batch, row) % mm->a.n_zero;
	const int64_t j = byte_matmul_column(mm, batch, col) % mm->b.n_zero;
	const int32_t a_zero = quantized_at(mm->a.elem, mm->a.zero, i);
	const int32_t b_zero = quantized_at(mm->b.elem, mm->b.zero, j);
	int64_t at_a, at_b;
	uint32_t sum = 0;

	product_batch(&mm->p, batch, &at_a, &at_b);
	at_a += row * mm->p.k;
	for (int64_t l = 0; l < mm->p.k; l++) {
		const int32_t a =
		    quantized_at(mm->a.elem, mm->a.data, at_a + l);
		const int32_t b = quantized_at(mm->b.elem, mm->b.data,
					       at_b + l * mm->p.n + col);

		sum += (uint32_t)((a - a_zero) * (b - b_zero));
	}
	return (int32_t)sum;
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const int64_t n = shape_count(&call->query->out[0].shape);
	struct byte_matmul mm;

	(void)slice;
	(void)scratch;
	byte_matmul_init(call, &mm);
	for (int64_t e = 0; e < n; e++) {
		const int64_t col = e % mm.p.n, row = e / mm.p.n % mm.p.m;
		const int64_t batch = e / mm.p.n / mm.p.m;
		const int32_t sum = plain_sum(&mm, batch, row, col);
		const float scale = byte_matmul_scale(&mm, batch, row, col);
		void *out = mm.out;

		if (mm.y.elem == DTYPE_I32)
			((int32_t *)out)[e] = sum;
		else if (mm.y.elem == DTYPE_F32)
			((float *)out)[e] =
			    (float)sum * scale + (mm.bias ? mm.bias[col] : 0);
		else
			store_bytes(&mm, batch * mm.p.m + row, &sum, &scale, 1,
				    (uint8_t *)out + e);
	}
}

const struct kernel matmul_integer_column = {
	.name = "matmul_integer.column",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = column_fits,
	.cost = matmul_cost,
	.prepare = column_prepare,
	.run = column_run,
};
const struct kernel matmul_integer_packed = {
	.name = "matmul_integer.packed",
	.flags = KERNEL_SLICE_FREE,
	.fits = packed_fits,
	.cost = matmul_cost,
	.prepare = packed_prepare,
	.run = packed_run,
	.finish = packed_finish,
};
const struct kernel matmul_integer_bytes = {
	.name = "matmul_integer.bytes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = byte_matmul_is_whole,
	.cost = matmul_cost,
	.prepare = bytes_prepare,
	.run = bytes_run,
};
const struct kernel matmul_integer_plain = {
	.name = "matmul_integer.plain",
	.flags = KERNEL_QUICK,
	.fits = byte_matmul_is_whole,
	.cost = matmul_cost,
	.run = plain_run,
};
