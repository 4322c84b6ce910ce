/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "models/onnx.h"
#include "models/wire.h"
#include "tests/unit/models/make_onnx.h"
#include "tests/unit/models/scratch.h"

/* Fields of TensorProto. */
enum {
	FLOATS = 4,
	INT32S = 5,
	STRINGS = 6,
	INT64S = 7,
	RAW = 9,
	DOUBLES = 10,
	UINT64S = 11
};

/* One tensor of n elements, its data in one list or in raw_data, and the bytes
 * that memory must hold then. */
struct sample {
	const char *name;
	enum dtype dtype;
	int64_t n;
	unsigned field;
	const char *data; /* what follows the list's tag and length */
	size_t len;
	enum err_code want;
	const char *memory;
	const char *says;
};

static const struct sample samples[] = {
	{ "floats", DTYPE_F32, 2, FLOATS, "\0\0\x80\x3f\0\0\0\xc0", 8, ERR_NONE,
	  "\0\0\x80\x3f\0\0\0\xc0", NULL },
	{ "doubles", DTYPE_F64, 1, DOUBLES, "\1\2\3\4\5\6\7\10", 8, ERR_NONE,
	  "\1\2\3\4\5\6\7\10", NULL },
	{ "int32", DTYPE_I32, 2, INT32S,
	  "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, ERR_NONE,
	  "\5\0\0\0\xff\xff\xff\xff", NULL },
	{ "int8", DTYPE_I8, 2, INT32S,
	  "\x05\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, ERR_NONE,
	  "\x05\xfb", NULL },
	{ "uint8", DTYPE_U8, 2, INT32S, "\x05\xff\x01", 3, ERR_NONE, "\x05\xff",
	  NULL },
	{ "uint8 of 256", DTYPE_U8, 1, INT32S, "\x80\x02", 2, ERR_FORMAT, NULL,
	  "does not fit uint8" },
	{ "int16", DTYPE_I16, 1, INT32S, "\x80\x02", 2, ERR_NONE, "\0\1",
	  NULL },
	{ "float16", DTYPE_F16, 1, INT32S, "\x80\xf8\x02", 3, ERR_NONE,
	  "\0\xbc", NULL },
	{ "bfloat16", DTYPE_BF16, 1, INT32S, "\x80\x7f", 2, ERR_NONE,
	  "\x80\x3f", NULL },
	{ "bool", DTYPE_BOOL, 3, INT32S, "\0\1\2", 3, ERR_NONE, "\0\1\1",
	  NULL },
	{ "raw bool", DTYPE_BOOL, 3, RAW, "\0\1\x7f", 3, ERR_NONE, "\0\1\1",
	  NULL },
	{ "int64", DTYPE_I64, 1, INT64S,
	  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, ERR_NONE,
	  "\xff\xff\xff\xff\xff\xff\xff\xff", NULL },
	{ "uint64", DTYPE_U64, 1, UINT64S, "\x81\x01", 2, ERR_NONE,
	  "\x81\0\0\0\0\0\0\0", NULL },
	{ "uint32", DTYPE_U32, 1, UINT64S, "\xff\xff\xff\xff\x0f", 5, ERR_NONE,
	  "\xff\xff\xff\xff", NULL },
	{ "uint32 of 2^32", DTYPE_U32, 1, UINT64S, "\x80\x80\x80\x80\x10", 5,
	  ERR_FORMAT, NULL, "does not fit uint32" },
	{ "raw uint4", DTYPE_U4, 3, RAW, "\x21\x0f", 2, ERR_NONE,
	  "\x01\x02\x0f", NULL },
	{ "raw int4", DTYPE_I4, 3, RAW, "\xf1\x08", 2, ERR_NONE, "\x01\xff\xf8",
	  NULL },
	{ "int4 in a list", DTYPE_I4, 2, INT32S, "\xf1\x01", 2, ERR_NONE,
	  "\x01\xff", NULL },
	{ "raw floats", DTYPE_F32, 1, RAW, "\1\2\3\4", 4, ERR_NONE, "\1\2\3\4",
	  NULL },
	{ "complex", DTYPE_C64, 1, FLOATS, "\1\2\3\4\5\6\7\10", 8, ERR_NONE,
	  "\1\2\3\4\5\6\7\10", NULL },
	{ "too few", DTYPE_F32, 2, FLOATS, "\0\0\x80\x3f", 4, ERR_FORMAT, NULL,
	  "1 numbers of data; its shape needs 2" },
	{ "too many", DTYPE_I64, 1, INT64S, "\1\2", 2, ERR_FORMAT, NULL,
	  "2 numbers" },
	{ "none", DTYPE_F32, 1, INT64S, "", 0, ERR_FORMAT, NULL, "0 numbers" },
	{ "raw, cut", DTYPE_F32, 2, RAW, "\1\2\3\4\5", 5, ERR_FORMAT, NULL,
	  "5 bytes of raw data" },
	{ "empty", DTYPE_F32, 0, FLOATS, "", 0, ERR_NONE, "", NULL },
	{ "half a float", DTYPE_F32, 1, FLOATS, "\1\2", 2, ERR_FORMAT, NULL,
	  "middle" },
	{ "no type", DTYPE_NONE, 1, FLOATS, "", 0, ERR_FORMAT, NULL,
	  "no element type" },
	{ "a type to come", (enum dtype)99, 1, FLOATS, "", 0, ERR_FORMAT, NULL,
	  "no element type" },
	{ "a negative extent", DTYPE_F32, -1, FLOATS, "", 0, ERR_COUNT, NULL,
	  NULL },
	{ "a huge extent", DTYPE_F32, (int64_t)1 << 62, FLOATS, "", 0,
	  ERR_COUNT, NULL, NULL },
	{ "a large extent without data", DTYPE_F32, 1 << 30, RAW, "", 0,
	  ERR_FORMAT, NULL, "0 bytes" },
	{ "raw strings", DTYPE_STRING, 1, RAW, "", 0, ERR_FORMAT, NULL,
	  "must not have raw data" },
};

static void make_tensor(const struct sample *s, struct buf *buf)
{
	buf_init(buf, 1 << 16);
	wire_put_varint(buf, 1, (uint64_t)s->n);
	wire_put_varint(buf, 2, (uint64_t)s->dtype);
	wire_put_bytes(buf, s->field, s->data, s->len);
	wire_put_text(buf, 8, "t");
}

static void check_sample(const struct sample *s, struct arena *arena)
{
	struct tensor_view view;
	const char *name;
	struct err err = { 0 };
	struct buf buf;
	enum err_code rc;

	make_tensor(s, &buf);
	rc = onnx_read_tensor(buf.data, buf.len, "file", arena, &view, &name,
			      &err);
	if (s->want == ERR_COUNT)
		cr_expect(rc != ERR_NONE, "%s", s->name);
	else
		cr_expect_eq(rc, s->want, "%s: %s", s->name, err.msg);
	if (s->says)
		cr_expect(strstr(err.msg, s->says) != NULL, "%s: %s", s->name,
			  err.msg);
	if (!rc && !s->want) {
		cr_expect_str_eq(name, "t");
		cr_expect_eq(view.dtype, s->dtype);
		cr_expect(!memcmp(view.data, s->memory,
				  tensor_bytes(view.dtype, &view.shape)),
			  "%s", s->name);
	}
	buf_finish(&buf);
}

Test(onnx_tensor, reads_every_way_to_hold_elements)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct arena *arena = arena_create(1 << 20);

		check_sample(&samples[i], arena);
		arena_destroy(arena);
	}
}

Test(onnx_tensor, reads_strings)
{
	struct arena *arena = arena_create(1 << 20);
	struct tensor_view view;
	const struct str *str;
	const char *name;
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	wire_put_varint(&buf, 1, 2);
	wire_put_varint(&buf, 2, DTYPE_STRING);
	wire_put_bytes(&buf, STRINGS, "a\0b", 3);
	wire_put_bytes(&buf, STRINGS, "", 0);
	cr_assert_eq(onnx_read_tensor(buf.data, buf.len, "file", arena, &view,
				      &name, &err),
		     ERR_NONE, "%s", err.msg);
	str = view.data;
	cr_assert(str[0].len == 3 && !memcmp(str[0].bytes, "a\0b", 3));
	cr_assert_eq(str[1].len, 0);
	wire_put_bytes(&buf, STRINGS, "c", 1);
	cr_assert_eq(onnx_read_tensor(buf.data, buf.len, "file", arena, &view,
				      &name, &err),
		     ERR_FORMAT);
	cr_assert(strstr(err.msg, "3 strings") != NULL, "%s", err.msg);
	buf_finish(&buf);
	arena_destroy(arena);
}

Test(onnx_tensor, refuses_rank_nine_and_segments)
{
	struct arena *arena = arena_create(1 << 20);
	struct tensor_view view;
	const char *name;
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	wire_put_varint(&buf, 2, DTYPE_F32);
	for (int i = 0; i < 9; i++)
		wire_put_varint(&buf, 1, 1);
	cr_assert_eq(onnx_read_tensor(buf.data, buf.len, "file", arena, &view,
				      &name, &err),
		     ERR_UNSUPPORTED);
	buf_reset(&buf);
	wire_put_bytes(&buf, 3, "", 0);
	cr_assert_eq(onnx_read_tensor(buf.data, buf.len, "file", arena, &view,
				      &name, &err),
		     ERR_UNSUPPORTED);
	cr_assert(strstr(err.msg, "segments") != NULL, "%s", err.msg);
	buf_finish(&buf);
	arena_destroy(arena);
}

Test(onnx_tensor, reads_back_every_type_that_it_writes)
{
	for (int d = 1; d < DTYPE_COUNT; d++) {
		struct arena *arena = arena_create(1 << 20);
		const struct dtype_info *info = dtype_info((enum dtype)d);
		struct tensor_view view = { .dtype = (enum dtype)d,
					    .shape = { 2, { 3, 5 } } };
		struct tensor_view again;
		unsigned char *byte;
		const char *name;
		struct err err = { 0 };
		struct buf buf;

		if (d == DTYPE_STRING) {
			arena_destroy(arena);
			continue;
		}
		byte = view.data = arena_alloc(arena, 15 * (size_t)info->size);
		/* 0 and 1 are elements of every type, however narrow */
		for (unsigned i = 0; i < 15 * info->size; i++)
			byte[i] = i % 3 == 0;
		buf_init(&buf, 1 << 16);
		cr_assert_eq(onnx_write_tensor(&view, "w", &buf, &err),
			     ERR_NONE, "%s: %s", info->name, err.msg);
		cr_assert_eq(onnx_read_tensor(buf.data, buf.len, "again", arena,
					      &again, &name, &err),
			     ERR_NONE, "%s: %s", info->name, err.msg);
		cr_expect(shape_equal(&view.shape, &again.shape));
		cr_expect(
		    !memcmp(view.data, again.data, 15 * (size_t)info->size),
		    "%s", info->name);
		buf_finish(&buf);
		arena_destroy(arena);
	}
}

/* --- external data --- */

struct place {
	const char *name, *location, *offset, *length;
	enum err_code want;
	const char *says;
};

static const struct place places[] = {
	{ "all of it", "w.bin", "0", "8", ERR_NONE, NULL },
	{ "from the middle", "w.bin", "4", "8", ERR_NONE, NULL },
	{ "without a length", "w.bin", NULL, NULL, ERR_NONE, NULL },
	{ "in a folder", "sub/w.bin", NULL, NULL, ERR_NONE, NULL },
	{ "past the end", "w.bin", "5", "8", ERR_FORMAT, "which has 12" },
	{ "far past the end", "w.bin", "18446744073709551615", "8", ERR_FORMAT,
	  "which has 12" },
	{ "another length", "w.bin", "0", "4", ERR_FORMAT,
	  "4 bytes of external data" },
	{ "no number", "w.bin", "-1", "8", ERR_FORMAT, "whole number" },
	{ "no file", "", NULL, NULL, ERR_FORMAT, "in which file" },
	{ "not there", "v.bin", NULL, NULL, ERR_NOT_FOUND, "v.bin" },
	{ "above", "../outside.bin", NULL, NULL, ERR_FORBIDDEN,
	  "out of the folder" },
	{ "above, by way of a folder", "sub/../../outside.bin", NULL, NULL,
	  ERR_FORBIDDEN, "out of the folder" },
	{ "absolute", "/etc/passwd", NULL, NULL, ERR_FORBIDDEN,
	  "out of the folder" },
	{ "a link out", "link.bin", NULL, NULL, ERR_FORBIDDEN,
	  "out of the folder" },
	{ "a hard link", "hard.bin", NULL, NULL, ERR_FORBIDDEN, "hard links" },
	{ "a folder", "sub", NULL, NULL, ERR_FORBIDDEN, "regular file" },
};

static void make_places(struct scratch *s)
{
	static const float data[] = { 1, 2, 3 };
	char target[PATH_MAX];

	scratch_begin(s);
	scratch_dir(s, "model/sub");
	scratch_file(s, "model/w.bin", data, sizeof(data));
	scratch_file(s, "model/sub/w.bin", data, sizeof(data));
	scratch_file(s, "outside.bin", data, sizeof(data));
	cr_assert_eq(
	    symlink("../outside.bin", scratch_path(s, "model/link.bin")), 0);
	(void)snprintf(target, sizeof(target), "%s/outside.bin", s->path);
	cr_assert_eq(link(target, scratch_path(s, "model/hard.bin")), 0);
}

static enum err_code read_place(const struct place *place,
				const struct file_root *folder,
				struct graph **graph, struct err *err)
{
	const struct onnx_options options = { .folder = folder };
	struct model_signature signature;
	struct make m;
	enum err_code rc;

	make_begin(&m, 8, 17);
	make_node(&m, "Add", "x w", "y");
	make_external(&m, "w", "2", place->location, place->offset,
		      place->length);
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "N 2");
	make_end(&m);
	rc = onnx_read(m.buf.data, m.buf.len, "m.onnx", &options, graph,
		       &signature, err);
	make_finish(&m);
	return rc;
}

Test(onnx_tensor, reads_external_data_beneath_the_folder_only)
{
	struct file_root *folder;
	struct scratch s;

	make_places(&s);
	cr_assert_eq(file_root_open(scratch_path(&s, "model"), &folder, NULL),
		     ERR_NONE);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct graph *graph = NULL;
		struct err err = { 0 };
		enum err_code rc = read_place(&places[i], folder, &graph, &err);

		cr_expect_eq(rc, places[i].want, "%s: %d %s", places[i].name,
			     rc, err.msg);
		if (places[i].says)
			cr_expect(strstr(err.msg, places[i].says) != NULL,
				  "%s: %s", places[i].name, err.msg);
		if (!rc)
			cr_expect_eq(((float *)graph->constant[0].data)[0],
				     i == 1 ? 2 : 1);
		graph_destroy(graph);
	}
	file_root_close(folder);
	scratch_end(&s);
}

Test(onnx_tensor, refuses_external_data_where_there_is_no_folder)
{
	struct graph *graph = NULL;
	struct err err = { 0 };

	cr_assert_eq(read_place(&places[0], NULL, &graph, &err),
		     ERR_UNSUPPORTED);
	cr_assert(strstr(err.msg, "'w' lies in another file") != NULL, "%s",
		  err.msg);
}
