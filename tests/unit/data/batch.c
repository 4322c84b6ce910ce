/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/data/pipeline_text.h"

#include "data/batch.h"

#define JOB                                                               \
	"input_features: [{name: p, type: image, shape: [1, 4, 4]}]\n"    \
	"output_features: [{name: y, type: category, num_classes: 10}]\n" \
	"data: {source: synthetic, rows: 50, split: "                     \
	"{probabilities: [0.9, 0.1]}}\n"

static void begin(struct text_pipeline *t, struct loader **loader)
{
	cr_assert_eq(text_pipeline_init(t, JOB), ERR_NONE, "%s", t->err.msg);
	cr_assert_eq(text_dataset_init(t, NULL), ERR_NONE, "%s", t->err.msg);
	cr_assert_eq(dataset_fit(t->dataset, t->pipeline, &t->err), ERR_NONE,
		     "%s", t->err.msg);
	cr_assert_eq(loader_create(t->dataset, t->pipeline, 8, loader, &t->err),
		     ERR_NONE, "%s", t->err.msg);
}

Test(batch, an_order_is_a_permutation_of_its_epoch)
{
	const int64_t rows[] = { 10, 11, 12, 13, 14, 15, 16, 17 };
	int64_t a[8], b[8], sum = 0;
	int same = 0;

	batch_shuffle(rows, 8, 1, 0, a);
	batch_shuffle(rows, 8, 1, 1, b);
	for (int i = 0; i < 8; i++) {
		sum += a[i];
		same += a[i] == b[i];
	}
	cr_assert_eq(sum, 108);
	cr_assert(same < 8);
	batch_shuffle(rows, 8, 1, 0, b);
	cr_assert_arr_eq(a, b, sizeof(a));
}

Test(batch, batches_come_in_order_and_the_last_is_short)
{
	struct text_pipeline t;
	struct loader *loader;
	const int64_t *row;
	int64_t seen = 0;

	begin(&t, &loader);
	row = dataset_rows(t.dataset, PART_TRAIN);
	cr_assert_eq(loader_start(loader, row, 45, 0, 8, NULL), ERR_NONE);
	for (;;) {
		struct batch *batch;

		cr_assert_eq(loader_take(loader, &batch, &t.err), ERR_NONE);
		if (!batch)
			break;
		cr_assert_eq(batch->first, seen);
		for (int64_t i = 0; i < batch->n; i++)
			cr_assert_eq(((int64_t *)batch->target[0])[i],
				     row[seen + i] % 10);
		seen += batch->n;
		cr_assert_eq(batch->n, seen == 45 ? 5 : 8);
		loader_give_back(loader, batch);
	}
	cr_assert_eq(seen, 45);
	loader_destroy(loader);
	text_pipeline_finish(&t);
}

Test(batch, a_start_in_the_middle_gives_the_same_batches)
{
	struct text_pipeline t;
	struct loader *loader;
	const int64_t *row;
	struct batch *batch;
	float first[16];

	begin(&t, &loader);
	row = dataset_rows(t.dataset, PART_TRAIN);
	cr_assert_eq(loader_start(loader, row, 45, 0, 8, NULL), ERR_NONE);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(loader_take(loader, &batch, NULL), ERR_NONE);
		memcpy(first, batch->input[0], sizeof(first));
		loader_give_back(loader, batch);
	}
	cr_assert_eq(loader_start(loader, row, 45, 16, 8, NULL), ERR_NONE);
	cr_assert_eq(loader_take(loader, &batch, NULL), ERR_NONE);
	cr_assert_eq(batch->first, 16);
	cr_assert_arr_eq(batch->input[0], first, sizeof(first));
	loader_give_back(loader, batch);
	loader_destroy(loader);
	text_pipeline_finish(&t);
}
