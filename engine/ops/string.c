/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Strings made of strings.
 *
 * StringConcat: z = x followed by y, broadcast. StringNormalizer: leaves out
 * stop words, then changes case; what is left of [C] or [1,C] has its own
 * shape, and one empty string stands for nothing at all. StringSplit: each
 * string cut at a delimiter, or at runs of white space; the longest list gives
 * the last extent, shorter ones end in empty strings.
 *
 * Pieces of a string are borrowed from it; only joined and changed ones take
 * bytes of the run's heap.
 */
#include "engine/kernel.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/text.h"

static const struct str empty = { "", 0 };

static double text_cost(const struct kernel_query *query)
{
	return 0.05 + 0.05 * (double)shape_count(&query->out[0].shape);
}

/* StringConcat */

static struct str join(const struct kernel_call *call, int64_t at,
		       const struct str *x, const struct str *y)
{
	char *bytes;

	if (!x->len || !y->len)
		return x->len ? *x : *y;
	bytes = kernel_text(call, at, x->len + y->len);
	if (!bytes)
		return empty;
	memcpy(bytes, x->bytes, x->len);
	memcpy(bytes + x->len, y->bytes, y->len);
	return (struct str){ bytes, x->len + y->len };
}

static void concat_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *out = &query->out[0].shape;
	const struct str *x = call->in[0], *y = call->in[1];
	struct str *z = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(out), call->n_slices, slice, &first, &last);
	for (int64_t at = first; at < last; at++)
		z[at] = join(call, at,
			     x + broadcast_index(out, &query->in[0].shape, at),
			     y + broadcast_index(out, &query->in[1].shape, at));
}

static const struct kernel concat_kernel = {
	.name = "string_concat",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_TEXT,
	.cost = text_cost,
	.prepare = elementwise_prepare,
	.run = concat_run,
};

/* StringNormalizer */

struct normalizer_attrs {
	const char *case_change_action, *locale;
	int64_t is_case_sensitive;
	struct attr_strings stopwords;
};
static const struct op_attr normalizer_attr_rows[] = {
	{ .name = "case_change_action",
	  .help = "LOWER, UPPER or NONE, after stop words have gone",
	  .offset = offsetof(struct normalizer_attrs, case_change_action),
	  .kind = ATTR_STRING,
	  .def_text = "NONE" },
	{ .name = "is_case_sensitive",
	  .help = "whether a stop word must have the same case",
	  .offset = offsetof(struct normalizer_attrs, is_case_sensitive),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ .name = "locale",
	  .help = "is not looked at: case goes by Unicode",
	  .offset = offsetof(struct normalizer_attrs, locale),
	  .kind = ATTR_STRING },
	{ .name = "stopwords",
	  .help = "strings that are left out",
	  .offset = offsetof(struct normalizer_attrs, stopwords),
	  .kind = ATTR_STRINGS },
	{ 0 },
};

static bool find_action(const struct normalizer_attrs *attrs,
			enum text_case *ret)
{
	static const char *const names[] = { "NONE", "LOWER", "UPPER" };

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(attrs->case_change_action, names[i]) == 0) {
			*ret = (enum text_case)i;
			return true;
		}
	return false;
}

static bool is_stop_word(const struct normalizer_attrs *attrs, locale_t locale,
			 const struct str *text)
{
	for (size_t i = 0; i < attrs->stopwords.n; i++) {
		const struct str *word = &attrs->stopwords.v[i];

		if (attrs->is_case_sensitive
			? text_equal(text, word)
			: text_equal_folded(text, word, locale))
			return true;
	}
	return false;
}

static int64_t count_kept(const struct normalizer_attrs *attrs,
			  const struct str *text, int64_t n)
{
	const locale_t locale = text_case_open();
	int64_t kept = 0;

	for (int64_t i = 0; i < n; i++)
		kept += !is_stop_word(attrs, locale, &text[i]);
	text_case_close(locale);
	return kept;
}

static enum err_code normalizer_infer(struct infer *infer, struct err *err)
{
	const struct normalizer_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	enum text_case action;
	char text[SHAPE_MAX_RANK * 16];
	int64_t kept;

	if (!find_action(attrs, &action))
		return err_set(err, ERR_INVALID,
			       "attribute 'case_change_action': expected "
			       "LOWER, UPPER or NONE, got '%s'",
			       attrs->case_change_action);
	if (x->rank < 1 || x->rank > 2 || (x->rank == 2 && x->dim[0] != 1))
		return infer_fail(err,
				  "input 'X': expected shape [C] or [1,C], "
				  "got %s",
				  shape_text(x, text, sizeof(text)));
	kept = count_kept(attrs, infer->in[0].value, x->dim[x->rank - 1]);
	*y = *x;
	y->dim[x->rank - 1] = kept ? kept : 1;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static struct str change(const struct kernel_call *call, int64_t at,
			 const struct str *text, enum text_case action,
			 locale_t locale)
{
	const size_t len = text_change(text, action, locale, NULL);
	char *bytes = NULL;

	if (action == TEXT_CASE_SAME || !len)
		return *text;
	bytes = kernel_text(call, at, len);
	if (!bytes)
		return empty;
	(void)text_change(text, action, locale, bytes);
	return (struct str){ bytes, len };
}

static void normalizer_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct normalizer_attrs *attrs = call->query->attrs;
	const locale_t locale = call->bound;
	const int64_t n = shape_count(&call->query->in[0].shape);
	const struct str *x = call->in[0];
	struct str *y = call->out[0];
	enum text_case action = TEXT_CASE_SAME;
	int64_t kept = 0;

	(void)slice;
	(void)scratch;
	(void)find_action(attrs, &action);
	for (int64_t i = 0; i < n; i++) {
		if (is_stop_word(attrs, locale, &x[i]))
			continue;
		y[kept] = change(call, i, &x[i], action, locale);
		kept++;
	}
	if (!kept)
		y[0] = empty;
}

static enum err_code open_case(struct kernel_call *call, struct err *err)
{
	(void)err;
	call->bound = text_case_open();
	return ERR_NONE;
}

static void close_case(void *bound)
{
	text_case_close(bound);
}

static const struct kernel normalizer_kernel = {
	.name = "string_normalizer",
	.flags = KERNEL_QUICK | KERNEL_TEXT,
	.cost = text_cost,
	.bind = open_case,
	.run = normalizer_run,
	.unbind = close_case,
};

/* StringSplit */

struct split_attrs {
	const char *delimiter;
	int64_t maxsplit;
};
static const struct op_attr split_attr_rows[] = {
	{ .name = "delimiter",
	  .help = "where strings are cut; none or an empty one: white space",
	  .offset = offsetof(struct split_attrs, delimiter),
	  .kind = ATTR_STRING },
	{ .name = "maxsplit",
	  .help = "the most cuts of a string; the rest stays whole; -1: any",
	  .offset = offsetof(struct split_attrs, maxsplit),
	  .kind = ATTR_INT,
	  .min = -1,
	  .max = INT32_MAX,
	  .def = -1 },
	{ 0 },
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') ||
	       (c >= '\x1c' && c <= '\x1f');
}

/* The pieces of one string, from left to right. */
struct cutter {
	struct str rest;
	struct str delimiter; /* len 0: white space */
	int64_t cuts_left;    /* negative: any number */
	bool is_done;
};

static void skip_space(struct str *rest)
{
	while (rest->len && is_space(*rest->bytes)) {
		rest->bytes++;
		rest->len--;
	}
}

static struct cutter cutter_of(const struct split_attrs *attrs,
			       const struct str *text)
{
	const char *delimiter = attrs->delimiter ? attrs->delimiter : "";
	struct cutter cutter = {
		.rest = *text,
		.delimiter = { delimiter, strlen(delimiter) },
		.cuts_left = attrs->maxsplit,
	};

	if (!cutter.delimiter.len) {
		skip_space(&cutter.rest);
		while (cutter.rest.len && attrs->maxsplit != 0 &&
		       is_space(cutter.rest.bytes[cutter.rest.len - 1]))
			cutter.rest.len--;
		cutter.is_done = !cutter.rest.len;
	}
	return cutter;
}

/* Length of the next piece; *ret_skip: bytes of what ends it, 0 for none. */
static size_t piece_len(const struct cutter *cutter, size_t *ret_skip)
{
	const struct str *rest = &cutter->rest;
	const char *hit = NULL;
	size_t len = 0;

	*ret_skip = 0;
	if (!cutter->cuts_left || !rest->len)
		return rest->len;
	if (cutter->delimiter.len) {
		hit = memmem(rest->bytes, rest->len, cutter->delimiter.bytes,
			     cutter->delimiter.len);
		*ret_skip = hit ? cutter->delimiter.len : 0;
		return hit ? (size_t)(hit - rest->bytes) : rest->len;
	}
	while (len < rest->len && !is_space(rest->bytes[len]))
		len++;
	*ret_skip = len < rest->len;
	return len;
}

/* False when there is no further piece. */
static bool cut_next(struct cutter *cutter, struct str *ret)
{
	size_t len, skip;

	if (cutter->is_done)
		return false;
	len = piece_len(cutter, &skip);
	*ret = (struct str){ cutter->rest.bytes, len };
	cutter->is_done = !skip;
	if (!skip)
		return true;
	cutter->rest.bytes += len + skip;
	cutter->rest.len -= len + skip;
	if (!cutter->delimiter.len)
		skip_space(&cutter->rest);
	if (cutter->cuts_left > 0)
		cutter->cuts_left--;
	return true;
}

static int64_t count_pieces(const struct split_attrs *attrs,
			    const struct str *text)
{
	struct cutter cutter = cutter_of(attrs, text);
	struct str piece;
	int64_t n = 0;

	while (cut_next(&cutter, &piece))
		n++;
	return n;
}

static enum err_code split_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	const struct str *text = infer->in[0].value;
	const int64_t n = shape_count(x);
	struct shape *y = &infer->out[0].shape;
	int64_t most = 0;

	if (x->rank == SHAPE_MAX_RANK)
		return infer_fail(err,
				  "input 'X': expected a rank below %d, got %u",
				  SHAPE_MAX_RANK, x->rank);
	for (int64_t i = 0; i < n; i++) {
		const int64_t pieces = count_pieces(infer->attrs, &text[i]);

		most = pieces > most ? pieces : most;
	}
	*y = *x;
	y->dim[y->rank++] = most;
	infer->out[0].has_shape = true;
	if (infer->n_out > 1) {
		infer->out[1].shape = *x;
		infer->out[1].has_shape = true;
	}
	return shape_check(y, "output 'Y'", err);
}

static void split_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *y = &query->out[0].shape;
	const int64_t most = y->dim[y->rank - 1];
	const struct str *text = call->in[0];
	int64_t *counts = query->n_out > 1 ? call->out[1] : NULL;
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&query->in[0].shape), call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first; i < last; i++) {
		struct cutter cutter = cutter_of(query->attrs, &text[i]);
		struct str *to =
		    call->out[0] ? (struct str *)call->out[0] + i * most : NULL;
		struct str piece;
		int64_t n = 0;

		for (; n < most && cut_next(&cutter, &piece); n++)
			if (to)
				to[n] = piece;
		if (counts)
			counts[i] = n;
		for (; to && n < most; n++)
			to[n] = empty;
	}
}

static const struct kernel split_kernel = {
	.name = "string_split",
	.flags = KERNEL_QUICK,
	.cost = text_cost,
	.run = split_run,
};

static const struct op_case concat_cases[] = {
	{ .name = "same shape",
	  .graph = "z = StringConcat(x:string[3,5], y:string[3,5])" },
	{ .name = "broadcast",
	  .graph = "z = StringConcat(x:string[3,1], y:string[5])" },
	{ .name = "scalars",
	  .graph = "z = StringConcat(x:string[], y:string[])" },
	{ .name = "twice",
	  .graph =
	      "z = StringConcat(StringConcat(x:string[4], y:string[]), x)" },
	{ .name = "nothing",
	  .graph = "z = StringConcat(x:string[0,3], y:string[3])" },
	{ .name = "shapes that do not meet",
	  .graph = "z = StringConcat(x:string[4], y:string[3])",
	  .want = ERR_SHAPE },
	{ .name = "numbers",
	  .graph = "z = StringConcat(x:float[4], y:float[4])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case normalizer_cases[] = {
	{ .name = "upper",
	  .graph =
	      "y = "
	      "StringNormalizer<case_change_action=\"UPPER\">(x:string[9])" },
	{ .name = "lower, without words",
	  .graph = "y = StringNormalizer<case_change_action=\"LOWER\", "
		   "stopwords=[\"A\",\"word\"]>(x:string[1,9])" },
	{ .name = "case counts",
	  .graph = "y = StringNormalizer<is_case_sensitive=1, "
		   "stopwords=[\"A\",\"word\"]>(x:string[9])" },
	{ .name = "all are left out",
	  .graph = "y = "
		   "StringNormalizer<stopwords=[\"\",\"A\",\"B\",\"3.5\","
		   "\"word\"]>(x:string[1,9])" },
	{ .name = "nothing", .graph = "y = StringNormalizer(x:string[0])" },
	{ .name = "rows",
	  .graph = "y = StringNormalizer(x:string[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "an unknown case",
	  .graph =
	      "y = StringNormalizer<case_change_action=\"TITLE\">(x:string[3])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case split_cases[] = {
	{ .name = "white space",
	  .graph =
	      "y, n = StringSplit(StringConcat(StringConcat(x:string[3,2], "
	      "s:string[]), x))" },
	{ .name = "delimiter",
	  .graph = "y, n = StringSplit<delimiter=\"r\">(x:string[9])" },
	{ .name = "one cut",
	  .graph =
	      "y, n = StringSplit<delimiter=\".\", maxsplit=1>(x:string[9])" },
	{ .name = "no cut",
	  .graph = "y, n = StringSplit<maxsplit=0>(x:string[9])" },
	{ .name = "scalar", .graph = "y, n = StringSplit(x:string[])" },
	{ .name = "nothing", .graph = "y, n = StringSplit(x:string[0,2])" },
	{ .name = "rank",
	  .graph = "y, n = StringSplit(x:string[1,1,1,1,1,1,1,1])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_string_concat, op_string_normalizer, op_string_split;

const struct op op_string_concat = {
	.domain = "",
	.name = "StringConcat",
	.help = "X followed by Y",
	.since = 20,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = (const struct port[]){ { "X", "string", 0 },
				     { "Y", "string", 0 },
				     { 0 } },
	.out = (const struct port[]){ { "Z", "string", 0 }, { 0 } },
	.infer = infer_broadcast,
	.kernels = (const struct kernel *const[]){ &concat_kernel, NULL },
	.cases = concat_cases,
};

const struct op op_string_normalizer = {
	.domain = "",
	.name = "StringNormalizer",
	.help = "strings without stop words, in one case",
	.since = 10,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE | OP_DYNAMIC,
	.in = (const struct port[]){ { "X", "string", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "string", 0 }, { 0 } },
	.attrs = normalizer_attr_rows,
	.attrs_size = sizeof(struct normalizer_attrs),
	.infer = normalizer_infer,
	.kernels = (const struct kernel *const[]){ &normalizer_kernel, NULL },
	.cases = normalizer_cases,
};

const struct op op_string_split = {
	.domain = "",
	.name = "StringSplit",
	.help = "the pieces of each string, and how many there are",
	.since = 20,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE | OP_DYNAMIC,
	.in = (const struct port[]){ { "X", "string", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "string", 0 },
				      { "Z", "int64", PORT_OPTIONAL },
				      { 0 } },
	.attrs = split_attr_rows,
	.attrs_size = sizeof(struct split_attrs),
	.infer = split_infer,
	.kernels = (const struct kernel *const[]){ &split_kernel, NULL },
	.cases = split_cases,
};
