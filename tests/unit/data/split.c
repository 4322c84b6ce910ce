/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Splits by a column, and samples of the training part.
 */
#include "tests/unit/data/pipeline_text.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "data/sampling.h"

enum { ROWS = 400, RARE = 20, PERSONS = 50 };

#define FEATURES                                      \
	"input_features: [{name: x, type: number}]\n" \
	"output_features: [{name: y, type: category}]\n"

/* Every 20th row is of class b; dates fall from row to row. */
static void write_table(const char *folder)
{
	struct buf buf;
	struct err err;
	char path[256];

	buf_init(&buf, 1 << 20);
	buf_printf(&buf, "x,y,who,when\n");
	for (int i = 0; i < ROWS; i++)
		buf_printf(&buf, "%d,%s,p%d,%d-%02d-%02dT10:00:00\n", i,
			   i % RARE ? "a" : "b", i % PERSONS, 2020 - i / 336,
			   12 - i / 28 % 12, 28 - i % 28);
	(void)snprintf(path, sizeof(path), "%s/table.csv", folder);
	cr_assert_eq(file_write_atomic(path, buf.data, buf.len, &err), 0);
	buf_finish(&buf);
}

static void begin(struct text_pipeline *t, char *folder, const char *split)
{
	char yaml[512];

	cr_assert(mkdtemp(folder));
	write_table(folder);
	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s/table.csv'%s}\n",
		       folder, split);
	cr_assert_eq(text_pipeline_init(t, yaml), ERR_NONE, "%s", t->err.msg);
	cr_assert_eq(text_dataset_init(t, folder), ERR_NONE, "%s", t->err.msg);
	cr_assert_eq(dataset_fit(t->dataset, t->pipeline, &t->err), ERR_NONE);
}

static void end(struct text_pipeline *t, const char *folder)
{
	text_pipeline_finish(t);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
}

/* Each row is in one part. */
static void expect_whole(const struct dataset *dataset)
{
	int seen[ROWS] = { 0 };

	for (int p = 0; p < PART_COUNT; p++) {
		const enum dataset_part part = (enum dataset_part)p;

		for (int64_t i = 0; i < dataset_n(dataset, part); i++)
			seen[dataset_rows(dataset, part)[i]]++;
	}
	for (int i = 0; i < ROWS; i++)
		cr_assert_eq(seen[i], 1, "row %d: %d times", i, seen[i]);
}

static int count_rare(const struct dataset *dataset, enum dataset_part part)
{
	int n = 0;

	for (int64_t i = 0; i < dataset_n(dataset, part); i++)
		n += dataset_rows(dataset, part)[i] % RARE == 0;
	return n;
}

Test(split, a_stratified_one_has_the_same_shares_of_classes_everywhere)
{
	static const char *const ways[] = {
		", split: {type: stratify}",
		", split: {type: stratify, column: y, seed: 3}"
	};

	for (int i = 0; i < 2; i++) {
		char folder[] = "/tmp/predictd-test-XXXXXX";
		struct text_pipeline t;

		begin(&t, folder, ways[i]);
		expect_whole(t.dataset);
		cr_expect_eq(dataset_n(t.dataset, PART_TRAIN), 320);
		cr_expect_eq(dataset_n(t.dataset, PART_VALID), 40);
		cr_expect_eq(count_rare(t.dataset, PART_TRAIN), 16);
		cr_expect_eq(count_rare(t.dataset, PART_VALID), 2);
		cr_expect_eq(count_rare(t.dataset, PART_TEST), 2);
		/* not in the order of the file */
		cr_expect_neq(dataset_rows(t.dataset, PART_TRAIN)[1] -
				  dataset_rows(t.dataset, PART_TRAIN)[0],
			      1);
		end(&t, folder);
	}
}

Test(split, rows_of_one_value_stay_together_when_hashed)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t;
	int part_of[PERSONS];

	begin(&t, folder,
	      ", split: {type: hash, column: who, probabilities: [0.5, 0.5]}");
	expect_whole(t.dataset);
	cr_expect(dataset_n(t.dataset, PART_TRAIN) > ROWS / 4 &&
		  dataset_n(t.dataset, PART_VALID) > ROWS / 4);
	memset(part_of, -1, sizeof(part_of));
	for (int p = 0; p < PART_COUNT; p++) {
		const enum dataset_part part = (enum dataset_part)p;

		for (int64_t i = 0; i < dataset_n(t.dataset, part); i++) {
			int *of = &part_of[dataset_rows(t.dataset, part)[i] %
					   PERSONS];

			cr_expect(*of < 0 || *of == p);
			*of = p;
		}
	}
	end(&t, folder);
}

Test(split, the_latest_rows_test_when_dates_decide)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t;

	begin(&t, folder, ", split: {type: datetime, column: when}");
	expect_whole(t.dataset);
	for (int64_t i = 0; i < dataset_n(t.dataset, PART_TEST); i++)
		cr_expect_lt(dataset_rows(t.dataset, PART_TEST)[i], 40);
	for (int64_t i = 0; i < dataset_n(t.dataset, PART_TRAIN); i++)
		cr_expect_geq(dataset_rows(t.dataset, PART_TRAIN)[i], 80);
	end(&t, folder);
}

Test(split, what_decides_nothing_is_refused)
{
	static const struct {
		const char *split, *says;
	} table[] = {
		{ ", split: {type: hash}", "needs a 'column'" },
		{ ", split: {type: stratify, column: z}", "no column 'z'" },
		{ ", split: {type: datetime, column: who}", "nor a date" },
		{ ", split: {type: stratfy}", "stratify" },
		{ ", sampling: {type: over}", "oversample" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char folder[] = "/tmp/predictd-test-XXXXXX", yaml[512];
		struct text_pipeline t;

		cr_assert(mkdtemp(folder));
		write_table(folder);
		(void)snprintf(yaml, sizeof(yaml),
			       FEATURES
			       "data: {source: 'path:%s/table.csv'%s}\n",
			       folder, table[i].split);
		cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE);
		cr_expect_neq(text_dataset_init(&t, folder), ERR_NONE);
		cr_expect(strstr(t.err.msg, table[i].says), "%s", t.err.msg);
		end(&t, folder);
	}
}

/* Rows of both classes in an epoch, and how often the first rare one comes. */
static void expect_sample(const char *type, enum sampling_type kind, int64_t n,
			  int64_t rare_low, int64_t rare_high)
{
	char folder[] = "/tmp/predictd-test-XXXXXX";
	struct text_pipeline t;
	struct sampling *sampling;
	int64_t order[2][2 * ROWS], rare = 0;
	bool is_in_training[ROWS] = { false };

	begin(&t, folder, ", split: {type: stratify}");
	for (int64_t i = 0; i < dataset_n(t.dataset, PART_TRAIN); i++)
		is_in_training[dataset_rows(t.dataset, PART_TRAIN)[i]] = true;
	cr_assert_eq(
	    sampling_create(t.dataset, t.pipeline, kind, 7, &sampling, &t.err),
	    ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(sampling_n(sampling), n, "%s", type);
	sampling_order(sampling, 0, order[0]);
	sampling_order(sampling, 1, order[1]);
	cr_expect_neq(memcmp(order[0], order[1], sizeof(**order) * (size_t)n),
		      0);
	sampling_order(sampling, 0, order[1]);
	cr_expect_eq(memcmp(order[0], order[1], sizeof(**order) * (size_t)n),
		     0);
	for (int64_t i = 0; i < n; i++) {
		cr_expect(is_in_training[order[0][i]], "%s", type);
		rare += order[0][i] % RARE == 0;
	}
	cr_expect(rare >= rare_low && rare <= rare_high, "%s: %lld of %lld",
		  type, (long long)rare, (long long)n);
	sampling_destroy(sampling);
	end(&t, folder);
}

Test(sampling, classes_are_equally_frequent_in_an_epoch)
{
	expect_sample("oversample", SAMPLING_OVERSAMPLE, 608, 304, 304);
	expect_sample("undersample", SAMPLING_UNDERSAMPLE, 32, 16, 16);
	expect_sample("weighted", SAMPLING_WEIGHTED, 320, 130, 190);
}
