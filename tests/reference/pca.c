/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Principal components against scikit-learn: those of its digits, whose rows
 * runs.safetensors has.
 */
#include "data/pca.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "data/feature.h"
#include "reference.h"

enum { SIZE = 64, N = 8 };
#define TOLERANCE 1e-4

/* As a job's feature: fitted on all rows. */
static void fit(const struct tensor_view *rows, struct pipeline **ret,
		struct arena *arena)
{
	static const char text[] =
	    "input_features: [{name: x, type: vector, size: 64, normalize: "
	    "none, pca: 8}]\n"
	    "output_features: [{name: y, type: number}]\n";
	struct raw_value value = { .kind = RAW_TENSOR };
	struct err err = { .code = ERR_NONE };
	struct feature *feature;
	struct doc *doc;

	cr_assert_eq(
	    doc_parse_yaml(text, strlen(text), "features", arena, &doc, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(pipeline_create(doc_find(doc, "input_features"),
				     doc_find(doc, "output_features"), ret,
				     &err),
		     ERR_NONE, "%s", err.msg);
	feature = pipeline_feature(*ret, false, 0);
	cr_assert_eq(feature->kind->fit_begin(feature, &err), ERR_NONE);
	value.tensor = (struct tensor_view){ .dtype = DTYPE_F32,
					     .shape = { 1, { SIZE } } };
	for (int64_t i = 0; i < rows->shape.dim[0]; i++) {
		value.tensor.data = (float *)rows->data + i * SIZE;
		cr_assert_eq(feature->kind->fit_value(feature, &value, &err),
			     ERR_NONE, "%s", err.msg);
	}
	cr_assert_eq(feature->kind->fit_end(feature, &err), ERR_NONE, "%s",
		     err.msg);
}

/* A fitted list of model.yaml, as floats. */
static void compare_list(const struct doc *feature, const char *key,
			 const struct tensor_view *want)
{
	const struct doc *list = doc_find(feature, key);
	float got[N * SIZE];
	int64_t n = 0;

	cr_assert(list, "%s", key);
	for (const struct doc *at = list->first; at; at = at->next)
		got[n++] = (float)at->number;
	cr_assert_eq(n, shape_count(&want->shape), "%s", key);
	reference_compare(key, want, got, TOLERANCE);
}

static void compare_coordinates(const struct pipeline *pipeline,
				const struct tensor_view *rows,
				const struct tensor_view *mean,
				const struct tensor_view *component)
{
	const float *m = mean->data, *c = component->data;
	struct raw_value value = {
		.kind = RAW_TENSOR,
		.tensor = { .dtype = DTYPE_F32, .shape = { 1, { SIZE } } },
	};
	float got[N];

	for (int64_t i = 0; i < 100; i++) {
		const float *row = (const float *)rows->data + i * SIZE;

		value.tensor.data = (float *)rows->data + i * SIZE;
		cr_assert_eq(
		    pipeline_encode_input(pipeline, 0, &value, got, NULL),
		    ERR_NONE);
		for (int64_t k = 0; k < N; k++) {
			double sum = 0;

			for (int64_t j = 0; j < SIZE; j++)
				sum += ((double)row[j] - (double)m[j]) *
				       (double)c[k * SIZE + j];
			cr_expect_float_eq((double)got[k], sum, 1e-3);
		}
	}
}

Test(pca, agrees_with_scikit_learn)
{
	struct reference runs, want;
	const struct tensor_view *rows;
	struct pipeline *pipeline;
	struct json_writer writer;
	struct err err = { .code = ERR_NONE };
	struct buf buf;
	struct doc *doc;
	const struct doc *feature;

	reference_open("runs", &runs);
	reference_open_tensors("pca_digits", &want);
	rows = reference_get(&runs, "data.x");
	cr_assert_eq(rows->shape.dim[1], SIZE);
	fit(rows, &pipeline, runs.arena);
	buf_init(&buf, 1 << 20);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	pipeline_save(pipeline, &writer);
	json_write_object_end(&writer);
	cr_assert_eq(
	    doc_parse_json(buf.data, buf.len, "saved", runs.arena, &doc, &err),
	    ERR_NONE, "%s", err.msg);
	feature = doc_find(doc, "input_features")->first;
	compare_list(feature, "mean", reference_get(&want, "mean"));
	compare_list(feature, "pca_components",
		     reference_get(&want, "components"));
	compare_list(feature, "pca_variance",
		     reference_get(&want, "explained_variance_ratio"));
	compare_coordinates(pipeline, rows, reference_get(&want, "mean"),
			    reference_get(&want, "components"));
	reference_expect_all_seen(&want);
	buf_finish(&buf);
	pipeline_destroy(pipeline);
	reference_close(&runs);
	reference_close(&want);
}
