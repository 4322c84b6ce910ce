/* SPDX-License-Identifier: Apache-2.0 */
#include "models/repository.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/doc.h"
#include "base/mem.h"
#include "models/package.h"
#include "tests/unit/models/make_onnx.h"
#include "tests/unit/models/scratch.h"

struct fixture {
	struct scratch s;
	struct make m; /* y = x + w */
	struct repository *repository;
	struct arena *arena;
	struct err err;
};

static void make_model(struct make *m, float add)
{
	const float w[] = { add, add };

	make_begin(m, 8, 17);
	make_node(m, "Add", "x w", "y");
	make_floats(m, "w", "2", w, 2);
	make_port(m, MAKE_INPUT, "x", DTYPE_F32, "batch 2");
	make_port(m, MAKE_OUTPUT, "y", DTYPE_F32, "batch 2");
	make_end(m);
}

static void begin(struct fixture *f)
{
	scratch_begin(&f->s);
	make_model(&f->m, 1);
	f->repository = NULL;
	f->arena = arena_create(1 << 20);
	f->err.msg[0] = '\0';
}

static enum err_code open_bare(struct fixture *f, const char *bare)
{
	const char *dirs[] = { f->s.path };
	const struct repository_options options = { dirs, 1, bare };

	return repository_create(&options, &f->repository, &f->err);
}

static void open_it(struct fixture *f)
{
	cr_assert_eq(open_bare(f, NULL), ERR_NONE, "%s", f->err.msg);
}

static void end(struct fixture *f)
{
	repository_destroy(f->repository);
	arena_destroy(f->arena);
	make_finish(&f->m);
	scratch_end(&f->s);
}

static void put_model(struct fixture *f, const char *path)
{
	char file[128];

	(void)snprintf(file, sizeof(file), "%s", path);
	*strrchr(file, '/') = '\0';
	scratch_dir(&f->s, file);
	scratch_file(&f->s, path, f->m.buf.data, f->m.buf.len);
}

static enum err_code publish(struct fixture *f, const char *model,
			     int64_t version, int64_t *ret_version)
{
	const struct repository_file files[] = {
		{ "model.onnx", f->m.buf.data, f->m.buf.len },
		{ "notes.txt", "hello", 5 },
	};

	return repository_publish(f->repository, model, version, files, 2,
				  ret_version, &f->err);
}

/* Is anything left that publishing made? */
static size_t count_hidden(struct fixture *f)
{
	const char **names;
	size_t n, hidden = 0;

	cr_assert_eq(
	    file_list_dir(f->s.path, 1000, f->arena, &names, &n, &f->err),
	    ERR_NONE);
	for (size_t i = 0; i < n; i++)
		hidden += names[i][0] == '.';
	return hidden;
}

Test(repository, knows_what_a_name_may_be)
{
	static const char *const good[] = { "a",	"A.b_c-9",  "9lives",
					    "resnet18", "\xc3\xa4", "a b",
					    "a%2e",	"a:b" };
	static const char *const bad[] = {
		"",   ".a",   "-a",  "_a",	  "a..b",  "a/b",
		" a", "..",   "a\n", "\xff",	  "a\x7f", "a\\b",
		"a ", "a\"b", "a'b", "lost+found"
	};
	char longest[130];
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect_eq(repository_check_name(good[i], &err), ERR_NONE,
			     "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(repository_check_name(bad[i], &err), ERR_INVALID,
			     "%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[128] = '\0';
	cr_expect_eq(repository_check_name(longest, &err), ERR_NONE);
	longest[128] = 'a';
	longest[129] = '\0';
	cr_expect_eq(repository_check_name(longest, &err), ERR_INVALID);
}

Test(repository, lists_complete_versions_in_order)
{
	struct repository_listing list;
	struct fixture f;

	begin(&f);
	put_model(&f, "zoo/10/model.onnx");
	put_model(&f, "zoo/9/model.onnx");
	put_model(&f, "zoo/012/model.onnx"); /* no version */
	put_model(&f, "zoo/x/model.onnx");
	put_model(&f, "ant/1/model.onnx");
	put_model(&f, ".hidden/1/model.onnx");
	scratch_dir(&f.s, "zoo/11"); /* not complete */
	scratch_dir(&f.s, "empty/1");
	scratch_file(&f.s, "file", "x", 1);
	scratch_file(&f.s, "zoo/config.yaml", "max_batch_size: 8\n", 18);
	scratch_file(&f.s, "ant/config.yaml", "a: [", 4);
	open_it(&f);
	cr_assert_eq(repository_list(f.repository, f.arena, &list, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(list.n, 2);
	cr_assert_str_eq(list.model[0].name, "ant");
	cr_assert_null(list.model[0].config);
	cr_assert_not_null(list.model[0].fault);
	cr_assert_str_eq(list.model[1].name, "zoo");
	cr_assert_eq(list.model[1].n_versions, 2);
	cr_assert_eq(list.model[1].version[0], 9);
	cr_assert_eq(list.model[1].version[1], 10);
	cr_assert_eq(doc_find(list.model[1].config, "max_batch_size")->integer,
		     8);
	end(&f);
}

Test(repository, joins_several_folders)
{
	struct fixture f, g;
	const char *dirs[2];
	struct repository_options options = { dirs, 2, NULL };
	struct repository_listing list;

	begin(&f);
	begin(&g);
	put_model(&f, "m/1/model.onnx");
	put_model(&g, "m/2/model.onnx");
	put_model(&g, "n/1/model.onnx");
	dirs[0] = f.s.path;
	dirs[1] = g.s.path;
	cr_assert_eq(repository_create(&options, &f.repository, &f.err),
		     ERR_NONE);
	cr_assert_eq(repository_list(f.repository, f.arena, &list, &f.err),
		     ERR_NONE);
	cr_assert_eq(list.n, 2);
	cr_assert_eq(list.model[0].n_versions, 2);
	end(&f);
	end(&g);
}

Test(repository, serves_a_bare_model)
{
	struct repository_listing list;
	struct package *package;
	struct fixture f;

	begin(&f);
	scratch_file(&f.s, "model.onnx", f.m.buf.data, f.m.buf.len);
	cr_assert_eq(open_bare(&f, "bare"), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(repository_list(f.repository, f.arena, &list, &f.err),
		     ERR_NONE);
	cr_assert_eq(list.n, 1);
	cr_assert_str_eq(list.model[0].name, "bare");
	cr_assert_eq(list.model[0].version[0], 1);
	cr_assert_eq(repository_load(f.repository, "bare", 0, &package, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(package->version, 1);
	package_unref(package);
	/* DIR/2/model.onnx is its second version */
	put_model(&f, "2/model.onnx");
	cr_assert_eq(repository_load(f.repository, "bare", 0, &package, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(package->version, 2);
	package_unref(package);
	end(&f);
}

Test(repository, follows_links_to_itself_but_not_out)
{
	struct package *package;
	struct fixture f;
	char link_path[128];

	begin(&f);
	put_model(&f, "m/1/model.onnx");
	put_model(&f, "data/1/model.onnx");
	(void)snprintf(link_path, sizeof(link_path), "%s/root", f.s.path);
	cr_assert_eq(symlink(f.s.path, link_path), 0);
	cr_assert_eq(symlink("data", scratch_path(&f.s, "alias")), 0);
	cr_assert_eq(symlink("/etc", scratch_path(&f.s, "out")), 0);
	{
		const char *dirs[] = { link_path };
		const struct repository_options options = { dirs, 1, NULL };

		cr_assert_eq(repository_create(&options, &f.repository, &f.err),
			     ERR_NONE);
	}
	cr_assert_eq(
	    repository_load(f.repository, "alias", 1, &package, &f.err),
	    ERR_NONE, "%s", f.err.msg);
	package_unref(package);
	cr_assert_eq(repository_load(f.repository, "out", 1, &package, &f.err),
		     ERR_NOT_FOUND);
	end(&f);
}

Test(repository, says_which_model_or_version_is_not_there)
{
	struct package *package;
	struct fixture f;

	begin(&f);
	put_model(&f, "m/1/model.onnx");
	open_it(&f);
	cr_assert_eq(repository_load(f.repository, "n", 0, &package, &f.err),
		     ERR_NOT_FOUND);
	cr_assert_str_eq(f.err.msg, "there is no model 'n' in the repository");
	cr_assert_eq(repository_load(f.repository, "m", 7, &package, &f.err),
		     ERR_NOT_FOUND);
	cr_assert_str_eq(f.err.msg, "model 'm' has no version 7");
	cr_assert_eq(repository_load(f.repository, "../m", 1, &package, &f.err),
		     ERR_INVALID);
	end(&f);
}

/* --- publishing --- */

Test(repository, publishes_the_next_version)
{
	struct package *package;
	struct fixture f;
	int64_t version = 0;

	begin(&f);
	open_it(&f);
	cr_assert_eq(publish(&f, "m", 0, &version), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(version, 1);
	scratch_dir(&f.s, "m/5"); /* somebody else has begun it */
	cr_assert_eq(publish(&f, "m", 0, &version), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(version, 6);
	cr_assert_eq(count_hidden(&f), 0);
	cr_assert_eq(access(scratch_path(&f.s, "m/6/notes.txt"), R_OK), 0);
	cr_assert_eq(repository_load(f.repository, "m", 0, &package, &f.err),
		     ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(package->version, 6);
	cr_assert(package->batches);
	package_unref(package);
	end(&f);
}

Test(repository, publishes_a_version_that_was_asked_for_once)
{
	struct fixture f;
	int64_t version = 0;

	begin(&f);
	open_it(&f);
	cr_assert_eq(publish(&f, "m", 4, &version), ERR_NONE, "%s", f.err.msg);
	cr_assert_eq(version, 4);
	cr_assert_eq(publish(&f, "m", 4, &version), ERR_CONFLICT);
	cr_assert_str_eq(f.err.msg, "model 'm' has a version 4 already");
	cr_assert_eq(publish(&f, "m", -1, &version), ERR_INVALID);
	/* an empty folder is somebody's who has just begun */
	scratch_dir(&f.s, "m/5");
	cr_assert_eq(publish(&f, "m", 5, &version), ERR_CONFLICT);
	cr_assert_eq(access(scratch_path(&f.s, "m/5/model.onnx"), F_OK), -1);
	cr_assert_eq(count_hidden(&f), 0);
	end(&f);
}

struct wrong {
	const char *name;
	struct repository_file file[2];
	const char *says;
};

Test(repository, refuses_files_that_cannot_be)
{
	static const struct wrong rows[] = {
		{ "no model", { { "a", "x", 1 }, { "b", "x", 1 } }, "no file" },
		{ "twice", { { "a", "x", 1 }, { "a", "x", 1 } }, "twice" },
		{ "a path", { { "../a", "x", 1 }, { "b", "x", 1 } }, "cannot" },
		{ "a slash", { { "a/b", "x", 1 }, { "b", "x", 1 } }, "cannot" },
		{ "hidden", { { ".a", "x", 1 }, { "b", "x", 1 } }, "cannot" },
		{ "ours",
		  { { "manifest.json", "x", 1 }, { "b", "x", 1 } },
		  "cannot" },
		{ "empty", { { "", "x", 1 }, { "b", "x", 1 } }, "cannot" },
	};
	struct fixture f;
	int64_t version;

	begin(&f);
	open_it(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_expect_eq(repository_publish(f.repository, "m", 0,
						rows[i].file, 2, &version,
						&f.err),
			     ERR_INVALID, "%s", rows[i].name);
		cr_expect(strstr(f.err.msg, rows[i].says) != NULL, "%s: %s",
			  rows[i].name, f.err.msg);
	}
	cr_assert_eq(access(scratch_path(&f.s, "m"), F_OK), -1);
	end(&f);
}

Test(repository, publishes_nothing_that_does_not_load)
{
	const struct repository_file file = { "model.onnx", "rubbish", 7 };
	struct fixture f;
	int64_t version;

	begin(&f);
	open_it(&f);
	cr_assert_neq(repository_publish(f.repository, "m", 0, &file, 1,
					 &version, &f.err),
		      ERR_NONE);
	cr_assert_eq(access(scratch_path(&f.s, "m"), F_OK), -1);
	cr_assert_eq(count_hidden(&f), 0);
	end(&f);
}

Test(repository, leaves_nothing_behind_when_any_write_fails)
{
	static const int errors[] = { ENOSPC, EIO };

	for (size_t e = 0; e < 2; e++) {
		enum err_code rc = ERR_IO;
		unsigned long n = 1;
		struct fixture f;
		int64_t version;

		begin(&f);
		open_it(&f);
		cr_assert_eq(publish(&f, "m", 1, &version), ERR_NONE);
		for (; rc && n < 200; n++) {
			file_fail_at(n, errors[e]);
			rc = publish(&f, "m", 2, &version);
			file_fail_at(0, 0);
			if (!rc)
				break;
			if (errors[e] == ENOSPC)
				cr_expect_eq(rc, ERR_NO_SPACE, "%s", f.err.msg);
			cr_expect_eq(access(scratch_path(&f.s, "m/2"), F_OK),
				     -1, "%lu", n);
			cr_expect_eq(
			    access(scratch_path(&f.s, "m/1/model.onnx"), R_OK),
			    0);
		}
		cr_assert_eq(rc, ERR_NONE, "%s", f.err.msg);
		cr_assert_gt(n, 5);
		end(&f);
	}
}

Test(repository, removes_what_a_crash_left_but_not_what_is_written_now)
{
	struct fixture f;
	int fd;

	begin(&f);
	put_model(&f, ".tmp-dead/model.onnx");
	put_model(&f, ".tmp-live/model.onnx");
	put_model(&f, ".other/model.onnx");
	fd = open(scratch_path(&f.s, ".tmp-live"), O_RDONLY | O_DIRECTORY);
	cr_assert_eq(flock(fd, LOCK_SH), 0);
	open_it(&f);
	cr_assert_eq(access(scratch_path(&f.s, ".tmp-dead"), F_OK), -1);
	cr_assert_eq(access(scratch_path(&f.s, ".tmp-live/model.onnx"), F_OK),
		     0);
	cr_assert_eq(access(scratch_path(&f.s, ".other"), F_OK), 0);
	(void)close(fd);
	end(&f);
}

Test(repository, needs_folders_that_are_there)
{
	const char *dirs[] = { "/nonexistent/models" };
	struct repository_options options = { dirs, 1, NULL };
	struct repository *repository;
	struct err err = { 0 };

	cr_assert_eq(repository_create(&options, &repository, &err),
		     ERR_NOT_FOUND);
	options.n_dirs = 0;
	cr_assert_eq(repository_create(&options, &repository, &err),
		     ERR_INVALID);
}

Test(repository, survives_every_failed_allocation)
{
	enum err_code rc = ERR_NO_MEMORY;
	struct fixture f;
	int64_t version;

	begin(&f);
	open_it(&f);
	for (unsigned long n = 1; rc; n++) {
		mem_fail_at(n);
		rc = publish(&f, "m", 0, &version);
		mem_fail_at(0);
		if (rc) {
			cr_expect_eq(count_hidden(&f), 0);
			cr_expect_eq(access(scratch_path(&f.s, "m"), F_OK), -1,
				     "%lu", n);
		}
		cr_assert_lt(n, 5000);
	}
	end(&f);
}
