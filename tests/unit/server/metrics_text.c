/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_text.h"

#include <criterion/criterion.h>

Test(metrics_text, escapes_labels)
{
	char text[32];

	cr_assert_str_eq(metrics_text_label("a\"b\\c\nd", text, sizeof(text)),
			 "a\\\"b\\\\c\\nd");
	cr_assert_lt(strlen(metrics_text_label("0123456789", text, 8)), 8);
}

Test(metrics_text, cumulates_buckets_and_writes_seconds)
{
	struct histogram h;
	struct buf buf;

	histogram_init(&h, &histogram_request_times);
	histogram_observe(&h, 400000);	    /* 0.4 ms */
	histogram_observe(&h, 500000);	    /* on the bound: inside */
	histogram_observe(&h, 3000000);	    /* 3 ms */
	histogram_observe(&h, 20000000000); /* 20 s */
	buf_init(&buf, 1 << 16);
	metrics_text_histogram(&buf, "t", "a=\"b\"", &h);
	cr_assert(strstr(buf.data, "t_bucket{a=\"b\",le=\"0.0005\"} 2\n"));
	cr_assert(strstr(buf.data, "t_bucket{a=\"b\",le=\"0.005\"} 3\n"));
	cr_assert(strstr(buf.data, "t_bucket{a=\"b\",le=\"10.0\"} 3\n"));
	cr_assert(strstr(buf.data, "t_bucket{a=\"b\",le=\"+Inf\"} 4\n"));
	cr_assert(strstr(buf.data, "t_count{a=\"b\"} 4\n"));
	cr_assert(strstr(buf.data, "t_sum{a=\"b\"} 20.0039"), "%s", buf.data);
	buf_finish(&buf);
}
