/* SPDX-License-Identifier: Apache-2.0 */
#include "models/safetensors.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/mem.h"

struct sample {
	const char *name, *header;
	size_t data_len;
	enum err_code want;
	const char *says; /* part of the message */
};

/* A file of that header and that many bytes of data: 0, 1, 2 ... */
static void make_file(const char *header, size_t data_len, struct buf *buf)
{
	size_t n = strlen(header);

	buf_init(buf, 1 << 20);
	for (unsigned i = 0; i < 8; i++)
		buf_putc(buf, (char)(n >> (8 * i) & 0xff));
	buf_puts(buf, header);
	for (size_t i = 0; i < data_len; i++)
		buf_putc(buf, (char)i);
}

static enum err_code parse(const char *header, size_t data_len,
			   struct arena *arena, struct safetensors *ret,
			   struct err *err)
{
	struct buf buf;
	char *bytes;
	enum err_code rc;

	make_file(header, data_len, &buf);
	bytes = arena_copy(arena, buf.data, buf.len);
	rc =
	    safetensors_parse(bytes, buf.len, "w.safetensors", arena, ret, err);
	buf_finish(&buf);
	return rc;
}

static const struct sample samples[] = {
	{ "no tensors", "{}", 0, ERR_NONE, NULL },
	{ "a scalar",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
	  ERR_NONE, NULL },
	{ "an empty tensor",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]}}",
	  0, ERR_NONE, NULL },
	{ "padding",
	  "{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}     "
	  " ",
	  2, ERR_NONE, NULL },
	{ "bytes after the end",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 5,
	  ERR_FORMAT, "end at byte 4 of 5" },
	{ "a hole",
	  "{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
	  ERR_FORMAT, "begins at byte 1" },
	{ "overlap",
	  "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	  "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
	  3, ERR_FORMAT, "without holes" },
	{ "a wrong size",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
	  ERR_FORMAT, "needs 8 bytes" },
	{ "past the end",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
	  ERR_FORMAT, "within the 4 bytes" },
	{ "descending offsets",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,0]}}", 4,
	  ERR_FORMAT, "ascending" },
	{ "negative offsets",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[-4,0]}}", 4,
	  ERR_FORMAT, "ascending" },
	{ "a negative extent",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
	  4, ERR_FORMAT, "at least 0" },
	{ "a fraction",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}",
	  4, ERR_FORMAT, "whole" },
	{ "rank 9",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_"
	  "offsets\":[0,4]}}",
	  4, ERR_FORMAT, "rank 9" },
	{ "a product that wraps",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_"
	  "offsets\":[0,0]}}",
	  0, ERR_COUNT, NULL },
	{ "a duplicate name",
	  "{\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]},\"a\":"
	  "{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[1,2]}}",
	  2, ERR_COUNT, NULL },
	{ "an unknown dtype",
	  "{\"a\":{\"dtype\":\"Q4\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
	  ERR_UNSUPPORTED, "'Q4'" },
	{ "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
	  ERR_FORMAT, "needs 'shape'" },
	{ "a key too many",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":"
	  "1}}",
	  4, ERR_FORMAT, "4 keys" },
	{ "three offsets",
	  "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,4]}}",
	  4, ERR_FORMAT, "two" },
	{ "an entry that is no map", "{\"a\":1}", 0, ERR_FORMAT,
	  "must be a map" },
	{ "metadata that is no text", "{\"__metadata__\":{\"a\":1}}", 0,
	  ERR_FORMAT, "must be a string" },
	{ "a header that is no map", "[]", 0, ERR_FORMAT, "'{'" },
	{ "a bool of 2",
	  "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}",
	  3, ERR_FORMAT, "byte 2" },
};

Test(safetensors, accepts_and_refuses_what_the_format_says)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const struct sample *s = &samples[i];
		struct arena *arena = arena_create(1 << 20);
		struct safetensors file;
		struct err err = { 0 };
		enum err_code rc =
		    parse(s->header, s->data_len, arena, &file, &err);

		if (s->want == ERR_COUNT)
			cr_expect(rc != ERR_NONE, "%s", s->name);
		else
			cr_expect_eq(rc, s->want, "%s: %d %s", s->name, rc,
				     err.msg);
		if (s->says)
			cr_expect(strstr(err.msg, s->says), "%s: %s", s->name,
				  err.msg);
		arena_destroy(arena);
	}
}

Test(safetensors, gives_tensors_in_the_order_of_their_bytes)
{
	static const char header[] =
	    "{\"__metadata__\":{\"format\":\"pt\"},"
	    "\"late\":{\"dtype\":\"U8\",\"shape\":[2,2],"
	    "\"data_offsets\":[4,8]},"
	    "\"early\":{\"dtype\":\"I32\",\"shape\":[1],"
	    "\"data_offsets\":[0,4]}}";
	struct arena *arena = arena_create(1 << 20);
	struct safetensors file;
	struct err err = { 0 };
	const struct tensor_view *late;
	int32_t word;

	cr_assert_eq(parse(header, 8, arena, &file, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(file.n, 2);
	cr_assert_str_eq(file.entry[0].name, "early");
	memcpy(&word, file.entry[0].view.data, sizeof(word));
	cr_assert_eq(word, 0x03020100);
	late = safetensors_find(&file, "late");
	cr_assert_not_null(late);
	cr_assert_eq(late->shape.rank, 2);
	cr_assert_eq(((const uint8_t *)late->data)[3], 7);
	cr_assert_null(safetensors_find(&file, "absent"));
	cr_assert_eq(file.n_metadata, 1);
	cr_assert_str_eq(file.metadata[1], "pt");
	arena_destroy(arena);
}

Test(safetensors, aligns_floats_that_the_file_does_not)
{
	static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
				     "\"data_offsets\":[0,1]},"
				     "\"b\":{\"dtype\":\"F64\",\"shape\":[1],"
				     "\"data_offsets\":[1,9]}}";
	struct arena *arena = arena_create(1 << 20);
	struct safetensors file;
	struct err err = { 0 };

	cr_assert_eq(parse(header, 9, arena, &file, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq((uintptr_t)file.entry[1].view.data % 8, 0);
	cr_assert_eq(((const uint8_t *)file.entry[1].view.data)[0], 1);
	arena_destroy(arena);
}

Test(safetensors, reads_back_what_it_writes)
{
	float weight[6] = { 1, 2, 3, 4, 5, 6 };
	int64_t step = 77;
	const char *metadata[] = { "format", "pt \"quoted\"" };
	struct safetensors_entry entry[2] = {
		{ "layer.weight", { weight, DTYPE_F32, { 2, { 2, 3 } } } },
		{ "step", { &step, DTYPE_I64, { 0, { 0 } } } },
	};
	struct safetensors file = { 2, entry, 1, metadata }, again;
	struct arena *arena = arena_create(1 << 20);
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	cr_assert_eq(safetensors_write(&file, &buf, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq((buf.len - 32) % 8, 0, "the data begins aligned");
	cr_assert_eq(
	    safetensors_parse(buf.data, buf.len, "again", arena, &again, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(again.n, 2);
	cr_assert_str_eq(again.entry[0].name, "layer.weight");
	cr_assert_eq(memcmp(again.entry[0].view.data, weight, sizeof(weight)),
		     0);
	cr_assert_eq(*(const int64_t *)again.entry[1].view.data, 77);
	cr_assert_str_eq(again.metadata[1], metadata[1]);
	buf_finish(&buf);
	arena_destroy(arena);
}

Test(safetensors, refuses_to_write_a_name_twice)
{
	float x = 1;
	struct safetensors_entry entry[2] = {
		{ "a", { &x, DTYPE_F32, { 0, { 0 } } } },
		{ "a", { &x, DTYPE_F32, { 0, { 0 } } } },
	};
	struct safetensors file = { 2, entry, 0, NULL };
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, 1 << 16);
	cr_assert_eq(safetensors_write(&file, &buf, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "'a' is taken"), "%s", err.msg);
	buf_finish(&buf);
}

Test(safetensors, refuses_every_shorter_file)
{
	static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
				     "\"data_offsets\":[0,8]}}";
	struct err err = { 0 };
	struct buf buf;

	make_file(header, 8, &buf);
	for (size_t n = 0; n < buf.len; n++) {
		struct arena *arena = arena_create(1 << 20);
		struct safetensors file;
		char *bytes = arena_copy(arena, buf.data, n + 1);

		cr_assert_neq(
		    safetensors_parse(bytes, n, "cut", arena, &file, &err),
		    ERR_NONE, "%zu bytes", n);
		arena_destroy(arena);
	}
	buf_finish(&buf);
}

Test(safetensors, survives_every_failed_allocation)
{
	static const char header[] = "{\"__metadata__\":{\"k\":\"v\"},"
				     "\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
				     "\"data_offsets\":[0,8]}}";
	struct buf buf;
	enum err_code rc = ERR_NO_MEMORY;

	make_file(header, 8, &buf);
	for (unsigned long n = 1; rc == ERR_NO_MEMORY; n++) {
		struct safetensors file;
		struct err err = { 0 };
		struct arena *arena;

		mem_fail_at(n);
		arena = arena_create(1 << 20);
		if (arena)
			rc = safetensors_parse(buf.data, buf.len, "oom", arena,
					       &file, &err);
		mem_fail_at(0);
		arena_destroy(arena);
		cr_assert_lt(n, 1000);
	}
	cr_assert_eq(rc, ERR_NONE);
	buf_finish(&buf);
}
