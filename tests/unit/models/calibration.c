/* SPDX-License-Identifier: Apache-2.0 */
#include "models/calibration.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/file.h"
#include "models/npy.h"
#include "tests/unit/models/make_onnx.h"
#include "tests/unit/models/scratch.h"

struct fixture {
	struct scratch s;
	struct file_root *root;
	struct package *package;
	struct arena *arena;
	struct calibration rows;
	struct err err;
};

/* y = x + z, both of that shape */
static void begin(struct fixture *f, const char *dims, bool has_z)
{
	const struct package_source source = { .path = "m/1",
					       .name = "m",
					       .version = 1 };
	struct package_source at = source;
	struct make m;

	scratch_begin(&f->s);
	scratch_dir(&f->s, "m/1");
	scratch_dir(&f->s, "m/rows");
	make_begin(&m, 8, 17);
	make_node(&m, "Add", has_z ? "x z" : "x x", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, dims);
	if (has_z)
		make_port(&m, MAKE_INPUT, "z", DTYPE_F32, dims);
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, dims);
	make_end(&m);
	scratch_file(&f->s, "m/1/model.onnx", m.buf.data, m.buf.len);
	make_finish(&m);
	cr_assert_eq(file_root_open(f->s.path, &f->root, NULL), ERR_NONE);
	at.root = f->root;
	cr_assert_eq(package_load(&at, &f->package, &f->err), ERR_NONE, "%s",
		     f->err.msg);
	f->arena = arena_create(1 << 24);
}

static void end(struct fixture *f)
{
	arena_destroy(f->arena);
	package_unref(f->package);
	file_root_close(f->root);
	scratch_end(&f->s);
}

/* 0, 1, 2 ... as [n, 4] */
static void put(struct fixture *f, const char *path, enum dtype dtype,
		int64_t n)
{
	double numbers[1024];
	float narrow[1024];
	struct tensor_view view = { .data = dtype == DTYPE_F32 ? (void *)narrow
							       : numbers,
				    .dtype = dtype,
				    .shape = { 2, { n, 4 } } };
	struct buf buf;

	for (int i = 0; i < 1024; i++) {
		numbers[i] = i;
		narrow[i] = (float)i;
	}
	buf_init(&buf, 1 << 20);
	cr_assert_eq(npy_write(&view, path, &buf, NULL), ERR_NONE);
	scratch_file(&f->s, path, buf.data, buf.len);
	buf_finish(&buf);
}

static enum err_code read_rows(struct fixture *f, const char *path)
{
	return calibration_read(f->root, path, f->package, f->arena, &f->rows,
				&f->err);
}

Test(calibration, a_file_has_a_row_an_image)
{
	struct fixture f;

	begin(&f, "n 4", false);
	put(&f, "m/rows.npy", DTYPE_F32, 5);
	cr_assert_eq(read_rows(&f, "m/rows.npy"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, 5);
	cr_assert_eq(f.rows.row[3][0].shape.dim[0], 1);
	cr_assert_eq(((float *)f.rows.row[3][0].data)[1], 13);
	end(&f);
}

Test(calibration, a_folder_has_a_tensor_an_input)
{
	struct fixture f;

	begin(&f, "n 4", true);
	put(&f, "m/rows/x.npy", DTYPE_F32, 3);
	cr_assert_eq(read_rows(&f, "m/rows"), ERR_NOT_FOUND);
	cr_assert(strstr(f.err.msg, "z.npy"), "%s", f.err.msg);
	put(&f, "m/rows/input_1.npy", DTYPE_F32, 3);
	cr_assert_eq(read_rows(&f, "m/rows"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, 3);
	cr_assert_eq(((float *)f.rows.row[2][1].data)[0], 8);
	put(&f, "m/rows/input_1.npy", DTYPE_F32, 2);
	cr_assert_eq(read_rows(&f, "m/rows"), ERR_SHAPE);
	cr_assert_eq(read_rows(&f, "m/rows/x.npy"), ERR_INVALID);
	cr_assert(strstr(f.err.msg, "2 inputs"), "%s", f.err.msg);
	end(&f);
}

Test(calibration, first_extents_of_a_model_that_does_not_batch_are_a_run)
{
	struct fixture f;

	begin(&f, "2 4", false);
	put(&f, "m/rows.npy", DTYPE_F32, 6);
	cr_assert_eq(read_rows(&f, "m/rows.npy"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, 3);
	cr_assert_eq(f.rows.row[1][0].shape.dim[0], 2);
	cr_assert_eq(((float *)f.rows.row[1][0].data)[0], 8);
	put(&f, "m/rows.npy", DTYPE_F32, 5);
	cr_assert_neq(read_rows(&f, "m/rows.npy"), ERR_NONE);
	end(&f);
}

Test(calibration, so_many_rows_are_used)
{
	struct fixture f;

	begin(&f, "n 4", false);
	put(&f, "m/rows.npy", DTYPE_F32, PRECISION_ROWS_MAX + 1);
	cr_assert_eq(read_rows(&f, "m/rows.npy"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, PRECISION_ROWS_MAX);
	cr_assert_eq(f.rows.n_given, PRECISION_ROWS_MAX + 1);
	end(&f);
}

Test(calibration, refuses_other_tensors)
{
	struct fixture f;

	begin(&f, "n 4", false);
	put(&f, "m/rows.npy", DTYPE_F64, 3);
	cr_assert_eq(read_rows(&f, "m/rows.npy"), ERR_INVALID);
	cr_assert(strstr(f.err.msg, "expected float"), "%s", f.err.msg);
	put(&f, "m/rows.npy", DTYPE_F32, 0);
	cr_assert_eq(read_rows(&f, "m/rows.npy"), ERR_SHAPE);
	cr_assert(strstr(f.err.msg, "no rows"), "%s", f.err.msg);
	scratch_file(&f.s, "m/rows.npy", "nothing", 7);
	cr_assert_neq(read_rows(&f, "m/rows.npy"), ERR_NONE);
	cr_assert_eq(read_rows(&f, "m/no.npy"), ERR_NOT_FOUND);
	end(&f);
}

Test(calibration, made_rows_suit_the_model)
{
	struct fixture f;

	begin(&f, "n 4", true);
	cr_assert_eq(calibration_make(f.package, f.arena, &f.rows, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, 8);
	cr_assert_eq(f.rows.row[7][1].shape.dim[0], 1);
	end(&f);
	begin(&f, "2 4", false);
	cr_assert_eq(calibration_make(f.package, f.arena, &f.rows, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.rows.n_rows, 8);
	cr_assert_eq(f.rows.row[7][0].shape.dim[0], 2);
	end(&f);
}
