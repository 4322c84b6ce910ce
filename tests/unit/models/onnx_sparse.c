/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sparse initializers and constants.
 */
#include <criterion/criterion.h>

#include "models/wire.h"
#include "tests/unit/models/run_onnx.h"

enum { GRAPH_SPARSE_INIT = 15, ATTR_SPARSE = 22 };

/* n values 1, 2 ... of a sparse tensor, whose dims are two numbers. */
struct sparse {
	const char *name;
	const char *index_dims;
	int64_t index[4], dim[2];
	size_t n, n_index;
	enum dtype dtype;
	float want[6];
	const char *says; /* NULL: it is read */
};

static const struct sparse rows[] = {
	{ "flat",
	  "3",
	  { 0, 4, 5 },
	  { 2, 3 },
	  3,
	  3,
	  DTYPE_F32,
	  { 1, 0, 0, 0, 2, 3 },
	  NULL },
	{ "by axes",
	  "2 2",
	  { 0, 2, 1, 0 },
	  { 2, 3 },
	  2,
	  4,
	  DTYPE_F32,
	  { 0, 0, 1, 2, 0, 0 },
	  NULL },
	{ "nothing", "0", { 0 }, { 2, 3 }, 0, 0, DTYPE_F32, { 0 }, NULL },
	{ "beyond",
	  "1",
	  { 6 },
	  { 2, 3 },
	  1,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "sparse tensor 'w': an index is out of its shape" },
	{ "below",
	  "1",
	  { -1 },
	  { 2, 3 },
	  1,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "an index is out of its shape" },
	{ "beyond an axis",
	  "1 2",
	  { 0, 3 },
	  { 2, 3 },
	  1,
	  2,
	  DTYPE_F32,
	  { 0 },
	  "an index is out of its shape" },
	{ "too few",
	  "1",
	  { 0 },
	  { 2, 3 },
	  2,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "one for each value" },
	{ "other axes",
	  "1 1",
	  { 0 },
	  { 2, 3 },
	  1,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "one for each value" },
	{ "too large",
	  "1",
	  { 0 },
	  { INT32_MAX, INT32_MAX },
	  1,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "w" },
	{ "larger than the arena",
	  "1",
	  { 0 },
	  { 1 << 14, 1 << 14 },
	  1,
	  1,
	  DTYPE_F32,
	  { 0 },
	  "larger than a model may be" },
};

static void put_tensor(struct make *m, uint32_t field, const char *name,
		       const char *dims, enum dtype dtype, const void *raw,
		       size_t len)
{
	size_t at = wire_begin(&m->buf, field);

	while (*dims) {
		wire_put_varint(&m->buf, 1, (uint64_t)(*dims - '0'));
		dims += dims[1] ? 2 : 1;
	}
	wire_put_varint(&m->buf, 2, dtype);
	wire_put_text(&m->buf, 8, name);
	wire_put_bytes(&m->buf, 9, raw, len);
	wire_end(&m->buf, at);
}

static void put_sparse(struct make *m, uint32_t field, const struct sparse *row)
{
	static const float values[] = { 1, 2, 3 };
	const char dims[] = { (char)('0' + row->n), 0 };
	size_t at = wire_begin(&m->buf, field);

	put_tensor(m, 1, "w", dims, row->dtype, values, 4 * row->n);
	put_tensor(m, 2, "", row->index_dims, DTYPE_I64, row->index,
		   8 * row->n_index);
	wire_put_varint(&m->buf, 3, (uint64_t)row->dim[0]);
	wire_put_varint(&m->buf, 3, (uint64_t)row->dim[1]);
	wire_end(&m->buf, at);
}

/* y = x + w, where w is an initializer or a constant's value. */
static void make_sum(struct make *m, const struct sparse *row, bool as_node)
{
	size_t attr;

	make_begin(m, 8, 17);
	make_node(m, "Add", "x w", "y");
	if (as_node) {
		make_node_open(m, "Constant", "", "w");
		attr = wire_begin(&m->buf, 5);
		wire_put_text(&m->buf, 1, "sparse_value");
		put_sparse(m, ATTR_SPARSE, row);
		wire_put_varint(&m->buf, 20, 11);
		wire_end(&m->buf, attr);
		make_node_close(m);
	} else {
		put_sparse(m, GRAPH_SPARSE_INIT, row);
	}
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "1");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, NULL);
	make_end(m);
}

static void expect_sum(struct run *f, const struct sparse *row)
{
	const float zero[] = { 0 };
	const struct fact input[] = { run_known(DTYPE_F32, 1, 1, zero) };

	cr_assert_eq(run_read(f), ERR_NONE, "%s: %s", row->name, f->err.msg);
	cr_assert_eq(run_plan(f, input, false), ERR_NONE, "%s", f->err.msg);
	run_expect_floats(f, 0, row->want, 6);
	run_end(f);
}

Test(onnx_sparse, becomes_dense_or_is_refused)
{
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		const struct sparse *row = &rows[i / 2];
		struct run f = { 0 };

		make_sum(&f.m, row, i % 2);
		if (row->says)
			run_expect_refusal(&f, row->says);
		else
			expect_sum(&f, row);
	}
}
