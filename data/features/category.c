/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Category: one of a list of labels, encoded as its index (int64). An input
 * counts from 1: its index 0 stands for what is missing, or was not among the
 * labels when they were fitted.
 *
 * Declared labels stand in their order. Without them, declared `num_classes`
 * means the labels "0" to "n-1", unless the training part has others; then, and
 * without either, the labels of the training part are taken: numbers in numeric
 * order before texts in byte order. A number that is no label but a valid index
 * is that index.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/feature.h"
#include "data/features/label_table.h"

enum { CATEGORY_MAX = LABEL_TABLE_MAX, LABEL_MAX = 256 };

struct category {
	int64_t num_classes;
	struct field_strings labels;
	int64_t embedding_size;
	const struct doc *loss;	  /* the trainer reads it */
	struct label_table table; /* of the labels */
	struct label_table seen;  /* while fitting */
	bool is_numbered; /* labels are "0" to "n-1", which nobody gave */
};

static const struct field category_fields[] = {
	{ .name = "num_classes",
	  .help = "how many labels; told from the data when left out",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct category, num_classes),
	  .min = 0,
	  .max = CATEGORY_MAX },
	{ .name = "labels",
	  .help = "the labels in order; fitted when left out",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct category, labels) },
	{ .name = "embedding_size",
	  .help = "of an input: width of its embedding; 0: chosen",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct category, embedding_size),
	  .min = 0,
	  .max = 65536 },
	{ .name = "loss",
	  .help = "of an output: type and its parameters",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct category, loss) },
	{ 0 },
};

static enum err_code no_memory(const struct feature *feature, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "feature '%s': out of memory",
		       feature->name);
}

/* Labels are found by their table from now on. */
static enum err_code index_the_labels(struct feature *feature, struct err *err)
{
	struct category *category = feature->state;
	enum err_code rc = ERR_NONE;

	category->table = (struct label_table){ 0 };
	for (size_t i = 0; i < category->labels.n && !rc; i++) {
		rc = label_table_add(&category->table, category->labels.v[i],
				     feature->arena, err);
		if (!rc && category->table.n <= i)
			rc = err_set(err, ERR_INVALID,
				     "feature '%s': the label '%s' is given "
				     "twice",
				     feature->name, category->labels.v[i]);
	}
	return rc;
}

static enum err_code number_the_labels(struct feature *feature, struct err *err)
{
	struct category *category = feature->state;
	size_t n = (size_t)category->num_classes;

	category->labels.v =
	    arena_array(feature->arena, n, sizeof(*category->labels.v));
	if (!category->labels.v)
		return no_memory(feature, err);
	for (size_t i = 0; i < n; i++) {
		category->labels.v[i] = arena_printf(feature->arena, "%zu", i);
		if (!category->labels.v[i])
			return no_memory(feature, err);
	}
	category->labels.n = n;
	category->is_numbered = true;
	return index_the_labels(feature, err);
}

static enum err_code category_create(struct feature *feature, struct err *err)
{
	struct category *category = feature->state;
	size_t n = category->labels.n;

	if (n && category->num_classes && (size_t)category->num_classes != n)
		return err_set(err, ERR_INVALID,
			       "feature '%s': num_classes is %lld, but there "
			       "are %zu labels",
			       feature->name, (long long)category->num_classes,
			       n);
	if (n)
		category->num_classes = (int64_t)n;
	if (!n && category->num_classes)
		return number_the_labels(feature, err);
	return index_the_labels(feature, err);
}

static void category_row(const struct feature *feature, enum dtype *ret_dtype,
			 struct shape *ret_row, int64_t *ret_width)
{
	const struct category *category = feature->state;

	*ret_dtype = DTYPE_I64;
	*ret_row = (struct shape){ .rank = 0 };
	*ret_width = category->num_classes + !feature->is_output;
}

static int64_t category_embedding_size(const struct feature *feature)
{
	return ((const struct category *)feature->state)->embedding_size;
}

/* The label that a raw value spells; ERR_INVALID when it cannot be one. */
static enum err_code spell(const struct feature *feature,
			   const struct raw_value *value, char label[LABEL_MAX],
			   struct err *err)
{
	double number = value->number;
	char text[128];

	if (value->kind == RAW_TEXT && value->len < LABEL_MAX) {
		memcpy(label, value->bytes, value->len);
		label[value->len] = '\0';
		return ERR_NONE;
	}
	if (value->kind == RAW_TENSOR && value->tensor.dtype != DTYPE_STRING &&
	    shape_count(&value->tensor.shape) == 1)
		number = raw_value_element(&value->tensor, 0);
	else if (value->kind != RAW_NUMBER)
		number = (double)NAN;
	if (!isfinite(number))
		return err_set(err, ERR_INVALID,
			       "feature '%s': expected a label (a text of less "
			       "than %d bytes or a number), got %s",
			       feature->name, (int)LABEL_MAX,
			       raw_value_text(value, text, sizeof(text)));
	(void)snprintf(label, LABEL_MAX, "%.15g", number);
	return ERR_NONE;
}

static enum err_code category_fit_begin(struct feature *feature,
					struct err *err)
{
	(void)feature;
	(void)err;
	return ERR_NONE;
}

static enum err_code category_fit_value(struct feature *feature,
					const struct raw_value *value,
					struct err *err)
{
	struct category *category = feature->state;
	char label[LABEL_MAX];
	enum err_code rc;

	if ((category->labels.n && !category->is_numbered) ||
	    (value->kind == RAW_MISSING && !feature->is_output))
		return ERR_NONE;
	rc = spell(feature, value, label, err);
	if (rc)
		return rc;
	return label_table_add(&category->seen, label, feature->arena, err);
}

static int by_number_then_text(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	double p, q;
	bool is_p = str_parse_double(x, &p), is_q = str_parse_double(y, &q);

	if (is_p && is_q)
		return (p > q) - (p < q);
	if (is_p != is_q)
		return is_p ? -1 : 1;
	return strcmp(x, y);
}

/* Labels that nobody gave are only right where the data has no others. */
static bool has_others(const struct category *category)
{
	for (size_t i = 0; i < category->seen.n; i++) {
		if (label_table_find(&category->table,
				     category->seen.label[i]) < 0)
			return true;
	}
	return false;
}

static enum err_code check_count(const struct feature *feature, struct err *err)
{
	const struct category *category = feature->state;
	const size_t n = (size_t)category->num_classes, seen = category->seen.n;

	/* of an input, those that are not there are as good as missing */
	if (!n || n == seen || (!feature->is_output && seen < n))
		return ERR_NONE;
	return err_set(
	    err, ERR_INVALID,
	    "feature '%s': num_classes is %zu, but the training part "
	    "has %zu labels ('%s' to '%s'); 'labels' would list all",
	    feature->name, n, seen, category->seen.label[0],
	    category->seen.label[seen - 1]);
}

static enum err_code category_fit_end(struct feature *feature, struct err *err)
{
	struct category *category = feature->state;
	enum err_code rc;

	if (category->labels.n &&
	    (!category->is_numbered || !has_others(category)))
		return ERR_NONE;
	if (category->seen.n == 0)
		return err_set(err, ERR_INVALID,
			       "feature '%s': the training part has no labels",
			       feature->name);
	qsort(category->seen.label, category->seen.n,
	      sizeof(*category->seen.label), by_number_then_text);
	rc = check_count(feature, err);
	if (rc)
		return rc;
	category->labels.v = category->seen.label;
	category->labels.n = category->seen.n;
	category->num_classes = (int64_t)category->seen.n;
	category->is_numbered = false;
	return index_the_labels(feature, err);
}

/* -1: none of them. */
static int64_t index_of(const struct category *category, const char *label,
			bool is_number)
{
	int64_t index = label_table_find(&category->table, label);

	if (index >= 0)
		return index;
	if (is_number && str_parse_int64(label, &index) && index >= 0 &&
	    index < category->num_classes)
		return index;
	return -1;
}

static enum err_code category_encode(const struct feature *feature,
				     const struct raw_value *value, void *out,
				     struct err *err)
{
	const struct category *category = feature->state;
	char label[LABEL_MAX];
	int64_t index;
	enum err_code rc;

	*(int64_t *)out = 0;
	if (value->kind == RAW_MISSING && !feature->is_output)
		return ERR_NONE;
	rc = spell(feature, value, label, err);
	if (rc)
		return rc;
	index = index_of(category, label, value->kind != RAW_TEXT);
	if (!feature->is_output) {
		*(int64_t *)out = index + 1;
		return ERR_NONE;
	}
	if (index >= 0) {
		*(int64_t *)out = index;
		return ERR_NONE;
	}
	return err_set(err, ERR_INVALID,
		       "feature '%s': '%s' is none of its %lld labels ('%s' to "
		       "'%s')",
		       feature->name, label, (long long)category->num_classes,
		       category->labels.v[0],
		       category->labels.v[category->labels.n - 1]);
}

/* softmax in double, with the largest logit subtracted */
static void category_decode(const struct feature *feature, const float *row,
			    int64_t width, struct json_writer *writer)
{
	const struct category *category = feature->state;
	int64_t n =
	    width < category->num_classes ? width : category->num_classes;
	int64_t best = 0;
	double sum = 0;

	for (int64_t i = 1; i < n; i++)
		best = row[i] > row[best] ? i : best;
	for (int64_t i = 0; i < n; i++)
		sum += exp((double)row[i] - (double)row[best]);
	json_write_object(writer, NULL);
	json_write_string(writer, "label",
			  n > 0 ? category->labels.v[best] : "");
	json_write_float(writer, "probability", (float)(1 / sum));
	json_write_object(writer, "probabilities");
	for (int64_t i = 0; i < n; i++) {
		double p = exp((double)row[i] - (double)row[best]) / sum;

		json_write_float(writer, category->labels.v[i], (float)p);
	}
	json_write_object_end(writer);
	json_write_object_end(writer);
}

/* Those of an input count from 1. */
static const char *category_label(const struct feature *feature, int64_t index)
{
	const struct category *category = feature->state;
	const int64_t i = feature->is_output ? index : index - 1;

	return i >= 0 && i < (int64_t)category->labels.n ? category->labels.v[i]
							 : NULL;
}

extern const struct feature_kind feature_category;
const struct feature_kind feature_category = {
	.name = "category",
	.help = "one of a list of labels",
	.fields = category_fields,
	.size = sizeof(struct category),
	.create = category_create,
	.row = category_row,
	.embedding_size = category_embedding_size,
	.fit_begin = category_fit_begin,
	.fit_value = category_fit_value,
	.fit_end = category_fit_end,
	.encode = category_encode,
	.decode = category_decode,
	.label = category_label,
};
