/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Number: one float. An input is brought to mean 0 and deviation 1 of the
 * training part unless `normalize: none`; an output is left as it is unless
 * `normalize: zscore`, which is undone in the prediction. A missing input
 * takes the training mean. Scores become probabilities by `activation`.
 */
#include <math.h>
#include <stddef.h>

#include "base/json_write.h"
#include "base/str.h"
#include "data/feature.h"
#include "data/features/activation.h"

enum { NORMALIZE_AUTO, NORMALIZE_NONE, NORMALIZE_ZSCORE };
static const char *const normalize_names[] = { "auto", "none", "zscore", NULL };

struct number {
	int normalize, activation;
	double mean, std;
	const struct doc *loss; /* the trainer reads it */
	double count, m2;	/* while fitting (Welford 1962) */
};

static const struct field number_fields[] = {
	{ .name = "normalize",
	  .help = "none, zscore, or auto: zscore for inputs, none for outputs",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct number, normalize),
	  .names = normalize_names },
	ACTIVATION_FIELD(struct number),
	{ .name = "mean",
	  .help = "fitted: mean of the training part",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct number, mean) },
	{ .name = "std",
	  .help = "fitted: deviation of the training part",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct number, std),
	  .min = 1e-300,
	  .max = 1e300,
	  .def = 1 },
	{ .name = "loss",
	  .help = "of an output: type and its parameters",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct number, loss) },
	{ 0 },
};

static enum err_code number_create(struct feature *feature, struct err *err)
{
	struct number *number = feature->state;

	(void)err;
	if (number->normalize == NORMALIZE_AUTO)
		number->normalize =
		    feature->is_output ? NORMALIZE_NONE : NORMALIZE_ZSCORE;
	number->activation =
	    activation_resolve(number->activation, number->loss);
	return ERR_NONE;
}

static void number_row(const struct feature *feature, enum dtype *ret_dtype,
		       struct shape *ret_row, int64_t *ret_width)
{
	(void)feature;
	*ret_dtype = DTYPE_F32;
	*ret_row = (struct shape){ .rank = 1, .dim = { 1 } };
	*ret_width = 1;
}

static enum err_code read_number(const struct feature *feature,
				 const struct raw_value *value, double *ret,
				 struct err *err)
{
	char text[128];

	*ret = (double)NAN;
	if (value->kind == RAW_NUMBER)
		*ret = value->number;
	else if (value->kind == RAW_TENSOR &&
		 value->tensor.dtype != DTYPE_STRING &&
		 shape_count(&value->tensor.shape) == 1)
		*ret = raw_value_element(&value->tensor, 0);
	else if (value->kind == RAW_TEXT && value->len < sizeof(text)) {
		memcpy(text, value->bytes, value->len);
		text[value->len] = '\0';
		if (!str_parse_double(text, ret))
			*ret = (double)NAN;
	}
	if (isfinite(*ret))
		return ERR_NONE;
	return err_set(
	    err, ERR_INVALID, "feature '%s': expected a finite number, got %s",
	    feature->name, raw_value_text(value, text, sizeof(text)));
}

static enum err_code number_fit_begin(struct feature *feature, struct err *err)
{
	struct number *number = feature->state;

	(void)err;
	number->count = number->mean = number->m2 = 0;
	return ERR_NONE;
}

static enum err_code number_fit_value(struct feature *feature,
				      const struct raw_value *value,
				      struct err *err)
{
	struct number *number = feature->state;
	double x, delta;
	enum err_code rc;

	if (value->kind == RAW_MISSING)
		return ERR_NONE;
	rc = read_number(feature, value, &x, err);
	if (rc)
		return rc;
	number->count++;
	delta = x - number->mean;
	number->mean += delta / number->count;
	number->m2 += delta * (x - number->mean);
	return ERR_NONE;
}

static enum err_code number_fit_end(struct feature *feature, struct err *err)
{
	struct number *number = feature->state;
	double variance = number->count > 0 ? number->m2 / number->count : 0;

	(void)err;
	number->std = variance > 0 ? sqrt(variance) : 1;
	return ERR_NONE;
}

static enum err_code number_encode(const struct feature *feature,
				   const struct raw_value *value, void *out,
				   struct err *err)
{
	const struct number *number = feature->state;
	double x = number->mean;
	enum err_code rc = ERR_NONE;

	if (value->kind != RAW_MISSING || feature->is_output)
		rc = read_number(feature, value, &x, err);
	if (rc)
		return rc;
	if (number->normalize == NORMALIZE_ZSCORE)
		x = (x - number->mean) / number->std;
	*(float *)out = (float)x;
	return ERR_NONE;
}

static void number_decode(const struct feature *feature, const float *row,
			  int64_t width, struct json_writer *writer)
{
	const struct number *number = feature->state;
	double y = activation_apply(number->activation,
				    width > 0 ? (double)row[0] : 0);

	if (number->normalize == NORMALIZE_ZSCORE)
		y = y * number->std + number->mean;
	json_write_object(writer, NULL);
	json_write_float(writer, "value", (float)y);
	json_write_object_end(writer);
}

extern const struct feature_kind feature_number;
const struct feature_kind feature_number = {
	.name = "number",
	.help = "one finite number",
	.fields = number_fields,
	.size = sizeof(struct number),
	.create = number_create,
	.row = number_row,
	.fit_begin = number_fit_begin,
	.fit_value = number_fit_value,
	.fit_end = number_fit_end,
	.encode = number_encode,
	.decode = number_decode,
};
