/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/ml.h"

const struct port ml_number_in[] = {
	{ "X", "T:float,double,int64,int32", 0 },
	{ 0 },
};
const struct port ml_float_out[] = { { "Y", "float", 0 }, { 0 } };

static struct ml_rows rows_of(const struct fact *fact)
{
	const struct shape *x = &fact->shape;

	return (struct ml_rows){
		.n = x->rank == 2 ? x->dim[0] : 1,
		.width = x->rank ? x->dim[x->rank - 1] : 1,
		.elem = fact->type.elem,
	};
}

enum err_code ml_rows_infer(const struct infer *infer, struct ml_rows *ret,
			    struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	char text[SHAPE_MAX_RANK * 16];

	if (x->rank != 1 && x->rank != 2)
		return infer_fail(err,
				  "input 'X': expected [C] or [N,C], got %s",
				  shape_text(x, text, sizeof(text)));
	*ret = rows_of(&infer->in[0]);
	return ERR_NONE;
}

struct ml_rows ml_rows_of(const struct kernel_query *query, const void *data)
{
	struct ml_rows rows = rows_of(&query->in[0]);

	rows.data = data;
	return rows;
}

void ml_row_read(const struct ml_rows *rows, int64_t i, double *ret)
{
	for (int64_t j = 0; j < rows->width; j++)
		ret[j] = ml_number(rows->elem, rows->data, i * rows->width + j);
}

unsigned ml_slices(const struct kernel_query *query)
{
	const struct ml_rows rows = rows_of(&query->in[0]);
	const int64_t want = query->want_slices < 1 ? 1 : query->want_slices;

	if (rows.n < 1)
		return 1;
	return (unsigned)(want < rows.n ? want : rows.n);
}

enum err_code ml_prepare(const struct kernel_query *query,
			 struct kernel_setup *ret, struct err *err)
{
	(void)err;
	ret->n_slices = ml_slices(query);
	return ERR_NONE;
}

double ml_cost(const struct kernel_query *query)
{
	return 0.05 + 2e-3 * (double)shape_count(&query->in[0].shape) +
	       2e-3 * (double)shape_count(&query->out[0].shape);
}

enum err_code ml_check_list(const char *name, size_t n, int64_t width,
			    struct err *err)
{
	if (n == 1 || (int64_t)n == width)
		return ERR_NONE;
	return err_set(err, ERR_SHAPE,
		       "attribute '%s': expected 1 or %lld numbers, one a "
		       "column of input 'X', got %zu",
		       name, (long long)width, n);
}
