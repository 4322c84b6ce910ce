/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A model's precision: what config.yaml says, what is served, what is told.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "models/npy.h"
#include "tests/api/loopback.h"

static void expect_has(const struct loopback *l, const char *text)
{
	cr_expect(strstr(l->body, text), "'%s' is not in %s", text, l->body);
}

static void put_config(struct loopback *l, const char *model, const char *yaml)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/config.yaml", model);
	scratch_file(&l->scratch, path, yaml, strlen(yaml));
}

/* n rows of 4 numbers from -most to most, as linear/rows.npy */
static void put_rows(struct loopback *l, int64_t n, float most)
{
	float x[64];
	const struct tensor_view view = { .data = x,
					  .dtype = DTYPE_F32,
					  .shape = { 2, { n, 4 } } };
	struct buf buf;

	for (int i = 0; i < 64; i++)
		x[i] = most * (float)(i % 9 - 4) / 4;
	buf_init(&buf, 1 << 16);
	cr_assert_eq(npy_write(&view, "rows", &buf, NULL), ERR_NONE);
	scratch_file(&l->scratch, "linear/rows.npy", buf.data, buf.len);
	buf_finish(&buf);
}

static void load(struct loopback *l, const char *model)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/v2/repository/models/%s/load",
		       model);
	loopback_post(l, path, "{}");
}

/* The first number of y for x = (1, 0.5, -1, 0), which is -4 in fp32. */
static double answer(struct loopback *l)
{
	const char *data;

	loopback_post(l, "/v2/models/linear/versions/1/infer",
		      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],"
		      "\"datatype\":\"FP32\",\"data\":[1,0.5,-1,0]}]}");
	cr_assert_eq(l->status, 200, "%s", l->body);
	data = strstr(l->body, "\"data\":[");
	cr_assert(data, "%s", l->body);
	return strtod(data + 8, NULL);
}

Test(api_precision, bytes_by_rows_that_were_given)
{
	struct loopback l;

	loopback_begin(&l);
	put_rows(&l, 9, 1);
	put_config(&l, "linear", "precision: int8\ncalibration: rows.npy\n");
	load(&l, "linear");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"precision\":{\"name\":\"int8\",\"arithmetic\":"
		       "\"int8\",\"layers\":1,\"narrow_layers\":1,\"rows\":"
		       "\"given\",\"n_rows\":9,\"deviation\":0.");
	loopback_get(&l, "/v2/models/linear/config");
	expect_has(&l, "\"precision\":{\"string_value\":\"int8\"}");
	expect_has(&l, "\"precision_deviation\":{\"string_value\":\"0.");
	loopback_get(&l, "/metrics");
	expect_has(&l, "predictd_model_deviation{model=\"linear\",version="
		       "\"1\"} 0.");
	cr_expect_float_eq(answer(&l), -4, 0.2);
	/* what is beyond the rows is cut off: so are other rows seen */
	put_rows(&l, 9, 0.25F);
	load(&l, "linear");
	cr_assert_eq(l.status, 200, "%s", l.body);
	cr_expect_gt(fabs(answer(&l) + 4), 0.5);
	loopback_end(&l);
}

Test(api_precision, other_words_than_bytes)
{
	struct loopback l;

	loopback_begin(&l);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"precision\":{\"name\":\"fp32\"}");
	put_config(&l, "linear", "precision: bf16\n");
	load(&l, "linear");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"precision\":{\"name\":\"bf16\",\"arithmetic\":\"");
	cr_expect_float_eq(answer(&l), -4, 0.05);
	put_config(&l, "linear", "precision: int8\n");
	load(&l, "linear");
	cr_assert_eq(l.status, 200, "%s", l.body);
	loopback_get(&l, "/models/linear");
	expect_has(&l, "\"rows\":\"random\",\"n_rows\":8,");
	loopback_end(&l);
}

Test(api_precision, says_what_cannot_be)
{
	struct loopback l;

	loopback_begin(&l);
	put_config(&l, "linear", "precision: itn8\n");
	load(&l, "linear");
	loopback_expect_error(&l, 400, "did you mean 'int8'?");
	put_config(&l, "linear", "precision: int8\ncalibration: no.npy\n");
	load(&l, "linear");
	cr_expect_geq(l.status, 400);
	expect_has(&l, "no.npy");
	put_config(&l, "linear",
		   "precision: int8\ncalibration: ../add/rows.npy\n");
	load(&l, "linear");
	loopback_expect_error(&l, 400, "beneath the model's folder");
	put_config(&l, "add", "precision: int8\n");
	load(&l, "add");
	cr_expect_geq(l.status, 400);
	expect_has(&l, "nothing that could be quantized");
	loopback_end(&l);
}
