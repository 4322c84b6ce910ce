/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/doc.h"
#include "server/codec_v2.h"
#include "server/decimal.h"

/* So many are found by insertion; more are had by sorting the row. */
enum { FEW = 32 };

/* One class while the largest are looked for. */
struct rank {
	double value;
	uint64_t whole; /* of integers, where value cannot tell them apart */
	int64_t index;
};

/* The list of labels in model.yaml: one for the model, or one by output. */
static const struct doc *labels_of(const struct inference *inference,
				   unsigned output)
{
	const struct doc *labels =
	    doc_find(inference->model->package->about, "labels");

	if (labels && labels->kind == DOC_MAP)
		labels =
		    doc_find(labels, inference->signature->output[output].name);
	return labels && labels->kind == DOC_LIST ? labels : NULL;
}

/* Labels by index; NULL where the list ends or holds something else. */
static const char **list_labels(const struct doc *labels, int64_t n,
				struct arena *arena)
{
	const char **texts = arena_array(arena, (size_t)n + 1, sizeof(*texts));
	const struct doc *item = labels ? labels->first : NULL;

	for (int64_t i = 0; texts && item && i < n; i++, item = item->next)
		texts[i] = item->kind == DOC_STRING ? item->text : NULL;
	return texts;
}

static bool is_above(const struct rank *a, const struct rank *b)
{
	/* NaN is below everything; of equals the first one comes first */
	if (isnan(a->value) || isnan(b->value))
		return !isnan(a->value) && isnan(b->value);
	/* of one sign, where the values are equal */
	return a->value > b->value ||
	       (a->value == b->value && a->whole > b->whole);
}

static int by_value(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (is_above(x, y))
		return -1;
	if (is_above(y, x))
		return 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* The same as below for many, who would be moved too often: top has room for
 * the whole row. */
static void sort_all(const double *row, const uint64_t *whole, int64_t width,
		     struct rank *top)
{
	for (int64_t i = 0; i < width; i++)
		top[i] = (struct rank){ row[i], whole[i], i };
	qsort(top, (size_t)width, sizeof(*top), by_value);
}

/* The n largest of a row, by insertion: n is small. */
static void find_largest(const double *row, const uint64_t *whole,
			 int64_t width, struct rank *top, int64_t n)
{
	int64_t have = 0;

	for (int64_t i = 0; i < width; i++) {
		const struct rank one = { row[i], whole[i], i };
		int64_t at = have;

		if (have == n && !is_above(&one, &top[n - 1]))
			continue;
		if (have < n)
			have++;
		else
			at--;
		for (; at > 0 && is_above(&one, &top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = one;
	}
}

/* Integers as such, floats as the answer's JSON has them. */
static size_t write_value(const struct rank *rank, enum dtype dtype,
			  char value[DECIMAL_TEXT_MAX])
{
	if (dtype == DTYPE_F64)
		return decimal_write_double(value, rank->value);
	if (!dtype_is_integer(dtype))
		return decimal_write_float(value, (float)rank->value);
	if (!dtype_is_signed(dtype))
		return (size_t)snprintf(value, DECIMAL_TEXT_MAX, "%" PRIu64,
					rank->whole);
	return (size_t)snprintf(value, DECIMAL_TEXT_MAX, "%" PRId64,
				(int64_t)rank->whole);
}

static bool put_class(const struct rank *rank, enum dtype dtype,
		      const char *label, struct arena *arena, struct str *ret)
{
	char value[DECIMAL_TEXT_MAX];
	const size_t n = write_value(rank, dtype, value);
	const char *text = arena_printf(arena, "%.*s:%lld%s%s", (int)n, value,
					(long long)rank->index,
					label ? ":" : "", label ? label : "");

	if (!text)
		return false;
	*ret = (struct str){ text, strlen(text) };
	return true;
}

struct classes {
	const struct tensor_view *from;
	int64_t n_rows, width, n;
	const char **labels;
	struct arena *arena;
	struct str *out;
};

/* Row i as doubles, and integers as such, too. */
static void read_row(const struct classes *c, int64_t i, double *row,
		     uint64_t *whole)
{
	const enum dtype dtype = c->from->dtype;
	const size_t width = (size_t)c->width;
	const char *from = (const char *)c->from->data +
			   (size_t)i * width * dtype_info(dtype)->size;

	dtype_convert(dtype, from, DTYPE_F64, row, width, false);
	if (dtype_is_integer(dtype))
		dtype_convert(dtype, from,
			      dtype_is_signed(dtype) ? DTYPE_I64 : DTYPE_U64,
			      whole, width, false);
}

static bool classify_rows(const struct classes *c)
{
	const size_t width = (size_t)c->width + 1;
	double *row = arena_array(c->arena, width, sizeof(*row));
	uint64_t *whole = arena_array(c->arena, width, sizeof(*whole));
	const bool is_few = c->n <= FEW;
	struct rank *top = arena_array(
	    c->arena, is_few ? (size_t)c->n + 1 : width, sizeof(*top));

	if (!row || !whole || !top || !c->labels || !c->out)
		return false;
	for (int64_t i = 0; i < c->n_rows; i++) {
		read_row(c, i, row, whole);
		if (is_few)
			find_largest(row, whole, c->width, top, c->n);
		else
			sort_all(row, whole, c->width, top);
		for (int64_t j = 0; j < c->n; j++)
			if (!put_class(&top[j], c->from->dtype,
				       c->labels[top[j].index], c->arena,
				       &c->out[i * c->n + j]))
				return false;
	}
	return true;
}

enum err_code codec_classify(struct inference *inference, unsigned output,
			     uint64_t n, struct tensor_view *ret_tensor,
			     struct err *err)
{
	const struct tensor_view *from = &inference->output[output];
	const char *name = inference->signature->output[output].name;
	const bool is_batched = inference->model->max_batch != 0;
	struct arena *arena = inference->request->arena;
	struct classes c = { .from = from, .arena = arena };

	if (dtype_info(from->dtype)->arith == DTYPE_NONE ||
	    from->dtype == DTYPE_STRING)
		return err_set(err, ERR_INVALID,
			       "output '%s' has no numbers to classify by",
			       name);
	c.n_rows = is_batched ? from->shape.dim[0] : 1;
	c.width = shape_range(&from->shape, is_batched, from->shape.rank);
	c.n = n < (uint64_t)c.width ? (int64_t)n : c.width;
	c.labels = list_labels(labels_of(inference, output), c.width, arena);
	c.out =
	    arena_array(arena, (size_t)(c.n_rows * c.n) + 1, sizeof(*c.out));
	if (!classify_rows(&c))
		return err_set(err, ERR_NO_MEMORY,
			       "output '%s': its classes need more memory than "
			       "one request may have",
			       name);
	*ret_tensor =
	    (struct tensor_view){ .data = c.out, .dtype = DTYPE_STRING };
	if (is_batched)
		ret_tensor->shape.dim[ret_tensor->shape.rank++] = c.n_rows;
	ret_tensor->shape.dim[ret_tensor->shape.rank++] = c.n;
	return ERR_NONE;
}
