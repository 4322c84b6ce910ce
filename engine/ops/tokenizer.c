/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tokenizer (com.microsoft): the tokens of each string, [C] or [N,C] to a
 * further axis as long as the longest list; shorter ones end in pad_value.
 *
 * Tokens are the matches of `tokenexp`, or what lies between matches of
 * `separators`, both regular expressions; the one separator "" stands for
 * single characters. Those of fewer than mincharnum characters are left out.
 * With `mark`, each list begins with \x02 and ends with \x03, unless there is
 * no token at all. Where matches of separators begin at one place, the longest
 * counts. Source: ONNX Runtime's contributed operators.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel.h"
#include "engine/kernels/regex.h"
#include "engine/ops/text.h"

enum { SEPARATORS_MAX = 64 };

struct tokenizer_attrs {
	const char *pad_value, *tokenexp;
	struct attr_strings separators;
	int64_t mark, mincharnum;
};
/* clang-format off */
#define AT(member) .offset = offsetof(struct tokenizer_attrs, member)
static const struct op_attr attr_rows[] = {
	{ .name = "mark", .kind = ATTR_INT, .flags = ATTR_REQUIRED, .max = 1, AT(mark),
	  .help = "1: \\x02 before and \\x03 behind the tokens" },
	{ .name = "mincharnum", .kind = ATTR_INT, .flags = ATTR_REQUIRED, .min = 1,
	  .max = INT32_MAX, AT(mincharnum), .help = "characters of the shortest token" },
	{ .name = "pad_value", .kind = ATTR_STRING, .flags = ATTR_REQUIRED, AT(pad_value),
	  .help = "what fills up shorter lists" },
	{ .name = "separators", .kind = ATTR_STRINGS, AT(separators),
	  .help = "patterns of what lies between tokens" },
	{ .name = "tokenexp", .kind = ATTR_STRING, AT(tokenexp),
	  .help = "pattern of a token" },
	{ 0 },
};
/* clang-format on */

struct tokenizer {
	const struct tokenizer_attrs *attrs;
	bool is_chars, is_expression;
	unsigned n;
	struct regex *regex[SEPARATORS_MAX];
	void *scratch;
};

static void tokenizer_destroy(void *pointer)
{
	struct tokenizer *t = pointer;

	if (!t)
		return;
	for (unsigned i = 0; i < t->n; i++)
		regex_destroy(t->regex[i]);
	mem_free(t->scratch);
	mem_free(t);
}

static enum err_code compile(struct tokenizer *t, struct err *err)
{
	const struct tokenizer_attrs *a = t->attrs;
	enum err_code rc = ERR_NONE;

	if (t->is_expression) {
		const struct str pattern = { a->tokenexp, strlen(a->tokenexp) };

		t->n = 1;
		return regex_create(&pattern, false, "tokenexp", &t->regex[0],
				    err);
	}
	t->is_chars = a->separators.n == 1 && !a->separators.v[0].len;
	for (size_t i = 0; i < a->separators.n && !t->is_chars && !rc; i++) {
		rc = regex_create(&a->separators.v[i], false, "separators",
				  &t->regex[i], err);
		t->n += !rc;
	}
	return rc;
}

static enum err_code tokenizer_create(const struct tokenizer_attrs *attrs,
				      struct tokenizer **ret, struct err *err)
{
	const bool has_expression = attrs->tokenexp && *attrs->tokenexp;
	struct tokenizer *t;
	enum err_code rc;

	if (has_expression == (attrs->separators.n != 0) ||
	    attrs->separators.n > SEPARATORS_MAX)
		return err_set(err, ERR_INVALID,
			       "attributes: expected tokenexp or 1 to %d "
			       "separators, got %s and %zu",
			       SEPARATORS_MAX, has_expression ? "one" : "none",
			       attrs->separators.n);
	t = mem_zero(sizeof(*t));
	if (t)
		t->scratch = mem_aligned(REGEX_SCRATCH_BYTES);
	if (!t || !t->scratch) {
		mem_free(t);
		return err_set(err, ERR_NO_MEMORY, "no memory for patterns");
	}
	t->attrs = attrs;
	t->is_expression = has_expression;
	rc = compile(t, err);
	if (rc) {
		tokenizer_destroy(t);
		return rc;
	}
	*ret = t;
	return ERR_NONE;
}

/* The pieces of one string from left to right. */
struct walk {
	const struct tokenizer *t;
	const struct str *text;
	size_t at; /* past the end: there is no more */
	bool is_too_hard;
};

/* Bytes of the character that begins there. */
static size_t char_bytes(const struct str *text, size_t at)
{
	size_t n = 1;

	while (at + n < text->len && (text->bytes[at + n] & 0xC0) == 0x80)
		n++;
	return n;
}

static int64_t count_chars(const struct str *text)
{
	int64_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += (text->bytes[i] & 0xC0) != 0x80;
	return n;
}

/* The first match of any pattern at or after `from`, of some bytes. */
static bool find_match(struct walk *walk, size_t from, size_t *ret_first,
		       size_t *ret_last)
{
	bool found = false;

	for (unsigned i = 0; i < walk->t->n; i++) {
		size_t first = 0, last = 0, at = from;
		enum regex_answer answer;

		do {
			answer = regex_find(walk->t->regex[i], walk->text, at,
					    walk->t->scratch, &first, &last);
			at = first < walk->text->len
				 ? first + char_bytes(walk->text, first)
				 : walk->text->len + 1;
		} while (answer == REGEX_YES && first == last &&
			 at <= walk->text->len);
		walk->is_too_hard =
		    walk->is_too_hard || answer == REGEX_TOO_HARD;
		if (answer != REGEX_YES || first == last)
			continue;
		if (!found || first < *ret_first ||
		    (first == *ret_first && last > *ret_last)) {
			*ret_first = first;
			*ret_last = last;
		}
		found = true;
	}
	return found;
}

/* The next piece, which may be empty; false at the end. */
static bool next_piece(struct walk *walk, struct str *ret)
{
	const struct str *text = walk->text;
	const size_t from = walk->at;
	size_t first = text->len, last = text->len + 1;

	if (from > text->len || !text->len)
		return false;
	if (walk->t->is_chars) {
		walk->at += from < text->len ? char_bytes(text, from) : 1;
		*ret = (struct str){ text->bytes + from,
				     from < text->len ? walk->at - from : 0 };
		return from < text->len;
	}
	if (walk->t->is_expression) {
		if (!find_match(walk, from, &first, &last))
			return false;
		walk->at = last;
		*ret = (struct str){ text->bytes + first, last - first };
		return true;
	}
	(void)find_match(walk, from, &first, &last);
	walk->at = last;
	*ret = (struct str){ text->bytes + from, first - from };
	return true;
}

static bool next_token(struct walk *walk, struct str *ret)
{
	while (next_piece(walk, ret))
		if (count_chars(ret) >= walk->t->attrs->mincharnum)
			return true;
	return false;
}

static int64_t count_tokens(const struct tokenizer *t, const struct str *text)
{
	struct walk walk = { .t = t, .text = text };
	struct str token;
	int64_t n = 0;

	while (next_token(&walk, &token))
		n++;
	return n;
}

static enum err_code tokenizer_infer(struct infer *infer, struct err *err)
{
	const struct tokenizer_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct str *text = infer->in[0].value;
	const int64_t n = shape_count(x);
	struct shape *y = &infer->out[0].shape;
	struct tokenizer *t;
	int64_t most = 0;
	enum err_code rc;

	if (x->rank != 1 && x->rank != 2)
		return infer_fail(err,
				  "input 'X': expected [C] or [N,C], got rank "
				  "%u",
				  x->rank);
	rc = tokenizer_create(attrs, &t, err);
	if (rc)
		return rc;
	for (int64_t i = 0; i < n; i++) {
		const int64_t tokens = count_tokens(t, &text[i]);

		most = tokens > most ? tokens : most;
	}
	tokenizer_destroy(t);
	*y = *x;
	y->dim[y->rank++] = most && attrs->mark ? most + 2 : most;
	if (!n && x->rank == 1) /* as ONNX Runtime has it */
		*y = *x;
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static void tokenizer_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	static const struct str begin = { "\x02", 1 }, end = { "\x03", 1 };
	const struct tokenizer *t = call->bound;
	const struct shape *y = &call->query->out[0].shape;
	const int64_t most = y->dim[y->rank - 1];
	const int64_t n = shape_count(&call->query->in[0].shape);
	const struct str pad = { t->attrs->pad_value,
				 strlen(t->attrs->pad_value) };

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < n && most; i++) {
		struct walk walk = { .t = t,
				     .text =
					 (const struct str *)call->in[0] + i };
		struct str *to = (struct str *)call->out[0] + i * most;
		int64_t j = 0;

		if (t->attrs->mark)
			to[j++] = begin;
		while (j < most && next_token(&walk, &to[j]))
			j++;
		if (t->attrs->mark && j < most)
			to[j++] = end;
		while (j < most)
			to[j++] = pad;
		if (walk.is_too_hard)
			kernel_fault(call, i);
	}
}

static enum err_code tokenizer_bind(struct kernel_call *call, struct err *err)
{
	struct tokenizer *t;
	enum err_code rc = tokenizer_create(call->query->attrs, &t, err);

	if (!rc)
		call->bound = t;
	return rc;
}

static double tokenizer_cost(const struct kernel_query *query)
{
	return 0.05 + 0.5 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel tokenizer_kernel = {
	.name = "tokenizer",
	.flags = KERNEL_QUICK,
	.cost = tokenizer_cost,
	.bind = tokenizer_bind,
	.run = tokenizer_run,
	.unbind = tokenizer_destroy,
};

#define TOKENS(attrs) "y = com.microsoft.Tokenizer<pad_value=\"#\", " attrs ">"
static const struct op_case tokenizer_cases[] = {
	{ .name = "between separators",
	  .graph = TOKENS(
	      "mark=0, mincharnum=1, separators=[\"o\",\"r\"]") "(x:string[9]"
								")" },
	{ .name = "marked",
	  .graph = TOKENS(
	      "mark=1, mincharnum=2, separators=[\"[or]+\"]") "(x:string[3,3]"
							      ")" },
	{ .name = "characters",
	  .graph = TOKENS(
	      "mark=0, mincharnum=1, separators=[\"\"]") "(x:string[9])" },
	{ .name = "expression",
	  .graph = TOKENS(
	      "mark=0, mincharnum=1, tokenexp=\"[a-z3]+\"") "(x:string[3,3])" },
	{ .name = "matches of nothing",
	  .graph =
	      TOKENS("mark=1, mincharnum=1, tokenexp=\"r*\"") "(x:string[9])" },
	{ .name = "none",
	  .graph =
	      TOKENS("mark=1, mincharnum=9, tokenexp=\"a\"") "(x:string[9])" },
	{ .name = "nothing",
	  .graph = TOKENS(
	      "mark=0, mincharnum=1, tokenexp=\"a\"") "(x:string[0,3])" },
	{ .name = "both",
	  .graph = TOKENS("mark=0, mincharnum=1, tokenexp=\"a\", "
			  "separators=[\"b\"]") "(x:string[3])",
	  .want = ERR_INVALID },
	{ .name = "no pattern",
	  .graph =
	      TOKENS("mark=0, mincharnum=1, tokenexp=\"(\"") "(x:string[3])",
	  .want = ERR_INVALID },
	{ .name = "rank",
	  .graph =
	      TOKENS("mark=0, mincharnum=1, tokenexp=\"a\"") "(x:string[])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_tokenizer;

const struct op op_tokenizer = {
	.domain = "com.microsoft",
	.name = "Tokenizer",
	.help = "the tokens of each string",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE | OP_DYNAMIC,
	.in = (const struct port[]){ { "X", "string", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "string", 0 }, { 0 } },
	.attrs = attr_rows,
	.attrs_size = sizeof(struct tokenizer_attrs),
	.infer = tokenizer_infer,
	.kernels = (const struct kernel *const[]){ &tokenizer_kernel, NULL },
	.cases = tokenizer_cases,
};
