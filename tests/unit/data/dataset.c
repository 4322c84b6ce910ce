/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/data/pipeline_text.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

#define FEATURES                                                       \
	"input_features: [{name: p, type: image, shape: [1, 2, 2]}]\n" \
	"output_features: [{name: y, type: category, num_classes: 10}]\n"

static void write_file(const char *folder, const char *name,
		       const unsigned char *bytes, size_t len)
{
	char path[256];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	cr_assert_eq(file_write_atomic(path, bytes, len, &err), 0, "%s",
		     err.msg);
}

/* n pictures of 2 x 2 whose samples are their row number; labels row % 10 */
static void write_idx(const char *folder, const char *part, unsigned char n)
{
	unsigned char images[16 + 4 * 32] = { 0, 0, 8, 3, 0, 0, 0, n,
					      0, 0, 0, 2, 0, 0, 0, 2 };
	unsigned char labels[8 + 32] = { 0, 0, 8, 1, 0, 0, 0, n };
	char name[64];

	for (unsigned char i = 0; i < n; i++) {
		for (int j = 0; j < 4; j++)
			images[16 + 4 * i + j] = i;
		labels[8 + i] = i % 10;
	}
	(void)snprintf(name, sizeof(name), "%s-images-idx3-ubyte", part);
	write_file(folder, name, images, 16 + 4 * (size_t)n);
	(void)snprintf(name, sizeof(name), "%s-labels-idx1-ubyte", part);
	write_file(folder, name, labels, 8 + (size_t)n);
}

static void make_folder(char *folder, bool has_test)
{
	cr_assert(mkdtemp(folder));
	write_idx(folder, "train", 30);
	if (has_test)
		write_idx(folder, "t10k", 20);
}

static void init_on(struct text_pipeline *t, const char *folder,
		    const char *split)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s'%s}\n", folder, split);
	cr_assert_eq(text_pipeline_init(t, yaml), ERR_NONE, "%s", t->err.msg);
}

Test(dataset, pictures_of_idx_files_tell_their_shape)
{
	char folder[] = "/tmp/predictd-test-XXXXXX", yaml[256];
	struct text_pipeline t;
	enum dtype dtype;
	struct shape row;

	make_folder(folder, false);
	(void)snprintf(yaml, sizeof(yaml),
		       "input_features: [{name: p, type: image}]\n"
		       "output_features: [{name: y, type: category}]\n"
		       "data: {source: 'path:%s'}\n",
		       folder);
	cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, "/tmp"), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_fit(t.dataset, t.pipeline, &t.err), ERR_NONE, "%s",
		     t.err.msg);
	pipeline_input_row(t.pipeline, 0, &dtype, &row);
	cr_expect_eq(row.rank, 3);
	cr_expect(row.dim[0] == 1 && row.dim[1] == 2 && row.dim[2] == 2);
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), ERR_NONE);
}

Test(dataset, fixed_parts_are_train_and_t10k)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t;
	struct raw_value v;

	make_folder(folder, true);
	init_on(&t, folder, ", split: {type: fixed}");
	cr_assert_eq(text_dataset_init(&t, "/tmp"), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN), 30);
	cr_assert_eq(dataset_n(t.dataset, PART_VALID), 20);
	cr_assert_eq(dataset_n(t.dataset, PART_TEST), 0);
	cr_assert_eq(dataset_rows(t.dataset, PART_VALID)[0], 30);
	cr_assert_eq(dataset_input(t.dataset, 33, 0, &v, NULL), 0);
	cr_assert_eq(((unsigned char *)v.tensor.data)[3], 3);
	cr_assert_eq(dataset_target(t.dataset, 17, 0, &v, NULL), 0);
	cr_assert_eq((int)v.number, 7);
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
}

Test(dataset, a_random_split_has_each_row_once_and_depends_on_the_seed)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t, u;
	int seen[50] = { 0 }, differ = 0;

	make_folder(folder, true);
	init_on(&t, folder, ", split: {type: random, seed: 1}");
	init_on(&u, folder, ", split: {type: random, seed: 2}");
	cr_assert_eq(text_dataset_init(&t, folder), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&u, folder), ERR_NONE, "%s", u.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN), 40);
	cr_assert_eq(dataset_n(t.dataset, PART_VALID), 5);
	for (int i = 0; i < 50; i++) {
		int64_t row = dataset_rows(t.dataset, PART_TRAIN)[i];

		seen[row]++;
		differ += row != dataset_rows(u.dataset, PART_TRAIN)[i];
	}
	for (int i = 0; i < 50; i++)
		cr_assert_eq(seen[i], 1);
	cr_assert(differ > 20);
	text_pipeline_finish(&t);
	text_pipeline_finish(&u);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
}

Test(dataset, the_fingerprint_tells_data_apart)
{
	struct text_pipeline t, u;
	char a[DIGEST_HEX_MAX], b[DIGEST_HEX_MAX];

	cr_assert_eq(text_pipeline_init(&t, FEATURES "data: {source: synthetic"
						     ", rows: 100}\n"),
		     0);
	cr_assert_eq(text_pipeline_init(&u, FEATURES "data: {source: synthetic"
						     ", rows: 101}\n"),
		     0);
	cr_assert_eq(text_dataset_init(&t, NULL), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&u, NULL), ERR_NONE, "%s", u.err.msg);
	dataset_fingerprint(t.dataset, a);
	dataset_fingerprint(t.dataset, b);
	cr_assert_str_eq(a, b);
	dataset_fingerprint(u.dataset, b);
	cr_assert_str_neq(a, b);
	text_pipeline_finish(&t);
	text_pipeline_finish(&u);
}

Test(dataset, what_is_not_there_is_named)
{
	static const struct {
		const char *data, *root, *says;
	} table[] = {
		{ "{source: 'path:/etc'}", "/tmp", "not beneath a data root" },
		{ "{source: 'path:/tmpx'}", "/tmp", "not beneath" },
		{ "{source: 'path:/tmp/../etc'}", "/tmp", "../etc" },
		{ "{source: 'path:/tmp/no-such-folder-x'}", "/tmp",
		  "no-such-folder-x" },
		{ "{source: 'path:/tmp/x'}", NULL, "--data-root" },
		{ "{source: 'http://x'}", "/tmp", "path:FOLDER" },
		{ "{source: synthetic, formt: idx}", NULL, "format" },
		{ "{source: 'path:/tmp', format: idxx}", "/tmp", "'idx'" },
		{ "{source: 'path:/tmp', format: parquet}", "/tmp",
		  "there are csv, idx" },
		{ "{source: synthetic, split: {type: fixed}}", NULL,
		  "type random" },
		{ "{source: synthetic, split: {probabilities: [0.5, 0.1]}}",
		  NULL, "sum to 1" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct text_pipeline t;
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml), FEATURES "data: %s\n",
			       table[i].data);
		cr_assert_eq(text_pipeline_init(&t, yaml), 0);
		cr_assert_neq(text_dataset_init(&t, table[i].root), ERR_NONE,
			      "%s", table[i].data);
		cr_assert(strstr(t.err.msg, table[i].says), "%zu: %s", i,
			  t.err.msg);
		text_pipeline_finish(&t);
	}
}
