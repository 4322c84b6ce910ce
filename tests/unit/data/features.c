/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/data/pipeline_text.h"

#include "base/buf.h"
#include "base/json_write.h"
#include "data/feature.h"

#define PICTURE "input_features: [{name: p, type: image, shape: [1, 2, 2]"
#define LABEL "output_features: [{name: y, type: category, num_classes: 3}]\n"

static struct raw_value number(double v)
{
	return (struct raw_value){ .kind = RAW_NUMBER, .number = v };
}

static struct raw_value text(const char *v)
{
	return (
	    struct raw_value){ .kind = RAW_TEXT, .bytes = v, .len = strlen(v) };
}

static struct raw_value bytes_2x2(unsigned char *v, unsigned rank)
{
	struct raw_value value = { .kind = RAW_TENSOR };

	value.tensor = (struct tensor_view){ .data = v, .dtype = DTYPE_U8 };
	value.tensor.shape = (struct shape){ .rank = rank, .dim = { 2, 2 } };
	if (rank == 1)
		value.tensor.shape.dim[0] = 4;
	return value;
}

/* Fits one feature on the values given. */
static void fit(struct text_pipeline *t, bool is_output,
		const struct raw_value *value, size_t n)
{
	struct feature *f = pipeline_feature(t->pipeline, is_output, 0);

	cr_assert_eq(f->kind->fit_begin(f, &t->err), ERR_NONE);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(f->kind->fit_value(f, &value[i], &t->err),
			     ERR_NONE, "%s", t->err.msg);
	cr_assert_eq(f->kind->fit_end(f, &t->err), ERR_NONE);
}

Test(features, a_picture_is_scaled_by_the_training_parts_mean_and_deviation)
{
	struct text_pipeline t;
	unsigned char px[] = { 0, 255, 0, 255 };
	struct raw_value v = bytes_2x2(px, 2);
	float out[4];

	cr_assert_eq(text_pipeline_init(&t, PICTURE "}]\n" LABEL), ERR_NONE,
		     "%s", t.err.msg);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err),
		     ERR_INTERNAL);
	fit(&t, false, &v, 1);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err),
		     ERR_NONE, "%s", t.err.msg);
	cr_assert_float_eq(out[0], -1, 1e-6);
	cr_assert_float_eq(out[1], 1, 1e-6);
	text_pipeline_finish(&t);
}

Test(features, a_picture_takes_flat_and_float_arrays_and_no_other_shape)
{
	struct text_pipeline t;
	unsigned char px[] = { 0, 51, 102, 255 };
	float samples[] = { 0, 51, 102, 255 }, out[4];
	struct raw_value v = bytes_2x2(px, 1);

	cr_assert_eq(text_pipeline_init(&t, PICTURE
					", preprocessing: {normalize: none}}]"
					"\n" LABEL),
		     ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err), 0);
	cr_assert_float_eq(out[1], 0.2, 1e-6);
	v.tensor.dtype = DTYPE_F32;
	v.tensor.data = samples;
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err), 0);
	cr_assert_float_eq(out[2], 0.4, 1e-6);
	v.tensor.shape.dim[0] = 3;
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err),
		     ERR_SHAPE);
	cr_assert(strstr(t.err.msg, "[1,2,2]") && strstr(t.err.msg, "[3]"),
		  "%s", t.err.msg);
	text_pipeline_finish(&t);
}

Test(features, a_category_without_labels_learns_them_numbers_in_order_first)
{
	struct text_pipeline t;
	struct raw_value v[] = { number(10), text("b"), number(2), text("a"),
				 number(2) };
	int64_t index;

	cr_assert_eq(text_pipeline_init(&t, PICTURE
					"}]\noutput_features: [{name: y, "
					"type: category}]\n"),
		     ERR_NONE);
	fit(&t, true, v, 5);
	cr_assert_eq(pipeline_encode_target(t.pipeline, 0, &v[0], &index, NULL),
		     0);
	cr_assert_eq(index, 1);
	cr_assert_eq(pipeline_encode_target(t.pipeline, 0, &v[1], &index, NULL),
		     0);
	cr_assert_eq(index, 3);
	v[0] = text("c");
	cr_assert_eq(
	    pipeline_encode_target(t.pipeline, 0, &v[0], &index, &t.err),
	    ERR_INVALID);
	cr_assert(strstr(t.err.msg, "'c' is none of its 4 labels"), "%s",
		  t.err.msg);
	text_pipeline_finish(&t);
}

/* What a category of three learns from these labels. */
static enum err_code fit_three(struct text_pipeline *t, const char *const *v,
			       size_t n)
{
	enum err_code rc = ERR_NONE;
	struct feature *f;

	cr_assert_eq(text_pipeline_init(t, PICTURE "}]\n" LABEL), ERR_NONE);
	f = pipeline_feature(t->pipeline, true, 0);
	cr_assert_eq(f->kind->fit_begin(f, &t->err), ERR_NONE);
	for (size_t i = 0; i < n && !rc; i++) {
		const struct raw_value value = text(v[i]);

		rc = f->kind->fit_value(f, &value, &t->err);
	}
	if (!rc)
		rc = f->kind->fit_end(f, &t->err);
	return rc;
}

Test(features, a_number_of_classes_leaves_their_names_to_the_data)
{
	static const char *const own[] = { "c", "a", "b", "a" };
	static const char *const numbers[] = { "2", "0" };
	static const char *const less[] = { "c", "a" };
	struct raw_value v = text("b");
	struct text_pipeline t;
	int64_t index = -1;

	cr_assert_eq(fit_three(&t, own, 4), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(pipeline_encode_target(t.pipeline, 0, &v, &index, NULL),
		     0);
	cr_assert_eq(index, 1);
	text_pipeline_finish(&t);
	cr_assert_eq(fit_three(&t, numbers, 2), ERR_NONE, "%s", t.err.msg);
	v = text("1");
	cr_assert_eq(pipeline_encode_target(t.pipeline, 0, &v, &index, NULL),
		     0);
	cr_assert_eq(index, 1);
	text_pipeline_finish(&t);
	cr_assert_eq(fit_three(&t, less, 2), ERR_INVALID);
	cr_assert(strstr(t.err.msg, "num_classes is 3, but the training part "
				    "has 2 labels ('a' to 'c')"),
		  "%s", t.err.msg);
	text_pipeline_finish(&t);
}

/* with a list to search this took minutes */
Test(features, a_category_may_have_a_label_a_row, .timeout = 20)
{
	enum { N = 200000 };
	struct text_pipeline t;
	struct feature *f;
	char label[32];
	struct raw_value v;
	int64_t index;

	cr_assert_eq(text_pipeline_init(&t, PICTURE
					"}]\noutput_features: [{name: y, "
					"type: category}]\n"),
		     ERR_NONE);
	f = pipeline_feature(t.pipeline, true, 0);
	cr_assert_eq(f->kind->fit_begin(f, &t.err), ERR_NONE);
	for (int i = 0; i < N; i++) {
		(void)snprintf(label, sizeof(label), "user%06d", N - 1 - i);
		v = text(label);
		cr_assert_eq(f->kind->fit_value(f, &v, &t.err), ERR_NONE);
	}
	cr_assert_eq(f->kind->fit_end(f, &t.err), ERR_NONE);
	for (int i = 0; i < N; i++) {
		(void)snprintf(label, sizeof(label), "user%06d", i);
		v = text(label);
		cr_assert_eq(
		    pipeline_encode_target(t.pipeline, 0, &v, &index, NULL),
		    ERR_NONE);
		cr_assert_eq(index, i);
	}
	text_pipeline_finish(&t);
}

Test(features, an_input_category_counts_from_what_is_no_label)
{
	struct text_pipeline t;
	struct raw_value seen[] = {
		text("b"), { .kind = RAW_MISSING }, text("a"), text("b")
	};
	const struct raw_value asked[] = {
		text("a"), text("b"), text("z"), { .kind = RAW_MISSING }
	};
	static const int64_t expected[] = { 1, 2, 0, 0 };

	cr_assert_eq(
	    text_pipeline_init(&t, "input_features: [{name: c, type: category, "
				   "embedding_size: 7}]\n" LABEL),
	    ERR_NONE, "%s", t.err.msg);
	fit(&t, false, seen, 4);
	cr_assert_eq(pipeline_input_width(t.pipeline, 0), 3);
	cr_assert_eq(pipeline_input_embedding_size(t.pipeline, 0), 7);
	for (int i = 0; i < 4; i++) {
		int64_t index = -1;

		cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &asked[i],
						   &index, &t.err),
			     ERR_NONE, "%s", t.err.msg);
		cr_assert_eq(index, expected[i]);
	}
	text_pipeline_finish(&t);
}

Test(features, a_category_answers_with_label_and_probabilities)
{
	struct text_pipeline t;
	const float logits[] = { 0, 1.0986123f, 0 }; /* ln 3 */
	struct json_writer writer;
	struct buf buf;

	cr_assert_eq(text_pipeline_init(&t, PICTURE "}]\n" LABEL), ERR_NONE);
	buf_init(&buf, 4096);
	json_write_init(&writer, &buf);
	pipeline_decode_output(t.pipeline, 0, logits, 3, &writer);
	cr_assert(strstr(buf.data, "\"label\":\"1\""), "%s", buf.data);
	cr_assert(strstr(buf.data, "\"probability\":0.6"), "%s", buf.data);
	cr_assert(strstr(buf.data, "\"2\":0.2"), "%s", buf.data);
	buf_finish(&buf);
	text_pipeline_finish(&t);
}

Test(features, a_number_is_brought_to_mean_0_and_a_missing_one_is_the_mean)
{
	struct text_pipeline t;
	struct raw_value v[] = { number(1),
				 number(3),
				 { .kind = RAW_MISSING },
				 text("5"),
				 text("five") };
	float x;

	cr_assert_eq(text_pipeline_init(
			 &t, "input_features: [{name: n, type: number}]\n"
			     "output_features: [{name: y, type: number}]\n"),
		     ERR_NONE);
	fit(&t, false, v, 2);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[1], &x, NULL), 0);
	cr_assert_float_eq(x, 1, 1e-6);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[2], &x, NULL), 0);
	cr_assert_float_eq(x, 0, 1e-6);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[3], &x, NULL), 0);
	cr_assert_float_eq(x, 3, 1e-6);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[4], &x, &t.err),
		     ERR_INVALID);
	text_pipeline_finish(&t);
}

Test(features, a_saved_pipeline_reads_back_fitted)
{
	struct text_pipeline t, back;
	unsigned char px[] = { 0, 255, 0, 255 };
	struct raw_value v = bytes_2x2(px, 2);
	struct json_writer writer;
	struct buf buf;
	float a[4], b[4];

	cr_assert_eq(text_pipeline_init(&t, PICTURE "}]\n" LABEL), ERR_NONE);
	fit(&t, false, &v, 1);
	buf_init(&buf, 1 << 16);
	json_write_init(&writer, &buf);
	json_write_object(&writer, NULL);
	pipeline_save(t.pipeline, &writer);
	json_write_object_end(&writer);
	cr_assert_eq(text_pipeline_init(&back, buf.data), ERR_NONE, "%s\n%s",
		     back.err.msg, buf.data);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, a, NULL), 0);
	cr_assert_eq(pipeline_encode_input(back.pipeline, 0, &v, b, &back.err),
		     ERR_NONE, "%s", back.err.msg);
	cr_assert_arr_eq(a, b, sizeof(a));
	buf_finish(&buf);
	text_pipeline_finish(&back);
	text_pipeline_finish(&t);
}

Test(features, a_size_of_pictures_is_a_shape_of_three_channels)
{
	struct text_pipeline t;
	enum dtype dtype;
	struct shape row;

	cr_assert_eq(text_pipeline_init(
			 &t, "input_features: [{name: p, type: image, "
			     "preprocessing: {size: [5, 7], resize: crop, "
			     "normalize: imagenet}}]\n" LABEL),
		     ERR_NONE, "%s", t.err.msg);
	pipeline_input_row(t.pipeline, 0, &dtype, &row);
	cr_expect_eq(row.rank, 3);
	cr_expect(row.dim[0] == 3 && row.dim[1] == 5 && row.dim[2] == 7);
	text_pipeline_finish(&t);
}

/* Fits a picture of no declared shape on one value. */
static enum err_code fit_shape(struct text_pipeline *t, const char *options,
			       const struct raw_value *value,
			       struct shape *ret_row)
{
	struct feature *f;
	enum dtype dtype;
	char yaml[256];
	enum err_code rc;

	(void)snprintf(yaml, sizeof(yaml),
		       "input_features: [{name: p, type: image%s}]\n" LABEL,
		       options);
	cr_assert_eq(text_pipeline_init(t, yaml), ERR_NONE, "%s", t->err.msg);
	f = pipeline_feature(t->pipeline, false, 0);
	cr_assert_eq(f->kind->fit_begin(f, &t->err), ERR_NONE);
	rc = f->kind->fit_value(f, value, &t->err);
	if (!rc)
		rc = f->kind->fit_end(f, &t->err);
	pipeline_input_row(t->pipeline, 0, &dtype, ret_row);
	return rc;
}

Test(features, a_picture_without_a_shape_takes_that_of_the_first_array)
{
	unsigned char px[] = { 0, 255, 0, 255, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct raw_value v = bytes_2x2(px, 2);
	struct text_pipeline t;
	struct shape row;
	float out[12];

	cr_assert_eq(fit_shape(&t, "", &v, &row), ERR_NONE, "%s", t.err.msg);
	cr_expect(row.dim[0] == 1 && row.dim[1] == 2 && row.dim[2] == 2);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err), 0);
	cr_expect_float_eq(out[0], -1, 1e-6);
	text_pipeline_finish(&t);

	v.tensor.shape = (struct shape){ .rank = 3, .dim = { 3, 1, 4 } };
	cr_assert_eq(
	    fit_shape(&t, ", preprocessing: {normalize: imagenet}", &v, &row),
	    ERR_NONE, "%s", t.err.msg);
	cr_expect(row.dim[0] == 3 && row.dim[1] == 1 && row.dim[2] == 4);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v, out, &t.err), 0);
	cr_expect_float_eq(out[1], (1 - 0.485) / 0.229, 1e-5);
	text_pipeline_finish(&t);
}

Test(features, a_shape_that_no_array_tells_is_needed)
{
	unsigned char px[12] = { 0 };
	struct raw_value v = bytes_2x2(px, 1);
	struct text_pipeline t;
	struct shape row;

	cr_expect_eq(fit_shape(&t, "", &v, &row), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "is needed"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	v = (struct raw_value){ .kind = RAW_BYTES,
				.bytes = "\x89PNG",
				.len = 4 };
	cr_expect_eq(fit_shape(&t, "", &v, &row), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "is needed"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	v = bytes_2x2(px, 3);
	v.tensor.shape.dim[2] = 3;
	cr_expect_eq(fit_shape(&t, "", &v, &row), ERR_INVALID);
	cr_expect(strstr(t.err.msg, "1 or 3 channels"), "%s", t.err.msg);
	text_pipeline_finish(&t);
	v = bytes_2x2(px, 2);
	cr_expect_eq(
	    fit_shape(&t, ", preprocessing: {normalize: imagenet}", &v, &row),
	    ERR_INVALID);
	cr_expect(strstr(t.err.msg, "needs 3 channels"), "%s", t.err.msg);
	text_pipeline_finish(&t);
}

Test(features, what_is_declared_wrongly_is_refused_with_the_reason)
{
	static const struct {
		const char *yaml, *says;
	} table[] = {
		{ "input_features: [{name: p, type: imgae, shape: [1,2,2]}]\n"
		  "output_features: [{name: y, type: category}]",
		  "did you mean 'image'" },
		{ "input_features: [{name: p, type: image, shape: [1,2]}]\n"
		  "output_features: [{name: y, type: category}]",
		  "[channels, height, width]" },
		{ "input_features: [{name: p, type: image, mean: [0.5], "
		  "std: [0.5]}]\n"
		  "output_features: [{name: y, type: category}]",
		  "shape" },
		{ PICTURE ", preprocessing: {size: [3, 2]}}]\n" LABEL,
		  "not what shape says" },
		{ "input_features: [{name: p, type: image, preprocessing: "
		  "{size: [3]}}]\n" LABEL,
		  "[height, width]" },
		{ "input_features: []\n"
		  "output_features: [{name: y, type: category}]",
		  "input_features" },
		{ PICTURE "}]\noutput_features: [{name: y, type: image, "
			  "shape: [1,2,2]}]",
		  "cannot be an output" },
		{ PICTURE ", sahpe: 3}]\n" LABEL, "did you mean 'shape'" },
		{ PICTURE "}]\noutput_features: [{name: y, type: category, "
			  "num_classes: 2, labels: [a, b, c]}]",
		  "3 labels" },
		{ PICTURE "}]\noutput_features: [{name: y, type: category, "
			  "labels: [a, a]}]",
		  "given twice" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct text_pipeline t;

		cr_assert_neq(text_pipeline_init(&t, table[i].yaml), ERR_NONE,
			      "%s", table[i].yaml);
		cr_assert(strstr(t.err.msg, table[i].says), "%zu: %s", i,
			  t.err.msg);
		text_pipeline_finish(&t);
	}
}

#define VECTOR "input_features: [{name: v, type: vector, size: 3"

Test(features, a_vector_is_scaled_place_by_place)
{
	struct text_pipeline t;
	struct raw_value v[] = { text("1 2 3"),
				 text("[3, 2, 7]"),
				 { .kind = RAW_MISSING } };
	float out[3];

	cr_assert_eq(text_pipeline_init(&t, VECTOR "}]\n" LABEL), ERR_NONE,
		     "%s", t.err.msg);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[0], out, &t.err),
		     ERR_INTERNAL);
	fit(&t, false, v, 3);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[0], out, &t.err),
		     ERR_NONE, "%s", t.err.msg);
	/* means 2, 2, 5; deviations 1, (0 stays 1), 2 */
	cr_expect(out[0] == -1 && out[1] == 0 && out[2] == -1);
	cr_assert_eq(pipeline_encode_input(t.pipeline, 0, &v[2], out, &t.err),
		     ERR_NONE);
	cr_expect(out[0] == 0 && out[1] == 0 && out[2] == 0);
	text_pipeline_finish(&t);
}

Test(features, a_vector_of_another_length_is_told)
{
	struct text_pipeline t;
	struct raw_value v[] = { text("1;2"), text("1 x 3"), text("1 1e999 3"),
				 number(4) };
	static const char *const want[] = { "expected 3 numbers",
					    "number 1 is not finite",
					    "number 1 is not finite",
					    "expected 3 numbers" };
	float out[3];

	cr_assert_eq(
	    text_pipeline_init(&t, VECTOR ", normalize: none}]\n" LABEL),
	    ERR_NONE, "%s", t.err.msg);
	for (int i = 0; i < 4; i++) {
		cr_expect_neq(
		    pipeline_encode_input(t.pipeline, 0, &v[i], out, &t.err),
		    ERR_NONE);
		cr_expect(strstr(t.err.msg, want[i]), "%s", t.err.msg);
	}
	text_pipeline_finish(&t);
	cr_assert_eq(
	    text_pipeline_init(&t, VECTOR ", mean: [1], std: [1]}]\n" LABEL),
	    ERR_INVALID);
	cr_expect(strstr(t.err.msg, "'mean' has 1 numbers, size is 3"), "%s",
		  t.err.msg);
	text_pipeline_finish(&t);
}

/* `auto` goes by the loss; what the job said wins. */
Test(features, scores_become_probabilities_where_the_loss_takes_scores)
{
	static const struct {
		const char *output, *want;
	} rows[] = {
		{ "{name: y, type: vector, size: 2, loss: {type: dice}}",
		  "{\"value\":[0.5,0.8807971]}" },
		{ "{name: y, type: vector, size: 2}", "{\"value\":[0,2]}" },
		{ "{name: y, type: vector, size: 2, activation: none, loss: "
		  "{type: focal}}",
		  "{\"value\":[0,2]}" },
		{ "{name: y, type: number, loss: {type: "
		  "binary_cross_entropy_with_logits}}",
		  "{\"value\":0.5}" },
		{ "{name: y, type: number, loss: {type: mae}}",
		  "{\"value\":0}" },
	};
	static const float scores[] = { 0, 2 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text_pipeline t;
		struct json_writer w;
		struct buf buf;
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml),
			       VECTOR "}]\noutput_features: [%s]\n",
			       rows[i].output);
		cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE, "%s",
			     t.err.msg);
		buf_init(&buf, 1 << 12);
		json_write_init(&w, &buf);
		pipeline_decode_output(t.pipeline, 0, scores, 2, &w);
		buf_put(&buf, "", 1);
		cr_expect_str_eq(buf.data, rows[i].want);
		buf_finish(&buf);
		text_pipeline_finish(&t);
	}
}
