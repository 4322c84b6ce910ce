/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Vector: `size` numbers in one value, an array or a text such as "0.5 1 -2"
 * (numbers between spaces, commas or semicolons, in brackets or not). As with
 * a number, an input is brought to mean 0 and deviation 1 of the training
 * part, here place by place, unless `normalize: none`; an output is left as it
 * is unless `normalize: zscore`. A missing input is the training mean.
 *
 * `pca: k` puts an input's coordinates along the first k principal components
 * of the training part in place of the numbers, once they are brought to mean 0
 * (and to deviation 1, unless `normalize: none`).
 */
#include <math.h>
#include <stddef.h>

#include "base/json_write.h"
#include "base/str.h"
#include "data/feature.h"
#include "data/features/activation.h"
#include "data/pca.h"

enum { NORMALIZE_AUTO, NORMALIZE_NONE, NORMALIZE_ZSCORE };
enum { VECTOR_MAX = 1 << 20, NUMBER_MAX = 64 };
static const char *const normalize_names[] = { "auto", "none", "zscore", NULL };

struct vector {
	int64_t size;
	int normalize, activation;
	int64_t pca; /* components; 0: the numbers themselves */
	struct field_doubles mean, std, component, variance;
	const struct doc *loss; /* the trainer reads it */
	double count;		/* while fitting (Welford 1962) */
	double *m2;
	float *value;
	struct pca_fit *fit;
};

static const struct field vector_fields[] = {
	{ .name = "size",
	  .help = "how many numbers",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct vector, size),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = VECTOR_MAX },
	{ .name = "normalize",
	  .help = "none, zscore, or auto: zscore for inputs, none for outputs",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct vector, normalize),
	  .names = normalize_names },
	{ .name = "pca",
	  .help = "of an input: principal components in place of the numbers; "
		  "0: none",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct vector, pca),
	  .max = PCA_MAX_SIZE },
	ACTIVATION_FIELD(struct vector),
	{ .name = "mean",
	  .help = "fitted: means of the training part",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct vector, mean) },
	{ .name = "std",
	  .help = "fitted: deviations of the training part",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct vector, std),
	  .min = 1e-300,
	  .max = 1e300 },
	{ .name = "pca_components",
	  .help = "fitted: components, one after the other",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct vector, component) },
	{ .name = "pca_variance",
	  .help = "fitted: each component's share of the variance",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct vector, variance) },
	{ .name = "loss",
	  .help = "of an output: type and its parameters",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct vector, loss) },
	{ 0 },
};

static enum err_code check_pca(const struct feature *feature, struct err *err)
{
	const struct vector *v = feature->state;

	if (!v->pca)
		return ERR_NONE;
	if (feature->is_output)
		return err_set(err, ERR_INVALID,
			       "feature '%s': pca is of input features",
			       feature->name);
	if (v->pca > v->size || v->size > PCA_MAX_SIZE)
		return err_set(err, ERR_INVALID,
			       "feature '%s': expected pca from 1 to the size, "
			       "which is at most %d then, got %lld of %lld",
			       feature->name, (int)PCA_MAX_SIZE,
			       (long long)v->pca, (long long)v->size);
	if ((v->component.n || v->variance.n) &&
	    (v->component.n != (size_t)(v->pca * v->size) ||
	     v->variance.n != (size_t)v->pca || !v->mean.n))
		return err_set(err, ERR_INVALID,
			       "feature '%s': expected %lld components of %lld "
			       "numbers, with a mean and a variance",
			       feature->name, (long long)v->pca,
			       (long long)v->size);
	return ERR_NONE;
}

static enum err_code vector_create(struct feature *feature, struct err *err)
{
	struct vector *v = feature->state;
	const size_t n = (size_t)v->size;
	const struct field_doubles *list[] = { &v->mean, &v->std };

	for (int i = 0; i < 2; i++) {
		if (list[i]->n && list[i]->n != n)
			return err_set(err, ERR_INVALID,
				       "feature '%s': '%s' has %zu numbers, "
				       "size is %zu",
				       feature->name, i ? "std" : "mean",
				       list[i]->n, n);
	}
	if (v->normalize == NORMALIZE_AUTO)
		v->normalize =
		    feature->is_output ? NORMALIZE_NONE : NORMALIZE_ZSCORE;
	v->activation = activation_resolve(v->activation, v->loss);
	return check_pca(feature, err);
}

static void vector_row(const struct feature *feature, enum dtype *ret_dtype,
		       struct shape *ret_row, int64_t *ret_width)
{
	const struct vector *v = feature->state;

	*ret_dtype = DTYPE_F32;
	*ret_row =
	    (struct shape){ .rank = 1, .dim = { v->pca ? v->pca : v->size } };
	*ret_width = v->size;
}

static int64_t vector_count(const struct feature *feature)
{
	return ((const struct vector *)feature->state)->size;
}

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '[' ||
	       c == ']' || c == '\r' || c == '\n';
}

/* The next number of a text from *at on; false at its end, or where there is
 * none (NaN). */
static bool next_number(const char *text, size_t len, size_t *at, double *ret)
{
	char number[NUMBER_MAX];
	size_t n = 0;

	while (*at < len && is_between(text[*at]))
		(*at)++;
	if (*at == len)
		return false;
	for (; *at < len && !is_between(text[*at]); (*at)++) {
		if (n + 1 < sizeof(number))
			number[n++] = text[*at];
	}
	number[n] = '\0';
	if (n + 1 == sizeof(number) || !str_parse_double(number, ret))
		*ret = (double)NAN;
	return true;
}

/* Writes of a value what fits; *ret_n: how many numbers it has. */
static void read_numbers(const struct vector *v, const struct raw_value *value,
			 float *to, int64_t *ret_n)
{
	int64_t n = 0;
	size_t at = 0;
	double x;

	if (value->kind == RAW_NUMBER) {
		to[n++] = (float)value->number;
	} else if (value->kind == RAW_TENSOR &&
		   value->tensor.dtype != DTYPE_STRING) {
		n = shape_count(&value->tensor.shape);
		for (int64_t i = 0; i < n && i < v->size; i++)
			to[i] = (float)raw_value_element(&value->tensor, i);
	} else if (value->kind == RAW_TEXT) {
		while (next_number(value->bytes, value->len, &at, &x)) {
			if (n < v->size)
				to[n] = (float)x;
			n++;
		}
	}
	*ret_n = n;
}

static enum err_code read_vector(const struct feature *feature,
				 const struct raw_value *value, float *to,
				 struct err *err)
{
	const struct vector *v = feature->state;
	char text[128];
	int64_t n;

	read_numbers(v, value, to, &n);
	if (n != v->size)
		return err_set(err, n ? ERR_SHAPE : ERR_INVALID,
			       "feature '%s': expected %lld numbers, got %s "
			       "with %lld",
			       feature->name, (long long)v->size,
			       raw_value_text(value, text, sizeof(text)),
			       (long long)n);
	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(to[i]))
			return err_set(err, ERR_INVALID,
				       "feature '%s': number %lld is not "
				       "finite, or is none",
				       feature->name, (long long)i);
	}
	return ERR_NONE;
}

static enum err_code vector_fit_begin(struct feature *feature, struct err *err)
{
	struct vector *v = feature->state;
	const size_t n = (size_t)v->size;
	struct arena *arena = feature->arena;

	v->count = 0;
	v->mean =
	    (struct field_doubles){ n, arena_array(arena, n, sizeof(double)) };
	v->std =
	    (struct field_doubles){ n, arena_array(arena, n, sizeof(double)) };
	v->m2 = arena_array(arena, n, sizeof(double));
	v->value = arena_array(arena, n, sizeof(float));
	if (v->mean.v && v->std.v && v->m2 && v->value)
		return v->pca ? pca_fit_create(v->size, &v->fit, err)
			      : ERR_NONE;
	return err_set(err, ERR_NO_MEMORY, "feature '%s': out of memory",
		       feature->name);
}

static void vector_fit_drop(struct feature *feature)
{
	struct vector *v = feature->state;

	pca_fit_destroy(v->fit);
	v->fit = NULL;
}

static enum err_code vector_fit_value(struct feature *feature,
				      const struct raw_value *value,
				      struct err *err)
{
	struct vector *v = feature->state;
	enum err_code rc;

	if (value->kind == RAW_MISSING)
		return ERR_NONE;
	rc = read_vector(feature, value, v->value, err);
	if (rc)
		return rc;
	if (v->fit)
		pca_fit_add(v->fit, v->value);
	v->count++;
	for (int64_t i = 0; i < v->size; i++) {
		const double x = (double)v->value[i];
		const double delta = x - v->mean.v[i];

		v->mean.v[i] += delta / v->count;
		v->m2[i] += delta * (x - v->mean.v[i]);
	}
	return ERR_NONE;
}

static enum err_code end_pca(struct feature *feature, struct err *err)
{
	struct vector *v = feature->state;
	struct pca pca;
	enum err_code rc;

	rc = pca_fit_end(v->fit, v->pca,
			 v->normalize == NORMALIZE_ZSCORE ? v->std.v : NULL,
			 feature->arena, &pca, err);
	vector_fit_drop(feature);
	if (rc) {
		(void)err_prefix(err, "feature '%s'", feature->name);
		return rc;
	}
	v->component =
	    (struct field_doubles){ (size_t)(v->pca * v->size), pca.component };
	v->variance = (struct field_doubles){ (size_t)v->pca, pca.variance };
	return ERR_NONE;
}

static enum err_code vector_fit_end(struct feature *feature, struct err *err)
{
	struct vector *v = feature->state;

	for (int64_t i = 0; i < v->size; i++) {
		double variance = v->count > 0 ? v->m2[i] / v->count : 0;

		v->std.v[i] = variance > 0 ? sqrt(variance) : 1;
	}
	return v->fit ? end_pca(feature, err) : ERR_NONE;
}

/* Numbers to coordinates. */
static enum err_code vector_project(const struct feature *feature,
				    const struct raw_value *value, float *out,
				    struct err *err)
{
	const struct vector *v = feature->state;
	const struct pca pca = { v->size, v->pca, v->component.v, NULL };
	double centred[PCA_MAX_SIZE] = { 0 };
	float number[PCA_MAX_SIZE];
	enum err_code rc = ERR_NONE;

	if (!v->component.n)
		return err_set(err, ERR_INTERNAL,
			       "feature '%s' has not been fitted",
			       feature->name);
	if (value->kind != RAW_MISSING)
		rc = read_vector(feature, value, number, err);
	if (rc)
		return rc;
	for (int64_t i = 0; i < v->size && value->kind != RAW_MISSING; i++) {
		centred[i] = (double)number[i] - v->mean.v[i];
		if (v->normalize == NORMALIZE_ZSCORE)
			centred[i] /= v->std.v[i];
	}
	pca_project(&pca, centred, out);
	return ERR_NONE;
}

static enum err_code vector_encode(const struct feature *feature,
				   const struct raw_value *value, void *out,
				   struct err *err)
{
	const struct vector *v = feature->state;
	const bool is_missing =
	    value->kind == RAW_MISSING && !feature->is_output;
	float *to = out;
	enum err_code rc = ERR_NONE;

	if (v->pca)
		return vector_project(feature, value, out, err);
	if (v->normalize == NORMALIZE_ZSCORE && !v->mean.n)
		return err_set(err, ERR_INTERNAL,
			       "feature '%s' has not been fitted",
			       feature->name);
	if (!is_missing)
		rc = read_vector(feature, value, to, err);
	for (int64_t i = 0; i < v->size && !rc; i++) {
		double x = (double)to[i];

		if (is_missing)
			x = v->mean.n ? v->mean.v[i] : 0;
		if (v->normalize == NORMALIZE_ZSCORE)
			x = (x - v->mean.v[i]) / v->std.v[i];
		to[i] = (float)x;
	}
	return rc;
}

static void vector_decode(const struct feature *feature, const float *row,
			  int64_t width, struct json_writer *writer)
{
	const struct vector *v = feature->state;
	const bool is_scaled = v->normalize == NORMALIZE_ZSCORE && v->mean.n;
	const int64_t n = width < v->size ? width : v->size;

	json_write_object(writer, NULL);
	json_write_array(writer, "value");
	for (int64_t i = 0; i < n; i++) {
		double y = activation_apply(v->activation, (double)row[i]);

		if (is_scaled)
			y = y * v->std.v[i] + v->mean.v[i];
		json_write_float(writer, NULL, (float)y);
	}
	json_write_array_end(writer);
	json_write_object_end(writer);
}

extern const struct feature_kind feature_vector;
const struct feature_kind feature_vector = {
	.name = "vector",
	.help = "a number of finite numbers",
	.fields = vector_fields,
	.size = sizeof(struct vector),
	.create = vector_create,
	.row = vector_row,
	.count = vector_count,
	.fit_begin = vector_fit_begin,
	.fit_value = vector_fit_value,
	.fit_end = vector_fit_end,
	.fit_drop = vector_fit_drop,
	.encode = vector_encode,
	.decode = vector_decode,
};
