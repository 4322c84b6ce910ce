/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Folders of pictures that are named for their classes.
 */
#include "tests/unit/data/pipeline_text.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FEATURES                                                     \
	"input_features: [{name: p, type: image, shape: [1, 2, 2], " \
	"preprocessing: {normalize: none}}]\n"                       \
	"output_features: [{name: y, type: category}]\n"

/* A gray picture of 2 x 2 whose samples are `value`. */
static void put(const char *folder, const char *name, char value)
{
	const char pixel[] = { value, value, value, value };
	char path[256], text[32];
	struct err err;
	int n = snprintf(text, sizeof(text), "P5\n2 2\n255\n");

	memcpy(text + n, pixel, 4);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	*strrchr(path, '/') = '\0';
	cr_assert_eq(file_make_dirs(path, &err), 0, "%s", err.msg);
	path[strlen(path)] = '/';
	cr_assert_eq(file_write_atomic(path, text, (size_t)n + 4, &err), 0,
		     "%s", err.msg);
}

static enum err_code open_on(struct text_pipeline *t, const char *folder,
			     const char *more)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s'%s}\n", folder, more);
	cr_assert_eq(text_pipeline_init(t, yaml), ERR_NONE, "%s", t->err.msg);
	return text_dataset_init(t, folder);
}

/* What row `row` is: its label, and its samples. */
static void expect_row(const struct text_pipeline *t, int64_t row,
		       const char *label, int value)
{
	struct raw_value raw;
	float x[4];

	cr_assert_eq(dataset_target(t->dataset, row, 0, &raw, NULL), 0);
	cr_expect(raw.kind == RAW_TEXT && raw.len == strlen(label) &&
		      !memcmp(raw.bytes, label, raw.len),
		  "row %lld is a %.*s", (long long)row, (int)raw.len,
		  raw.bytes);
	cr_assert_eq(dataset_input(t->dataset, row, 0, &raw, NULL), 0);
	cr_assert_eq(pipeline_encode_input(t->pipeline, 0, &raw, x, NULL), 0);
	cr_expect_float_eq(x[3], (float)value / 255, 1e-6);
}

Test(image_folder, folders_are_classes_and_files_their_pictures)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t;

	cr_assert(mkdtemp(folder));
	put(folder, "dog/b.pgm", 4);
	put(folder, "dog/a.PGM", 3);
	put(folder, "cat/1.pgm", 1);
	put(folder, "cat/2.pgm", 2);
	put(folder, "cat/.hidden.pgm", 9);
	put(folder, "cat/notes.txt", 9);
	put(folder, ".git/x.pgm", 9);
	put(folder, "alone.pgm", 9);
	cr_assert_eq(open_on(&t, folder, ""), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN) +
			 dataset_n(t.dataset, PART_VALID) +
			 dataset_n(t.dataset, PART_TEST),
		     4);
	expect_row(&t, 0, "cat", 1);
	expect_row(&t, 1, "cat", 2);
	expect_row(&t, 2, "dog", 3);
	expect_row(&t, 3, "dog", 4);
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
}

Test(image_folder, parts_are_folders_of_classes)
{
	static const char *const names[] = { "valid", "val", "test" };

	for (int i = 0; i < 3; i++) {
		char folder[] = "/tmp/predictd-test-XXXXXX", name[32];
		struct text_pipeline t;

		cr_assert(mkdtemp(folder));
		put(folder, "train/cat/1.pgm", 1);
		put(folder, "train/dog/1.pgm", 2);
		put(folder, "train/dog/2.pgm", 3);
		(void)snprintf(name, sizeof(name), "%s/dog/1.pgm", names[i]);
		put(folder, name, 4);
		cr_assert_eq(open_on(&t, folder, ", format: image_folder"),
			     ERR_NONE, "%s", t.err.msg);
		cr_expect_eq(dataset_n(t.dataset, PART_TRAIN), 3);
		cr_expect_eq(dataset_n(t.dataset, PART_VALID), 1);
		expect_row(&t, 3, "dog", 4);
		text_pipeline_finish(&t);
		cr_assert_eq(file_remove_tree(folder, NULL), 0);
	}
}

Test(image_folder, what_leads_out_of_the_root_is_refused)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	char other[] = "/tmp/predictd-test-XXXXXX", from[256], to[256];
	struct text_pipeline t;

	cr_assert(mkdtemp(folder));
	cr_assert(mkdtemp(other));
	put(other, "secret.pgm", 7);
	put(folder, "cat/1.pgm", 1);
	(void)snprintf(from, sizeof(from), "%s/secret.pgm", other);
	(void)snprintf(to, sizeof(to), "%s/cat/2.pgm", folder);
	cr_assert_eq(symlink(from, to), 0);
	cr_expect_neq(open_on(&t, folder, ""), ERR_NONE);
	cr_expect(strstr(t.err.msg, "2.pgm"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
	cr_assert_eq(file_remove_tree(other, NULL), 0);
}

Test(image_folder, a_folder_without_pictures_is_told)
{
	char folder[] = "/tmp/predictd-test-XXXXXX", path[256];
	struct text_pipeline t;

	cr_assert(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/cat", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(open_on(&t, folder, ", format: image_folder"),
		     ERR_INVALID);
	cr_expect(strstr(t.err.msg, "no pictures in folders named for their"),
		  "%s", t.err.msg);
	text_pipeline_finish(&t);
	cr_expect_eq(open_on(&t, folder, ""), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "image_folder"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
}
