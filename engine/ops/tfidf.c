/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * TfIdfVectorizer: how often each n-gram of a pool occurs in each row.
 *
 * An n-gram's tokens stand d apart, d from 1 to max_skip_count + 1; single
 * tokens count once. Y[ngram_indexes[i]] is the count of n-gram i (TF), its
 * weight where it occurs (IDF), or the product of both (TFIDF). Rows are [C],
 * [N,C] or a scalar.
 *
 * The pool becomes a trie: an edge is (node, token), a token the number of
 * its string or integer in the pool; both are found by hashing.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel.h"
#include "engine/ops/lookup.h"

struct tfidf_attrs {
	const char *mode;
	int64_t max_gram_length, max_skip_count, min_gram_length;
	struct attr_ints ngram_counts, ngram_indexes, pool_int64s;
	struct attr_strings pool_strings;
	struct attr_floats weights;
};
#define AT(member) .offset = offsetof(struct tfidf_attrs, member)
static const struct op_attr attr_rows[] = {
	{ .name = "mode",
	  .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED,
	  AT(mode),
	  .help = "TF, IDF or TFIDF" },
	{ .name = "max_gram_length",
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX,
	  AT(max_gram_length),
	  .help = "most tokens of an n-gram" },
	{ .name = "min_gram_length",
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = INT32_MAX,
	  AT(min_gram_length),
	  .help = "least tokens of an n-gram" },
	{ .name = "max_skip_count",
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .max = INT32_MAX,
	  AT(max_skip_count),
	  .help = "most tokens left out between two of an n-gram" },
	{ .name = "ngram_counts",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  .max = INT32_MAX,
	  AT(ngram_counts),
	  .help = "where n-grams of 1, 2 ... tokens begin in the pool" },
	{ .name = "ngram_indexes",
	  .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED,
	  .max = INT32_MAX - 1,
	  AT(ngram_indexes),
	  .help = "each n-gram's place in the result" },
	{ .name = "pool_int64s",
	  .kind = ATTR_INTS,
	  AT(pool_int64s),
	  .help = "n-grams, one after the other" },
	{ .name = "pool_strings",
	  .kind = ATTR_STRINGS,
	  AT(pool_strings),
	  .help = "n-grams, one after the other" },
	{ .name = "weights",
	  .kind = ATTR_FLOATS,
	  AT(weights),
	  .help = "of each n-gram; none: 1" },
	{ 0 },
};

enum mode { MODE_TF, MODE_IDF, MODE_TFIDF, MODE_UNKNOWN };

static enum mode mode_of(const struct tfidf_attrs *attrs)
{
	static const char *const names[] = { "TF", "IDF", "TFIDF" };
	unsigned i = 0;

	while (i < MODE_UNKNOWN && strcmp(attrs->mode, names[i]) != 0)
		i++;
	return (enum mode)i;
}

static size_t pool_size(const struct tfidf_attrs *attrs)
{
	return attrs->pool_strings.n ? attrs->pool_strings.n
				     : attrs->pool_int64s.n;
}

/* Where n-grams of n tokens begin and end in the pool. */
static void section(const struct tfidf_attrs *attrs, size_t n,
		    int64_t *ret_first, int64_t *ret_last)
{
	const struct attr_ints *counts = &attrs->ngram_counts;

	*ret_first = counts->v[n - 1];
	*ret_last = n < counts->n ? counts->v[n] : (int64_t)pool_size(attrs);
}

static enum err_code check_pool(const struct tfidf_attrs *attrs,
				struct err *err)
{
	const struct attr_ints *counts = &attrs->ngram_counts;
	int64_t n_grams = 0;

	for (size_t n = 1; n <= counts->n; n++) {
		int64_t first, last;

		section(attrs, n, &first, &last);
		if (first > last || (last - first) % (int64_t)n)
			return err_set(err, ERR_INVALID,
				       "attribute 'ngram_counts': expected a "
				       "whole number of n-grams of %zu tokens, "
				       "got tokens %lld to %lld",
				       n, (long long)first, (long long)last);
		n_grams += (last - first) / (int64_t)n;
	}
	if ((size_t)n_grams != attrs->ngram_indexes.n)
		return err_set(err, ERR_INVALID,
			       "attribute 'ngram_indexes': expected %lld, one "
			       "an n-gram, got %zu",
			       (long long)n_grams, attrs->ngram_indexes.n);
	if (attrs->weights.n && attrs->weights.n != attrs->ngram_indexes.n)
		return err_set(err, ERR_INVALID,
			       "attribute 'weights': expected %zu, one an "
			       "n-gram, got %zu",
			       attrs->ngram_indexes.n, attrs->weights.n);
	return ERR_NONE;
}

static enum err_code check_attrs(const struct infer *infer, struct err *err)
{
	const struct tfidf_attrs *attrs = infer->attrs;
	const bool text = infer->in[0].type.elem == DTYPE_STRING;

	if (mode_of(attrs) == MODE_UNKNOWN)
		return err_set(err, ERR_INVALID,
			       "attribute 'mode': expected TF, IDF or TFIDF, "
			       "got '%s'",
			       attrs->mode);
	if ((attrs->pool_strings.n != 0) == (attrs->pool_int64s.n != 0) ||
	    text != (attrs->pool_strings.n != 0))
		return err_set(err, ERR_INVALID,
			       "attributes: expected %s alone, for input 'X' "
			       "of %s",
			       text ? "pool_strings" : "pool_int64s",
			       dtype_info(infer->in[0].type.elem)->name);
	if (!attrs->ngram_indexes.n || !attrs->ngram_counts.n ||
	    attrs->ngram_counts.v[0] != 0)
		return err_set(err, ERR_INVALID,
			       "attributes 'ngram_indexes' and 'ngram_counts': "
			       "expected at least one n-gram, counted from 0");
	if (attrs->min_gram_length > attrs->max_gram_length)
		return err_set(err, ERR_INVALID,
			       "attribute 'min_gram_length': expected at most "
			       "max_gram_length, %lld, got %lld",
			       (long long)attrs->max_gram_length,
			       (long long)attrs->min_gram_length);
	return check_pool(attrs, err);
}

static enum err_code infer_tfidf(struct infer *infer, struct err *err)
{
	const struct tfidf_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	int64_t width = 0;
	enum err_code rc = check_attrs(infer, err);

	if (rc)
		return rc;
	if (x->rank > 2)
		return infer_fail(err,
				  "input 'X': expected [C] or [N,C], got "
				  "rank %u",
				  x->rank);
	for (size_t i = 0; i < attrs->ngram_indexes.n; i++)
		if (attrs->ngram_indexes.v[i] >= width)
			width = attrs->ngram_indexes.v[i] + 1;
	*y = (struct shape){ .rank = 1, .dim = { width } };
	if (x->rank == 2)
		*y = (struct shape){ .rank = 2, .dim = { x->dim[0], width } };
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

/* The trie. Node 0 is the root, node i + 1 the end of edge i. */
struct trie {
	struct lookup *tokens, *edges;
	uint64_t *edge;	 /* node << 32 | token */
	int32_t *n_gram; /* by edge: 1 + the n-gram that ends there, or 0 */
	size_t n_edges;
};

static void trie_destroy(void *pointer)
{
	struct trie *trie = pointer;

	if (!trie)
		return;
	lookup_destroy(trie->tokens);
	lookup_destroy(trie->edges);
	mem_free(trie->edge);
	mem_free(trie->n_gram);
	mem_free(trie);
}

static enum err_code trie_alloc(const struct tfidf_attrs *attrs,
				struct trie *trie, struct err *err)
{
	const bool text = attrs->pool_strings.n;
	const size_t n = pool_size(attrs);
	enum err_code rc;

	trie->edge = mem_array(n + 1, sizeof(*trie->edge));
	trie->n_gram = mem_array(n + 1, sizeof(*trie->n_gram));
	if (!trie->edge || !trie->n_gram)
		return err_set(err, ERR_NO_MEMORY, "no memory for %zu tokens",
			       n);
	rc = lookup_create_full(text ? DTYPE_STRING : DTYPE_I64,
				text ? (const void *)attrs->pool_strings.v
				     : attrs->pool_int64s.v,
				n, &trie->tokens, err);
	if (!rc)
		rc = lookup_create(DTYPE_U64, trie->edge, n, &trie->edges, err);
	return rc;
}

static uint64_t edge_of(uint64_t node, int64_t token)
{
	return node << 32 | (uint64_t)token;
}

static void trie_add(struct trie *trie, const struct tfidf_attrs *attrs,
		     size_t first, size_t n, int32_t n_gram)
{
	uint64_t node = 0;
	int64_t edge = -1;

	for (size_t i = first; i < first + n; i++) {
		const void *item = attrs->pool_strings.n
				       ? (const void *)&attrs->pool_strings.v[i]
				       : &attrs->pool_int64s.v[i];
		const uint64_t key =
		    edge_of(node, lookup_find(trie->tokens, item));

		edge = lookup_find(trie->edges, &key);
		if (edge < 0) {
			edge = (int64_t)trie->n_edges++;
			trie->edge[edge] = key;
			lookup_add(trie->edges, (size_t)edge);
		}
		node = (uint64_t)edge + 1;
	}
	if (edge >= 0)
		trie->n_gram[edge] = n_gram + 1;
}

static void trie_fill(struct trie *trie, const struct tfidf_attrs *attrs)
{
	int32_t n_gram = 0;

	for (size_t n = 1; n <= attrs->ngram_counts.n; n++) {
		const bool wanted = (int64_t)n >= attrs->min_gram_length &&
				    (int64_t)n <= attrs->max_gram_length;
		int64_t first, last;

		section(attrs, n, &first, &last);
		for (; first < last; first += (int64_t)n, n_gram++)
			if (wanted)
				trie_add(trie, attrs, (size_t)first, n, n_gram);
	}
}

static enum err_code trie_create(const struct tfidf_attrs *attrs,
				 struct trie **ret, struct err *err)
{
	struct trie *trie = mem_zero(sizeof(*trie));
	enum err_code rc;

	if (!trie)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = trie_alloc(attrs, trie, err);
	if (rc) {
		trie_destroy(trie);
		return rc;
	}
	trie_fill(trie, attrs);
	*ret = trie;
	return ERR_NONE;
}

struct row {
	const struct tfidf_attrs *attrs;
	const struct trie *trie;
	enum dtype elem;
	const char *x; /* of the row */
	int64_t n;
	float *y;
	enum mode mode;
};

static int64_t token_at(const struct row *row, int64_t i)
{
	const void *element = row->x + (size_t)i * dtype_info(row->elem)->size;
	int64_t wide;

	if (row->elem != DTYPE_I32)
		return lookup_find(row->trie->tokens, element);
	wide = *(const int32_t *)element;
	return lookup_find(row->trie->tokens, &wide);
}

static void count(const struct row *row, int32_t n_gram)
{
	const struct tfidf_attrs *attrs = row->attrs;
	float *y = &row->y[attrs->ngram_indexes.v[n_gram]];
	const float weight = attrs->weights.n && row->mode != MODE_TF
				 ? attrs->weights.v[n_gram]
				 : 1.0F;

	*y = row->mode == MODE_IDF ? weight : *y + weight;
}

/* The n-grams of at least `least` tokens that begin at `at`, `step` apart. */
static void count_from(const struct row *row, int64_t at, int64_t step,
		       int64_t least)
{
	uint64_t node = 0;

	for (int64_t n = 1; n <= row->attrs->max_gram_length && at < row->n;
	     n++, at += step) {
		const int64_t token = token_at(row, at);
		const uint64_t key = edge_of(node, token);
		const int64_t edge =
		    token < 0 ? -1 : lookup_find(row->trie->edges, &key);

		if (edge < 0)
			return;
		if (n >= least && row->trie->n_gram[edge])
			count(row, row->trie->n_gram[edge] - 1);
		node = (uint64_t)edge + 1;
	}
}

static void count_row(const struct row *row)
{
	int64_t least = row->attrs->min_gram_length;
	const int64_t last = row->attrs->max_skip_count + 1;

	for (int64_t step = 1; step <= last; step++) {
		/* no n-gram is that wide, and the next steps are wider */
		if (least > 1 && step > row->n)
			return;
		for (int64_t at = 0; at < row->n; at++) {
			if (step * (least - 1) >= row->n - at)
				break;
			count_from(row, at, step, least);
		}
		if (least == 1 && ++least > row->attrs->max_gram_length)
			return;
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *x = &query->in[0].shape;
	const struct shape *y = &query->out[0].shape;
	const int64_t n_rows = x->rank == 2 ? x->dim[0] : 1;
	const size_t size = dtype_info(query->in[0].type.elem)->size;
	struct row row = {
		.attrs = query->attrs,
		.trie = call->state ? call->state : call->bound,
		.elem = query->in[0].type.elem,
		.n = x->rank ? x->dim[x->rank - 1] : 1,
		.mode = mode_of(query->attrs),
	};
	const int64_t width = y->dim[y->rank - 1];
	int64_t first, last;

	(void)scratch;
	kernel_slice(n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		row.x = (const char *)call->in[0] + (size_t)(i * row.n) * size;
		row.y = (float *)call->out[0] + i * width;
		memset(row.y, 0, (size_t)width * sizeof(*row.y));
		count_row(&row);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	const int64_t n_rows = x->rank == 2 ? x->dim[0] : 1;
	struct trie *trie;
	enum err_code rc = trie_create(query->attrs, &trie, err);

	if (rc)
		return rc;
	ret->state = trie;
	ret->n_slices = query->want_slices < 1 ? 1 : query->want_slices;
	if (ret->n_slices > n_rows)
		ret->n_slices = n_rows ? (unsigned)n_rows : 1;
	return ERR_NONE;
}

static enum err_code bind(struct kernel_call *call, struct err *err)
{
	struct trie *trie;
	enum err_code rc = trie_create(call->query->attrs, &trie, err);

	if (!rc)
		call->bound = trie;
	return rc;
}

static double cost(const struct kernel_query *query)
{
	return 0.05 + 0.1 * (double)shape_count(&query->in[0].shape) +
	       1e-4 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel shared = {
	.name = "tfidf",
	.flags = KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = trie_destroy,
};
static const struct kernel reference = {
	.name = "tfidf.reference",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.bind = bind,
	.run = run,
	.unbind = trie_destroy,
};

#define TFIDF(mode, more) "y = TfIdfVectorizer<mode=\"" mode "\", " more ">"
#define GRAMS "ngram_counts=[0,2], ngram_indexes=[2,0,4], pool_int64s=[1,2,1,3]"
static const struct op_case tfidf_cases[] = {
	{ .name = "counts",
	  .graph = TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=2, "
				     "max_skip_count=0") "(x:int64[3,27])" },
	{ .name = "skips",
	  .graph =
	      TFIDF("TFIDF", GRAMS
		    ", min_gram_length=1, max_gram_length=2, "
		    "max_skip_count=50, weights=[2,3,0.5]") "(x:int32[4,9])" },
	{ .name = "occurs",
	  .graph =
	      TFIDF("IDF", GRAMS
		    ", min_gram_length=1, max_gram_length=2, max_skip_count=2, "
		    "weights=[2,3,0.5]") "(x:int64[9])" },
	{ .name = "pairs of strings",
	  .graph = TFIDF(
	      "TF", "ngram_counts=[0,1], ngram_indexes=[0,1], "
		    "pool_strings=[\"a\",\"b\",\"a\"], min_gram_length=2, "
		    "max_gram_length=2, max_skip_count=5") "(x:string[2,50])" },
	{ .name = "scalar",
	  .graph = TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=1, "
				     "max_skip_count=0") "(x:int64[])" },
	{ .name = "empty rows",
	  .graph =
	      TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=1, "
				"max_skip_count=2147483647") "(x:int64[2,0])" },
	{ .name = "no rows",
	  .graph =
	      TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=2, "
				"max_skip_count=2147483647") "(x:int64[0,3])" },
	{ .name = "an unknown mode",
	  .graph = TFIDF("DF", GRAMS ", min_gram_length=1, max_gram_length=2, "
				     "max_skip_count=0") "(x:int64[3])",
	  .want = ERR_INVALID },
	{ .name = "half an n-gram",
	  .graph =
	      TFIDF("TF", "ngram_counts=[0,1], ngram_indexes=[0,1], "
			  "pool_int64s=[1,2], min_gram_length=1, "
			  "max_gram_length=2, max_skip_count=0") "(x:int64[3])",
	  .want = ERR_INVALID },
	{ .name = "strings for a pool of integers",
	  .graph = TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=2, "
				     "max_skip_count=0") "(x:string[3])",
	  .want = ERR_INVALID },
	{ .name = "rank",
	  .graph = TFIDF("TF", GRAMS ", min_gram_length=1, max_gram_length=2, "
				     "max_skip_count=0") "(x:int64[1,1,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_tfidf_vectorizer;

const struct op op_tfidf_vectorizer = {
	.domain = "",
	.name = "TfIdfVectorizer",
	.help = "counts of the n-grams of a pool, by row",
	.since = 9,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in =
	    (const struct port[]){ { "X", "T:string,int32,int64", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "float", 0 }, { 0 } },
	.attrs = attr_rows,
	.attrs_size = sizeof(struct tfidf_attrs),
	.infer = infer_tfidf,
	.kernels = (const struct kernel *const[]){ &shared, &reference, NULL },
	.cases = tfidf_cases,
};
