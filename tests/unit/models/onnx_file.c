/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What a file says beside its graph: operator sets and notes; and data that
 * lies far out in another file.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "models/onnx.h"
#include "models/wire.h"
#include "tests/unit/models/make_onnx.h"
#include "tests/unit/models/scratch.h"

struct fixture {
	struct make m;
	struct graph *graph;
	struct model_signature signature;
	struct err err;
};

/* y = op(x), as far as the end of the graph. */
static void begin(struct fixture *f, const char *op)
{
	make_begin(&f->m, 8, 17);
	make_node(&f->m, op, "x", "y");
	make_port(&f->m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(&f->m, MAKE_OUTPUT, "y", DTYPE_F32, "N 2");
	make_end(&f->m);
}

static enum err_code read_it(struct fixture *f)
{
	const struct onnx_options options = { 0 };

	return onnx_read(f->m.buf.data, f->m.buf.len, "m.onnx", &options,
			 &f->graph, &f->signature, &f->err);
}

static void end(struct fixture *f)
{
	graph_destroy(f->graph);
	make_finish(&f->m);
}

static void put_import(struct make *m, const char *domain, int64_t version)
{
	size_t at = wire_begin(&m->buf, 8);

	wire_put_text(&m->buf, 1, domain);
	wire_put_varint(&m->buf, 2, (uint64_t)version);
	wire_end(&m->buf, at);
}

Test(onnx_file, asks_for_the_operator_sets_that_are_used)
{
	static const struct {
		const char *op, *domain;
		int64_t version;
		enum err_code want;
		const char *says;
	} rows[] = {
		{ "Relu", "nobody.uses", 3, ERR_NONE, "" },
		{ "Relu", "nobody.uses", -1, ERR_NONE, "" },
		{ "my.own:Fold", "my.own", 3, ERR_UNSUPPORTED,
		  "operators that are not supported: my.own.Fold (node 'y')" },
		{ "my.own:Fold", "another", 3, ERR_UNSUPPORTED, "my.own.Fold" },
		{ "com.microsoft:Gelu", "com.microsoft", 1, ERR_NONE, "" },
		{ "com.microsoft:Gelu", "another", 1, ERR_NONE, "" },
		{ "com.microsoft:Gelu", "com.microsoft", 0, ERR_FORMAT,
		  "'com.microsoft' is not imported" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f = { 0 };
		enum err_code rc;

		begin(&f, rows[i].op);
		put_import(&f.m, rows[i].domain, rows[i].version);
		rc = read_it(&f);
		cr_expect_eq(rc, rows[i].want, "%zu: %s", i, f.err.msg);
		cr_expect(strstr(f.err.msg, rows[i].says) != NULL, "%zu: %s", i,
			  f.err.msg);
		end(&f);
	}
}

/* --- notes --- */

static void expect_note(const struct model_signature *signature, unsigned i,
			const char *key, const char *value)
{
	cr_assert_lt(i, signature->n_notes);
	cr_expect_str_eq(signature->note[i].key, key);
	cr_expect_str_eq(signature->note[i].value, value);
}

Test(onnx_file, keeps_notes)
{
	const struct onnx_write_options writing = { "1", "again" };
	const struct onnx_options options = { 0 };
	struct model_signature back;
	struct graph *again = NULL;
	struct fixture f = { 0 };
	struct buf buf;

	begin(&f, "Relu");
	make_note(&f.m, "names", "{0: 'cat', 1: 'd\xc3\xb6g'}");
	make_note(&f.m, "empty", "");
	make_note(&f.m, NULL, "no key");
	make_note(&f.m, "no value", NULL);
	make_note(&f.m, "names", "once more");
	make_note(&f.m, "no text", "\xff");
	make_note(&f.m, "last", "1");
	cr_assert_eq(read_it(&f), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(f.signature.n_notes, 3);
	expect_note(&f.signature, 0, "names", "{0: 'cat', 1: 'd\xc3\xb6g'}");
	expect_note(&f.signature, 1, "empty", "");
	expect_note(&f.signature, 2, "last", "1");
	buf_init(&buf, 1 << 20);
	cr_assert_eq(onnx_write(f.graph, &f.signature, &writing, &buf, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(onnx_read(buf.data, buf.len, "again", &options, &again,
			       &back, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(back.n_notes, 3);
	expect_note(&back, 2, "last", "1");
	graph_destroy(again);
	buf_finish(&buf);
	end(&f);
}

Test(onnx_file, keeps_so_many_notes)
{
	struct fixture f = { 0 };

	begin(&f, "Relu");
	for (int i = 0; i < 300; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		make_note(&f.m, key, "");
	}
	cr_assert_eq(read_it(&f), ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(f.signature.n_notes, 256);
	end(&f);
}

/* --- large files --- */

/* A file of 5 GiB that takes no room: a hole with numbers at its end. */
static void make_large(struct scratch *s, int64_t at, const float *v, size_t n)
{
	int fd;

	scratch_begin(s);
	scratch_dir(s, "model");
	fd = open(scratch_path(s, "model/w.bin"), O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, v, n * sizeof(*v), at),
		     (ssize_t)(n * sizeof(*v)));
	cr_assert_eq(close(fd), 0);
}

Test(onnx_file, reads_data_behind_four_gigabytes)
{
	const float v[] = { 3, -4 };
	struct onnx_options options = { 0 };
	struct file_root *folder;
	struct fixture f = { 0 };
	struct scratch s;

	make_large(&s, (int64_t)5 << 30, v, 2);
	cr_assert_eq(file_root_open(scratch_path(&s, "model"), &folder, NULL),
		     ERR_NONE);
	options.folder = folder;
	make_begin(&f.m, 8, 17);
	make_node(&f.m, "Add", "x w", "y");
	make_external(&f.m, "w", "2", "w.bin", "5368709120", "8");
	make_port(&f.m, MAKE_INPUT, "x", DTYPE_F32, "N 2");
	make_port(&f.m, MAKE_OUTPUT, "y", DTYPE_F32, "N 2");
	make_end(&f.m);
	cr_assert_eq(onnx_read(f.m.buf.data, f.m.buf.len, "m.onnx", &options,
			       &f.graph, &f.signature, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_expect_eq(((float *)f.graph->constant[0].data)[1], -4);
	end(&f);
	file_root_close(folder);
	scratch_end(&s);
}
