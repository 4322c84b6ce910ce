/* SPDX-License-Identifier: Apache-2.0 */
#include "models/npy.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"

static struct arena *arena;
static struct buf buf;

static void setup(void)
{
	arena = arena_create(1 << 20);
	buf_init(&buf, 1 << 20);
	cr_assert(arena);
}

static void teardown(void)
{
	buf_finish(&buf);
	arena_destroy(arena);
}

TestSuite(npy, .init = setup, .fini = teardown);

/* version 1, 2 or 3 with that header text and those elements */
static void put(int version, const char *header, const void *data, size_t len)
{
	size_t n = strlen(header);

	buf_reset(&buf);
	buf_put(&buf, "\x93NUMPY", 6);
	buf_putc(&buf, (char)version);
	buf_putc(&buf, 0);
	buf_putc(&buf, (char)(n & 0xff));
	buf_putc(&buf, (char)(n >> 8));
	if (version > 1)
		buf_put(&buf, "\0\0", 2);
	buf_puts(&buf, header);
	buf_put(&buf, data, len);
}

static enum err_code parse(struct tensor_view *view, struct err *err)
{
	return npy_parse(buf.data, buf.len, "x.npy", arena, view, err);
}

Test(npy, what_numpy_writes_is_read)
{
	static const float data[] = { 1, 2, 3, 4, 5, 6 };
	struct tensor_view view;

	for (int version = 1; version <= 3; version++) {
		put(version,
		    "{'descr': '<f4', 'fortran_order': False, "
		    "'shape': (2, 3), }   \n",
		    data, sizeof(data));
		cr_assert_eq(parse(&view, NULL), ERR_NONE);
		cr_assert_eq(view.dtype, DTYPE_F32);
		cr_assert_eq(view.shape.rank, 2);
		cr_assert_eq(view.shape.dim[0], 2);
		cr_assert_eq(view.shape.dim[1], 3);
		cr_assert_arr_eq(view.data, data, sizeof(data));
	}
}

Test(npy, scalars_vectors_and_empty_tensors_are_read)
{
	static const struct {
		const char *header;
		unsigned rank;
		int64_t count;
	} cases[] = {
		{ "{'descr':'|u1','fortran_order':False,'shape':()}", 0, 1 },
		{ "{\"shape\":(2,),\"descr\":\"|b1\","
		  "\"fortran_order\":False}",
		  1, 2 },
		{ "{'descr':'|i1','fortran_order':False,'shape':(0,7)}", 2, 0 },
		{ "{'descr':'|i1','fortran_order':False,'shape':(3L,)}", 1, 3 },
	};
	struct tensor_view view;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(1, cases[i].header, "\1\0\1", 3);
		cr_assert_eq(parse(&view, NULL), ERR_NONE, "case %zu", i);
		cr_assert_eq(view.shape.rank, cases[i].rank);
		cr_assert_eq(shape_count(&view.shape), cases[i].count);
		cr_assert(view.data);
	}
}

Test(npy, every_type_is_written_and_read_back_the_same)
{
	static const enum dtype types[] = {
		DTYPE_F32, DTYPE_F64,  DTYPE_F16, DTYPE_I8,   DTYPE_I16,
		DTYPE_I32, DTYPE_I64,  DTYPE_U8,  DTYPE_U16,  DTYPE_U32,
		DTYPE_U64, DTYPE_BOOL, DTYPE_C64, DTYPE_C128,
	};
	static const struct shape shapes[] = {
		{ 0, { 0 } },
		{ 1, { 4 } },
		{ 3, { 2, 1, 3 } },
	};
	unsigned char data[16 * 6];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 37 + 1);
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		for (size_t s = 0; s < 3; s++) {
			struct tensor_view in = { .data = data,
						  .dtype = types[t],
						  .shape = shapes[s] };
			struct tensor_view out;

			buf_reset(&buf);
			cr_assert_eq(npy_write(&in, "y", &buf, NULL), ERR_NONE);
			cr_assert_eq(parse(&out, NULL), ERR_NONE);
			cr_assert_eq(out.dtype, in.dtype);
			cr_assert(shape_equal(&out.shape, &in.shape));
			cr_assert_arr_eq(out.data, data,
					 tensor_bytes(in.dtype, &in.shape));
			/* elements begin at a multiple of 64, as NEP 1 asks */
			cr_assert_eq(
			    (buf.len - tensor_bytes(in.dtype, &in.shape)) % 64,
			    0);
		}
	}
}

Test(npy, types_that_numpy_lacks_are_not_written)
{
	struct tensor_view view = { .dtype = DTYPE_BF16 };
	struct err err;

	cr_assert_eq(npy_write(&view, "y", &buf, &err), ERR_UNSUPPORTED);
	cr_assert_str_eq(err.msg, "y: numpy has no type for bfloat16");
}

Test(npy, broken_and_foreign_headers_are_refused)
{
	static const struct {
		const char *header;
		enum err_code want;
	} cases[] = {
		{ "{'descr':'>f4','fortran_order':False,'shape':()}",
		  ERR_UNSUPPORTED },
		{ "{'descr':'<f4','fortran_order':True,'shape':(1,1)}",
		  ERR_UNSUPPORTED },
		{ "{'descr':'|O','fortran_order':False,'shape':()}",
		  ERR_UNSUPPORTED },
		{ "{'descr':'','fortran_order':False,'shape':()}",
		  ERR_UNSUPPORTED },
		{ "{'descr':[('a','<f4')],'fortran_order':False,'shape':()}",
		  ERR_FORMAT },
		{ "{'descr':'<f4','fortran_order':False}", ERR_FORMAT },
		{ "{'descr':'<f4','descr':'<f4','fortran_order':False,"
		  "'shape':()}",
		  ERR_FORMAT },
		{ "{'descr':'<f4','fortran_order':False,'shape':(-1,)}",
		  ERR_FORMAT },
		{ "{'descr':'<f4','fortran_order':False,'shape':(2 3)}",
		  ERR_FORMAT },
		{ "{'descr':'<f4','fortran_order':False,"
		  "'shape':(1,1,1,1,1,1,1,1,1)}",
		  ERR_SHAPE },
		{ "{'descr':'<f4','fortran_order':False,"
		  "'shape':(99999999999999999999,)}",
		  ERR_FORMAT },
		{ "{'descr':'<f4','fortran_order':False,'shape':(9,)}",
		  ERR_FORMAT },
		{ "{'descr':'<f4", ERR_FORMAT },
		{ "", ERR_FORMAT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tensor_view view;
		struct err err = { 0 };

		put(1, cases[i].header, "\0\0\0\0", 4);
		cr_assert_eq(parse(&view, &err), cases[i].want, "case %zu: %s",
			     i, err.msg);
		cr_assert(strlen(err.msg) > 7);
	}
}

Test(npy, cut_files_are_refused_at_every_length)
{
	static const float one = 1;
	struct tensor_view view;
	size_t len;

	put(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", &one,
	    sizeof(one));
	len = buf.len;
	for (size_t n = 0; n < len; n++) {
		char *cut = arena_copy(arena, buf.data, n ? n : 1);

		cr_assert_neq(npy_parse(cut, n, "x.npy", arena, &view, NULL),
			      ERR_NONE);
	}
	cr_assert_eq(parse(&view, NULL), ERR_NONE);
}
