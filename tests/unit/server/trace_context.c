/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace_context.h"

#include <criterion/criterion.h>

Test(trace_context, reads_what_the_recommendation_allows)
{
	struct trace_context context;

	trace_context_parse(
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	    &context);
	cr_assert_str_eq(context.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
	cr_assert_str_eq(context.parent, "00f067aa0ba902b7");
	cr_assert(context.is_sampled);
	trace_context_parse(
	    "42-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-aa-more",
	    &context);
	cr_assert_str_eq(context.parent, "00f067aa0ba902b7");
	cr_assert(!context.is_sampled);
}

Test(trace_context, takes_nothing_from_what_is_broken)
{
	static const char *const broken[] = {
		"",
		"00",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	};
	struct trace_context context;

	trace_context_parse(NULL, &context);
	cr_assert_str_empty(context.trace);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		trace_context_parse(broken[i], &context);
		cr_assert_str_empty(context.trace, "%s", broken[i]);
	}
}
