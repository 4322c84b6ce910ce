/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Requests of few bytes that ask for much.
 */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/api/loopback.h"
#include "tests/unit/models/make_onnx.h"

/* Whatever comes, as it comes: "wide", float [n,m]. */
static void put_wide(struct loopback *l)
{
	struct make m;
	struct err err;

	make_begin(&m, 8, 17);
	make_node(&m, "Identity", "x", "y");
	make_port(&m, MAKE_INPUT, "x", DTYPE_F32, "n m");
	make_port(&m, MAKE_OUTPUT, "y", DTYPE_F32, "n m");
	make_end(&m);
	scratch_dir(&l->scratch, "wide/1");
	scratch_file(&l->scratch, "wide/1/model.onnx", m.buf.data, m.buf.len);
	make_finish(&m);
	cr_assert_eq(model_cache_load(l->context.models, "wide", &err),
		     ERR_NONE, "%s", err.msg);
}

static void post_wide(struct loopback *l, const char *shape, const char *data)
{
	struct buf body;

	buf_init(&body, 1 << 20);
	buf_printf(&body,
		   "{\"inputs\":[{\"name\":\"x\",\"shape\":%s,"
		   "\"datatype\":\"FP32\",\"data\":%s}]}",
		   shape, data);
	loopback_post(l, "/v2/models/wide/infer", body.data);
	buf_finish(&body);
}

Test(api_extremes, a_shape_takes_no_memory_that_the_body_cannot_fill)
{
	struct loopback l;

	loopback_begin(&l);
	put_wide(&l);
	post_wide(&l, "[2,3]", "[1,2,3,4,5,6]");
	cr_assert_eq(l.status, 200, "%s", l.body);
	/* as large as all requests together may be, twice and more */
	limit_init(&l.context.limit, 1 << 20);
	post_wide(&l, "[2147483647,2]", "[1]");
	loopback_expect_error(&l, 400, "expected 4294967294 elements");
	post_wide(&l, "[500,1000]", "[]");
	loopback_expect_error(&l, 400, "input 'x': expected 500000 elements");
	post_wide(&l, "[2147483648,2]", "[1]");
	loopback_expect_error(&l, 400, "input 'x': x has extent 2147483648");
	loopback_end(&l);
}

Test(api_extremes, a_tensor_without_elements_has_small_rows)
{
	struct loopback l;

	loopback_begin(&l);
	put_wide(&l);
	post_wide(&l, "[0,4]", "[]");
	cr_assert_not_null(strstr(l.body, "\"shape\":[0,4],\"data\":[]"));
	post_wide(&l, "[4,0]", "[]");
	cr_assert_not_null(strstr(l.body, "\"shape\":[4,0],\"data\":[]"));
	post_wide(&l, "[0,2147483647]", "[]");
	loopback_expect_error(&l, 413, "input 'x'");
	loopback_end(&l);
}

/* What one request alone cannot have is not there later either. */
Test(api_extremes, what_never_fits_is_not_asked_for_again)
{
	struct loopback l;

	loopback_begin(&l);
	limit_init(&l.context.limit, 8);
	loopback_post(&l, "/predict/linear", "{\"inputs\":{\"x\":[1,0,0,0]}}");
	loopback_expect_error(&l, 413, "16 bytes");
	cr_assert_null(loopback_answer_header(&l, "Retry-After"));
	loopback_end(&l);
}

static void post_texts(struct loopback *l, int n)
{
	struct buf body;

	buf_init(&body, 1 << 20);
	buf_printf(&body,
		   "{\"inputs\":[{\"name\":\"t\",\"shape\":[%d],\"datatype\":"
		   "\"BYTES\",\"data\":[\"\"",
		   n);
	for (int i = 1; i < n; i++)
		buf_puts(&body, ",\"\"");
	buf_puts(&body, "]}]}");
	loopback_post(l, "/v2/models/text/infer", body.data);
	buf_finish(&body);
}

/* Empty texts are larger in memory than in JSON. */
Test(api_extremes, what_a_request_may_never_have_is_no_matter_of_time)
{
	struct loopback l;

	loopback_begin(&l);
	arena_destroy(l.request.arena);
	l.request.arena = arena_create(1 << 20);
	post_texts(&l, 100);
	cr_assert_eq(l.status, 200, "%s", l.body);
	post_texts(&l, 70000);
	loopback_expect_error(&l, 413, "input 't' takes 1120000 bytes");
	post_texts(&l, 40000);
	loopback_expect_error(&l, 500, "its answer needs more memory");
	post_texts(&l, 25000);
	loopback_expect_error(&l, 500, "its answer needs more memory");
	loopback_end(&l);
}

/* Rising numbers, of which each is a new first one. */
Test(api_extremes, classes_are_as_many_as_one_likes)
{
	enum { N = 200000 };
	float *x = mem_array(N, sizeof(*x));
	struct buf body;
	struct loopback l;
	int64_t start;
	char length[16];

	loopback_begin(&l);
	put_wide(&l);
	buf_init(&body, 8 << 20);
	buf_printf(&body,
		   "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,%d],"
		   "\"datatype\":\"FP32\",\"parameters\":{"
		   "\"binary_data_size\":%d}}],\"outputs\":[{\"name\":\"y\","
		   "\"parameters\":{\"classification\":%d}}]}",
		   N, N * 4, N);
	(void)snprintf(length, sizeof(length), "%zu", body.len);
	loopback_header(&l, "Inference-Header-Content-Length", length);
	for (int i = 0; i < N; i++)
		x[i] = (float)(i >> 1);
	buf_put(&body, x, N * sizeof(*x));
	start = clock_monotonic_ns();
	loopback_ask(&l, "POST", "/v2/models/wide/infer", body.data, body.len);
	cr_assert_lt(clock_monotonic_ns() - start, (int64_t)5000000000);
	cr_assert_eq(l.status, 200, "%s", l.body);
	/* of equals the first one comes first */
	cr_assert_not_null(strstr(l.body, "[\"99999.0:199998\","
					  "\"99999.0:199999\","
					  "\"99998.0:199996\","));
	cr_assert_not_null(strstr(l.body, "\"0.0:0\",\"0.0:1\"]"));
	buf_finish(&body);
	mem_free(x);
	loopback_end(&l);
}
