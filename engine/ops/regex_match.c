/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RegexFullMatch: whether the whole of each string matches a pattern, in RE2's
 * syntax (engine/kernels/regex.h). A string that is too hard to judge within
 * the bounds is a bad value.
 */
#include <string.h>

#include "engine/kernel.h"
#include "engine/kernels/regex.h"

struct regex_attrs {
	const char *pattern;
};
static const struct op_attr regex_attr_rows[] = {
	{ .name = "pattern",
	  .help = "regular expression, in RE2's syntax",
	  .offset = offsetof(struct regex_attrs, pattern),
	  .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED },
	{ 0 },
};

static enum err_code make_regex(const struct regex_attrs *attrs,
				struct regex **ret, struct err *err)
{
	const struct str pattern = { attrs->pattern, strlen(attrs->pattern) };

	return regex_create(&pattern, true, "pattern", ret, err);
}

static enum err_code regex_infer(struct infer *infer, struct err *err)
{
	struct regex *regex;
	enum err_code rc = make_regex(infer->attrs, &regex, err);

	if (rc)
		return rc;
	regex_destroy(regex);
	return infer_same(infer, err);
}

static enum err_code regex_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	(void)query;
	(void)err;
	ret->scratch_bytes = REGEX_SCRATCH_BYTES;
	return ERR_NONE;
}

static enum err_code regex_bind(struct kernel_call *call, struct err *err)
{
	struct regex *regex;
	enum err_code rc = make_regex(call->query->attrs, &regex, err);

	if (!rc)
		call->bound = regex;
	return rc;
}

static void regex_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	const struct str *x = call->in[0];
	bool *y = call->out[0];

	(void)slice;
	for (int64_t i = 0; i < n; i++) {
		const enum regex_answer answer =
		    regex_match(call->bound, &x[i], scratch);

		y[i] = answer == REGEX_YES;
		if (answer == REGEX_TOO_HARD)
			kernel_fault(call, i);
	}
}

static void regex_unbind(void *bound)
{
	regex_destroy(bound);
}

static double regex_cost(const struct kernel_query *query)
{
	return 0.05 + 0.5 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel regex_kernel = {
	.name = "regex_full_match.pcre2",
	.flags = KERNEL_QUICK,
	.cost = regex_cost,
	.prepare = regex_prepare,
	.bind = regex_bind,
	.run = regex_run,
	.unbind = regex_unbind,
};

static const struct op_case regex_cases[] = {
	{ .name = "letters",
	  .graph = "y = RegexFullMatch<pattern=\"[a-z]+\">(x:string[3,5])" },
	{ .name = "alternatives",
	  .graph =
	      "y = RegexFullMatch<pattern=\"(?P<n>a|word)?\">(x:string[9])" },
	{ .name = "a pattern that makes others backtrack",
	  .graph =
	      "y = "
	      "RegexFullMatch<pattern=\"(a*)*(a*)*(w*o*r*)*b\">(x:string[9])" },
	{ .name = "scalar",
	  .graph = "y = RegexFullMatch<pattern=\"\">(x:string[])" },
	{ .name = "nothing",
	  .graph = "y = RegexFullMatch<pattern=\"a\">(x:string[0])" },
	{ .name = "no pattern",
	  .graph = "y = RegexFullMatch<pattern=\"(a\">(x:string[2])",
	  .want = ERR_INVALID },
	{ .name = "a back reference",
	  .graph =
	      "y = RegexFullMatch<pattern=\"(?P<n>a)(?P=n)\">(x:string[2])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_regex_full_match;

const struct op op_regex_full_match = {
	.domain = "",
	.name = "RegexFullMatch",
	.help = "whether all of a string matches a pattern",
	.since = 20,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = (const struct port[]){ { "X", "string", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "bool", 0 }, { 0 } },
	.attrs = regex_attr_rows,
	.attrs_size = sizeof(struct regex_attrs),
	.infer = regex_infer,
	.kernels = (const struct kernel *const[]){ &regex_kernel, NULL },
	.cases = regex_cases,
};
