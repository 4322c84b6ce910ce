/* SPDX-License-Identifier: Apache-2.0 */
#include "models/wire.h"

#include <criterion/criterion.h>

#include "base/buf.h"

struct sample {
	const char *name;
	const char *bytes;
	size_t len;
	enum err_code want;
	uint64_t value; /* of the first field */
};

static const struct sample samples[] = {
	{ "a byte", "\x08\x05", 2, ERR_NONE, 5 },
	{ "two bytes", "\x08\xac\x02", 3, ERR_NONE, 300 },
	{ "padded", "\x08\x85\x80\x00", 4, ERR_NONE, 5 },
	{ "the largest", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
	  ERR_NONE, UINT64_MAX },
	{ "65 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11,
	  ERR_FORMAT, 0 },
	{ "eleven bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
	  12, ERR_FORMAT, 0 },
	{ "no end", "\x08\x80", 2, ERR_FORMAT, 0 },
	{ "no value", "\x08", 1, ERR_FORMAT, 0 },
	{ "fixed 32", "\x0d\x01\x02\x00\x00", 5, ERR_NONE, 513 },
	{ "fixed 32, cut", "\x0d\x01\x02\x00", 4, ERR_FORMAT, 0 },
	{ "fixed 64", "\x09\x01\x00\x00\x00\x00\x00\x00\x80", 9, ERR_NONE,
	  0x8000000000000001 },
	{ "fixed 64, cut", "\x09\x01\x00\x00\x00\x00\x00\x00", 8, ERR_FORMAT,
	  0 },
	{ "bytes past the end",
	  "\x0a\x03"
	  "ab",
	  4, ERR_FORMAT, 0 },
	{ "a length of 2^63", "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
	  11, ERR_FORMAT, 0 },
	{ "field 0", "\x00\x01", 2, ERR_FORMAT, 0 },
	{ "a field above 2^29", "\x80\x80\x80\x80\x10\x01", 6, ERR_FORMAT, 0 },
	{ "a group", "\x0b\x0c", 2, ERR_FORMAT, 0 },
	{ "wire type 6", "\x0e", 1, ERR_FORMAT, 0 },
	{ "wire type 7", "\x0f", 1, ERR_FORMAT, 0 },
};

Test(wire, reads_numbers_and_refuses_broken_ones)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const struct sample *s = &samples[i];
		struct wire_field field = { 0 };
		struct wire wire;
		struct err err = { 0 };

		wire_init(&wire, s->bytes, s->len, "sample");
		cr_expect_eq(wire_next(&wire, &field, &err), s->want, "%s: %s",
			     s->name, err.msg);
		if (!s->want)
			cr_expect(field.number == 1 && field.value == s->value,
				  "%s", s->name);
	}
}

Test(wire, gives_strings_where_they_lie)
{
	static const char bytes[] = "\x12\x03"
				    "abc\x18\x07";
	struct wire_field field;
	struct wire wire;
	struct err err;

	wire_init(&wire, bytes, sizeof(bytes) - 1, "sample");
	cr_assert_eq(wire_next(&wire, &field, &err), ERR_NONE);
	cr_assert(field.number == 2 && field.len == 3);
	cr_assert_eq((const char *)field.bytes, bytes + 2);
	cr_assert_eq(wire_next(&wire, &field, &err), ERR_NONE);
	cr_assert(field.number == 3 && field.value == 7);
	cr_assert_eq(wire_next(&wire, &field, &err), ERR_NONE);
	cr_assert_eq(field.number, 0);
}

Test(wire, descends_no_deeper_than_its_limit)
{
	struct wire_field field = { .number = 1, .kind = WIRE_BYTES };
	struct wire wire;
	struct err err = { 0 };
	unsigned depth = 0;

	wire_init(&wire, "", 0, "deep");
	field.bytes = wire.at;
	while (depth < 100 && !wire_enter(&wire, &field, "x", &wire, &err))
		depth++;
	cr_assert_eq(depth, WIRE_MAX_DEPTH - 1);
	cr_assert(strstr(err.msg, "nested") != NULL, "%s", err.msg);
}

Test(wire, reads_lists_packed_and_not)
{
	/* field 4: 1, then packed 2 and 3, an empty pack, then 4; field 5
	 * between them is somebody else's */
	static const char bytes[] = "\x20\x01\x22\x02\x02\x03\x28\x09\x22\x00"
				    "\x20\x04";
	struct wire_numbers numbers;
	struct wire wire;
	uint64_t value = 0;
	bool more = true;
	size_t n;
	struct err err;

	wire_init(&wire, bytes, sizeof(bytes) - 1, "list");
	cr_assert_eq(wire_numbers_count(&wire, 4, WIRE_VARINT, &n, &err),
		     ERR_NONE);
	cr_assert_eq(n, 4);
	wire_numbers_init(&numbers, &wire, 4, WIRE_VARINT);
	for (uint64_t want = 1; want <= 4; want++) {
		cr_assert_eq(wire_numbers_next(&numbers, &value, &more, &err),
			     ERR_NONE);
		cr_assert(more && value == want);
	}
	cr_assert_eq(wire_numbers_next(&numbers, &value, &more, &err),
		     ERR_NONE);
	cr_assert_not(more);
}

Test(wire, refuses_lists_of_another_kind_or_with_a_rest)
{
	struct wire wire;
	struct err err;
	size_t n;

	wire_init(&wire, "\x25\x00\x00\x00\x00", 5, "fixed"); /* not varints */
	cr_assert_eq(wire_numbers_count(&wire, 4, WIRE_VARINT, &n, &err),
		     ERR_FORMAT);
	wire_init(&wire, "\x22\x05\x00\x00\x00\x00\x00", 7, "five bytes");
	cr_assert_eq(wire_numbers_count(&wire, 4, WIRE_FIXED32, &n, &err),
		     ERR_FORMAT);
}

Test(wire, reads_back_what_it_writes)
{
	struct wire wire, child;
	struct wire_field field;
	struct err err;
	struct buf buf;
	char large[300];
	size_t at;

	memset(large, 'x', sizeof(large));
	buf_init(&buf, 1 << 16);
	at = wire_begin(&buf, 7);
	wire_put_bytes(&buf, 1, large, sizeof(large));
	wire_put_float(&buf, 2, 1.5f);
	wire_put_varint(&buf, 3, (uint64_t)-1);
	wire_end(&buf, at);
	wire_put_text(&buf, 8, "end");
	wire_init(&wire, buf.data, buf.len, "written");
	cr_assert_eq(wire_next(&wire, &field, &err), ERR_NONE);
	cr_assert_eq(field.number, 7);
	cr_assert_eq(wire_enter(&wire, &field, "it", &child, &err), ERR_NONE);
	cr_assert_eq(wire_next(&child, &field, &err), ERR_NONE);
	cr_assert(field.len == 300 && !memcmp(field.bytes, large, 300));
	cr_assert_eq(wire_next(&child, &field, &err), ERR_NONE);
	cr_assert_eq(field.value, 0x3fc00000);
	cr_assert_eq(wire_next(&child, &field, &err), ERR_NONE);
	cr_assert_eq((int64_t)field.value, -1);
	cr_assert_eq(child.at, child.end);
	cr_assert_eq(wire_next(&wire, &field, &err), ERR_NONE);
	cr_assert(field.number == 8 && field.len == 3);
	buf_finish(&buf);
}
