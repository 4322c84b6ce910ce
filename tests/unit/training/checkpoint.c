/* SPDX-License-Identifier: Apache-2.0 */
#include "training/checkpoint.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { N = 5, FILE_MAX = 1 << 20 };

struct bench {
	char dir[64];
	struct arena *arena;
	float value[3][N]; /* model, optim, best */
	struct safetensors_entry entry[3];
	struct safetensors part[3];
	struct checkpoint_state state;
	struct err err;
};

static void begin(struct bench *b)
{
	static const char *const names[] = { "w", "moment.0", "w" };

	*b = (struct bench){ .arena = arena_create(64 << 20) };
	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/predictd-test-XXXXXX");
	cr_assert(mkdtemp(b->dir));
	for (int i = 0; i < 3; i++) {
		struct tensor_view *view = &b->entry[i].view;

		b->entry[i].name = names[i];
		*view = (struct tensor_view){ .data = b->value[i],
					      .dtype = DTYPE_F32 };
		view->shape = (struct shape){ .rank = 1, .dim = { N } };
		b->part[i] =
		    (struct safetensors){ .n = 1, .entry = &b->entry[i] };
	}
}

static void end(struct bench *b)
{
	cr_assert_eq(file_remove_tree(b->dir, NULL), ERR_NONE);
	arena_destroy(b->arena);
}

/* The values of step s, in the state too. */
static void fill(struct bench *b, int64_t step)
{
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < N; j++)
			b->value[i][j] = (float)(100 * step + 10 * i + j);
	}
	b->state = (struct checkpoint_state){
		.epoch = step / 10,
		.step = step,
		.batch_in_epoch = step % 10,
		.train_loss = (double)step / 3,
		.train_weight = 1 / 3.,
		.sum = { 1, 2.5, 3, 4, 5, 6, 1. / 7 },
		.has_best = true,
		.best_value = -1e-300,
		.best_step = step - 1,
		.best_epoch = 2,
		.wait = 3,
		.best_sum = { 7, 6, 5, 4, 3, 2, 1e300 },
		.samples = (int64_t)1 << 52,
		.seconds = 0.1,
		.is_epoch_over = step % 10 == 0,
		.fingerprint = "aa",
		.spec_digest = "bb",
		.plan_digest = "cc",
		.version = "1.2.3",
	};
}

static enum err_code save(struct bench *b, int64_t step, bool has_best,
			  int64_t keep)
{
	struct checkpoint_write what = {
		.state = &b->state,
		.part = { &b->part[0], &b->part[1],
			  has_best ? &b->part[2] : NULL },
		.keep = keep,
	};
	const char *name = NULL;
	enum err_code rc;

	fill(b, step);
	rc = checkpoint_save(b->dir, &what, b->arena, &name, &b->err);
	if (!rc)
		cr_expect_str_eq(
		    name, arena_printf(b->arena, "ckpt-%012d", (int)step));
	return rc;
}

static void save_well(struct bench *b, int64_t step, int64_t keep)
{
	cr_assert_eq(save(b, step, true, keep), ERR_NONE, "%s", b->err.msg);
}

/* The step that loads, after a look at all it holds; -1: none. */
static int64_t loaded_step(struct bench *b)
{
	struct checkpoint *c = NULL;
	int64_t step = -1;

	cr_assert_eq(checkpoint_load(b->dir, &c, NULL, &b->err), ERR_NONE, "%s",
		     b->err.msg);
	if (!c)
		return -1;
	step = c->state.step;
	fill(b, step);
	cr_expect_eq(memcmp(safetensors_find(&c->model, "w")->data, b->value[0],
			    sizeof(b->value[0])),
		     0);
	cr_expect_eq(memcmp(safetensors_find(&c->optim, "moment.0")->data,
			    b->value[1], sizeof(b->value[1])),
		     0);
	cr_expect_eq(memcmp(&c->state, &b->state,
			    offsetof(struct checkpoint_state, fingerprint)),
		     0);
	cr_expect_str_eq(c->state.fingerprint, "aa");
	cr_expect_str_eq(c->state.spec_digest, "bb");
	cr_expect_str_eq(c->state.plan_digest, "cc");
	cr_expect_str_eq(c->state.version, "1.2.3");
	checkpoint_destroy(c);
	return step;
}

static size_t count(struct bench *b, const char *start)
{
	const char **names;
	size_t n, found = 0;

	cr_assert_eq(file_list_dir(b->dir, 1000, b->arena, &names, &n, &b->err),
		     ERR_NONE);
	for (size_t i = 0; i < n; i++)
		found += str_starts_with(names[i], start);
	return found;
}

Test(checkpoint, gives_back_every_bit)
{
	struct bench b;
	struct checkpoint *c;

	begin(&b);
	cr_expect_eq(loaded_step(&b), -1);
	save_well(&b, 7, 2);
	cr_expect_eq(loaded_step(&b), 7);
	cr_assert_eq(checkpoint_load(b.dir, &c, NULL, &b.err), ERR_NONE);
	fill(&b, 7);
	cr_assert_eq(c->best.n, 1);
	cr_expect_eq(memcmp(safetensors_find(&c->best, "w")->data, b.value[2],
			    sizeof(b.value[2])),
		     0);
	checkpoint_destroy(c);
	cr_assert_eq(save(&b, 8, false, 2), ERR_NONE, "%s", b.err.msg);
	cr_assert_eq(checkpoint_load(b.dir, &c, NULL, &b.err), ERR_NONE);
	cr_expect_eq(c->state.step, 8);
	cr_expect_eq(c->best.n, 0);
	checkpoint_destroy(c);
	end(&b);
}

Test(checkpoint, keeps_the_newest)
{
	struct bench b;

	begin(&b);
	for (int64_t step = 1; step < 6; step++) {
		save_well(&b, step, 2);
		cr_expect_eq(count(&b, "ckpt-"), step < 2 ? 1 : 2);
	}
	cr_expect_eq(loaded_step(&b), 5);
	save_well(&b, 6, 1);
	cr_expect_eq(count(&b, ""), 1);
	end(&b);
}

Test(checkpoint, a_step_may_be_saved_twice)
{
	struct bench b;

	begin(&b);
	save_well(&b, 10, 1);
	cr_assert_eq(save(&b, 10, false, 1), ERR_NONE, "%s", b.err.msg);
	cr_expect_eq(loaded_step(&b), 10);
	cr_expect_eq(count(&b, ""), 1);
	end(&b);
}

/* The run fell back behind a broken one: what it saves next must stay. */
Test(checkpoint, broken_ones_of_later_steps_go_first)
{
	struct bench b;
	char path[256];

	begin(&b);
	save_well(&b, 1, 2);
	save_well(&b, 9, 2);
	(void)snprintf(path, sizeof(path), "%s/ckpt-000000000009/state.json",
		       b.dir);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(loaded_step(&b), 1);
	save_well(&b, 2, 1);
	cr_expect_eq(loaded_step(&b), 2);
	cr_expect_eq(count(&b, "ckpt-"), 1);
	end(&b);
}

/* Each byte of each file of the newest flipped, then each length cut. */
static void damage(struct bench *b, const char *file)
{
	char path[256], *data;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/ckpt-000000000002/%s", b->dir,
		       file);
	cr_assert_eq(file_read_all(path, FILE_MAX, &data, &len, &b->err),
		     ERR_NONE, "%s", b->err.msg);
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 0x04;
		cr_assert_eq(file_write_atomic(path, data, len, &b->err),
			     ERR_NONE);
		cr_expect_eq(loaded_step(b), 1, "%s: byte %zu flipped", file,
			     i);
		data[i] ^= 0x04;
		arena_reset(b->arena);
	}
	for (size_t n = 0; n < len; n += 1 + len / 50) {
		cr_assert_eq(file_write_atomic(path, data, n, &b->err),
			     ERR_NONE);
		cr_expect_eq(loaded_step(b), 1, "%s: cut at %zu", file, n);
	}
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(loaded_step(b), 1, "%s is gone", file);
	cr_assert_eq(file_write_atomic(path, data, len, &b->err), ERR_NONE);
	cr_expect_eq(loaded_step(b), 2);
	mem_free(data);
}

Test(checkpoint, a_flipped_or_missing_byte_anywhere_falls_back)
{
	static const char *const files[] = { "model.safetensors",
					     "optim.safetensors",
					     "best.safetensors", "state.json",
					     "manifest.json" };
	struct bench b;

	begin(&b);
	save_well(&b, 1, 2);
	save_well(&b, 2, 2);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		damage(&b, files[i]);
	end(&b);
}

Test(checkpoint, a_manifest_may_not_lead_elsewhere)
{
	static const char *const manifests[] = {
		"{}",
		"[]",
		"{\"format\":2}",
		"{\"format\":2,\"files\":[]}",
		"{\"format\":2,\"files\":{}}",
		"{\"format\":2,\"files\":[1,null,[]]}",
		"{\"format\":2,\"files\":[{\"name\":\"../state.json\","
		"\"size\":0,\"sha256\":\"\"}]}",
		"{\"format\":2,\"files\":[{\"name\":\"..\",\"size\":0,"
		"\"sha256\":\"\"}]}",
		"{\"format\":2,\"files\":[]}",
	};
	struct bench b;
	char path[256];

	begin(&b);
	save_well(&b, 1, 2);
	(void)snprintf(path, sizeof(path), "%s/ckpt-000000000001/manifest.json",
		       b.dir);
	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		cr_assert_eq(file_write_atomic(path, manifests[i],
					       strlen(manifests[i]), &b.err),
			     ERR_NONE);
		cr_expect_eq(loaded_step(&b), -1, "%s", manifests[i]);
	}
	end(&b);
}

/* Every write fails once: what was there is there, and nothing else. */
Test(checkpoint, a_full_disk_leaves_what_was_there)
{
	struct bench b;
	unsigned long n = 1;

	begin(&b);
	save_well(&b, 1, 2);
	for (;; n++) {
		enum err_code rc;

		file_fail_at(n, ENOSPC);
		rc = save(&b, 2, true, 2);
		file_fail_at(0, 0);
		if (!rc)
			break;
		cr_expect_eq(rc, ERR_NO_SPACE, "write %lu: %s", n, b.err.msg);
		cr_expect_eq(count(&b, ".tmp"), 0, "write %lu", n);
		cr_expect_geq(loaded_step(&b), 1);
		cr_assert_lt(n, 1000);
	}
	cr_expect_gt(n, 10);
	cr_expect_eq(loaded_step(&b), 2);
	end(&b);
}

Test(checkpoint, what_a_crash_left_half_written_is_no_hindrance)
{
	struct bench b;
	char path[256];

	begin(&b);
	save_well(&b, 1, 2);
	(void)snprintf(path, sizeof(path), "%s/.tmp-ckpt/deep", b.dir);
	cr_assert_eq(file_make_dirs(path, &b.err), ERR_NONE);
	(void)snprintf(path, sizeof(path), "%s/.tmp-ckpt/model.safetensors",
		       b.dir);
	cr_assert_eq(file_write_atomic(path, "x", 1, &b.err), ERR_NONE);
	cr_expect_eq(loaded_step(&b), 1);
	save_well(&b, 2, 2);
	cr_expect_eq(loaded_step(&b), 2);
	cr_expect_eq(count(&b, ".tmp"), 0);
	end(&b);
}

Test(checkpoint, a_folder_that_is_not_there_is_an_error)
{
	struct checkpoint *c = NULL;
	struct err err = { 0 };

	cr_expect_eq(checkpoint_load("/nowhere/at/all", &c, NULL, &err),
		     ERR_NOT_FOUND);
	cr_expect_null(c);
}
