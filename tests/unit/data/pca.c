/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pca.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/rng.h"
#include "tests/unit/data/pipeline_text.h"

enum { MOST = 40, ROWS = 90 };

/* rows[i][j]: the places depend on each other, and have different scales. */
static void draw(int64_t size, uint32_t step, float *row)
{
	const struct rng rng = { .seed = 5, .stream = 1, .step = step };

	for (int64_t j = 0; j < size; j++)
		row[j] = rng_normal(rng, (uint64_t)j) * (float)(1 + j) +
			 (j ? row[j - 1] / 2 : 100);
}

static double variance_along(int64_t size, const double *component)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < ROWS; i++) {
		float row[MOST];
		double at = 0;

		draw(size, i, row);
		for (int64_t j = 0; j < size; j++)
			at += (double)row[j] * component[j];
		sum += at;
		squares += at * at;
	}
	return squares / ROWS - sum / ROWS * (sum / ROWS);
}

Test(pca, components_are_orthogonal_and_carry_all_variance)
{
	for (int64_t size = 1; size <= MOST; size += size < 4 ? 1 : 12) {
		struct arena *arena = arena_create(1 << 20);
		struct pca_fit *fit;
		struct pca pca;
		double total = 0, before = INFINITY, share = 0;

		cr_assert_eq(pca_fit_create(size, &fit, NULL), ERR_NONE);
		for (uint32_t i = 0; i < ROWS; i++) {
			float row[MOST];

			draw(size, i, row);
			pca_fit_add(fit, row);
		}
		cr_assert_eq(pca_fit_end(fit, size, NULL, arena, &pca, NULL),
			     ERR_NONE);
		for (int64_t k = 0; k < size; k++)
			total += variance_along(size, pca.component + k * size);
		for (int64_t k = 0; k < size; k++) {
			const double *c = pca.component + k * size;
			const double along = variance_along(size, c);

			cr_expect(along <= before * (1 + 1e-9));
			before = along;
			cr_expect_float_eq(pca.variance[k], along / total,
					   1e-6);
			share += pca.variance[k];
			for (int64_t l = 0; l < size; l++) {
				double sum = 0;

				for (int64_t j = 0; j < size; j++)
					sum +=
					    c[j] * pca.component[l * size + j];
				cr_expect_float_eq(sum, k == l, 1e-9);
			}
		}
		cr_expect_float_eq(share, 1, 1e-9);
		pca_fit_destroy(fit);
		arena_destroy(arena);
	}
}

Test(pca, rows_that_are_all_alike_have_no_variance)
{
	struct arena *arena = arena_create(1 << 20);
	struct pca_fit *fit;
	struct pca pca;
	float row[3] = { 1, 2, 3 };

	cr_assert_eq(pca_fit_create(3, &fit, NULL), ERR_NONE);
	for (int i = 0; i < 5; i++)
		pca_fit_add(fit, row);
	cr_assert_eq(pca_fit_end(fit, 2, NULL, arena, &pca, NULL), ERR_NONE);
	cr_expect_eq(pca.variance[0], 0);
	cr_expect(isfinite(pca.component[0]));
	pca_fit_destroy(fit);
	arena_destroy(arena);
}

#define VECTOR "input_features: [{name: v, type: vector, size: 3, "
#define LABEL "}]\noutput_features: [{name: y, type: number}]\n"

Test(pca, what_it_cannot_be_of_is_refused)
{
	static const struct {
		const char *yaml, *says;
	} table[] = {
		{ VECTOR "pca: 4" LABEL, "from 1 to the size" },
		{ VECTOR "pca: 2, pca_components: [1, 2, 3]" LABEL,
		  "2 components of 3 numbers" },
		{ "input_features: [{name: v, type: number}]\n"
		  "output_features: [{name: y, type: vector, size: 3, pca: "
		  "2}]\n",
		  "pca is of input features" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct text_pipeline t;

		cr_expect_eq(text_pipeline_init(&t, table[i].yaml),
			     ERR_INVALID);
		cr_expect(strstr(t.err.msg, table[i].says), "%s", t.err.msg);
		text_pipeline_finish(&t);
	}
}

Test(pca, synthetic_rows_are_fitted_and_encoded)
{
	struct text_pipeline t;
	struct raw_value value;
	enum dtype dtype;
	struct shape row;
	float out[2] = { NAN, NAN };

	cr_assert_eq(text_pipeline_init(
			 &t, VECTOR "pca: 2" LABEL
				    "data: {source: synthetic, rows: 50}\n"),
		     ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, NULL), ERR_NONE, "%s", t.err.msg);
	pipeline_input_row(t.pipeline, 0, &dtype, &row);
	cr_expect(row.rank == 1 && row.dim[0] == 2);
	cr_assert_eq(dataset_input(t.dataset, 7, 0, &value, NULL), ERR_NONE);
	cr_expect_eq(pipeline_encode_input(t.pipeline, 0, &value, out, &t.err),
		     ERR_INTERNAL);
	cr_assert_eq(dataset_fit(t.dataset, t.pipeline, &t.err), ERR_NONE, "%s",
		     t.err.msg);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &value, out, &t.err),
		     ERR_NONE, "%s", t.err.msg);
	cr_expect(isfinite(out[0]) && isfinite(out[1]));
	value = (struct raw_value){ .kind = RAW_MISSING };
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &value, out, &t.err),
		     ERR_NONE);
	cr_expect(fabsf(out[0]) < 1e-6f && fabsf(out[1]) < 1e-6f);
	text_pipeline_finish(&t);
}
