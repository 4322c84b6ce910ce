/* SPDX-License-Identifier: Apache-2.0 */
#include "training/data_report.h"

#include <math.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

/* Labels that are listed; the rest is a number. */
enum { LABELS_SHOWN = 1000, NUMBER_MAX = 64 };

struct column {
	const struct dataset *dataset;
	const struct pipeline *pipeline;
	unsigned i;
	bool is_output;
	const char *type;
	int64_t width;
	int64_t missing, invalid, *count; /* of labels, and what is none */
	struct err first;		  /* of what is invalid */
	void *room;			  /* one row, encoded */
	double least, most;
};

/* NaN: the value is none. */
static double number_of(const struct raw_value *value)
{
	char text[NUMBER_MAX];
	double number;

	if (value->kind == RAW_NUMBER)
		return value->number;
	if (value->kind != RAW_TEXT || value->len >= sizeof(text))
		return (double)NAN;
	memcpy(text, value->bytes, value->len);
	text[value->len] = '\0';
	return str_parse_double(text, &number) ? number : (double)NAN;
}

static void take(struct column *c, int64_t row, bool is_training)
{
	struct raw_value value;
	struct err err = { 0 };
	double number;
	int64_t index = 0;
	enum err_code rc;

	rc = c->is_output ? dataset_target(c->dataset, row, c->i, &value, &err)
			  : dataset_input(c->dataset, row, c->i, &value, &err);
	if (!rc)
		c->missing += value.kind == RAW_MISSING;
	if (!rc && c->is_output)
		rc = pipeline_encode_target(c->pipeline, c->i, &value, c->room,
					    &err);
	else if (!rc)
		rc = pipeline_encode_input(c->pipeline, c->i, &value, c->room,
					   &err);
	if (rc && !c->invalid++)
		c->first = err;
	if (rc || !is_training)
		return;
	number = number_of(&value);
	c->least = fmin(c->least, number);
	c->most = fmax(c->most, number);
	if (!c->count)
		return;
	memcpy(&index, c->room, sizeof(index));
	if (index >= 0 && index < c->width)
		c->count[index]++;
}

static void write_labels(const struct column *c, struct json_writer *w)
{
	json_write_object(w, "classes");
	for (int64_t k = 0; k < c->width && k < LABELS_SHOWN; k++) {
		const char *label =
		    pipeline_label(c->pipeline, c->is_output, c->i, k);

		if (label)
			json_write_int(w, label, c->count[k]);
	}
	json_write_object_end(w);
	json_write_int(w, "n_classes", c->width - !c->is_output);
}

static void write_column(const struct column *c, struct json_writer *w)
{
	const char *name = c->is_output
			       ? pipeline_output_name(c->pipeline, c->i)
			       : pipeline_input_name(c->pipeline, c->i);

	json_write_object(w, NULL);
	json_write_string(w, "name", name);
	json_write_string(w, "type", c->type);
	json_write_bool(w, "is_output", c->is_output);
	json_write_int(w, "missing", c->missing);
	json_write_int(w, "invalid", c->invalid);
	if (c->invalid)
		json_write_string(w, "problem", c->first.msg);
	if (c->count)
		write_labels(c, w);
	if (str_equal(c->type, "text"))
		json_write_int(w, "vocabulary", c->width);
	if (str_equal(c->type, "number") && isfinite(c->least)) {
		json_write_double(w, "min", c->least);
		json_write_double(w, "max", c->most);
	}
	json_write_object_end(w);
}

static void report(struct column *c, struct json_writer *w)
{
	const bool is_category = str_equal(c->type, "category");
	enum dtype dtype;
	struct shape row;

	c->least = (double)INFINITY;
	c->most = -(double)INFINITY;
	if (c->is_output) {
		pipeline_target_row(c->pipeline, c->i, &dtype, &row, &c->width);
	} else {
		pipeline_input_row(c->pipeline, c->i, &dtype, &row);
		c->width = pipeline_input_width(c->pipeline, c->i);
	}
	c->room = mem_alloc(tensor_bytes(dtype, &row));
	if (is_category)
		c->count = mem_array((size_t)c->width, sizeof(*c->count));
	for (int p = 0; p < PART_COUNT && c->room; p++) {
		const enum dataset_part part = (enum dataset_part)p;
		const int64_t *rows = dataset_rows(c->dataset, part);

		for (int64_t i = 0; i < dataset_n(c->dataset, part); i++)
			take(c, rows[i], part == PART_TRAIN);
	}
	write_column(c, w);
	mem_free(c->count);
	mem_free(c->room);
}

void data_report_write(const struct dataset *dataset,
		       const struct pipeline *pipeline,
		       struct json_writer *writer)
{
	const unsigned n_in = pipeline_n_inputs(pipeline);
	const unsigned n = n_in + pipeline_n_outputs(pipeline);

	json_write_array(writer, "features");
	for (unsigned i = 0; i < n; i++) {
		struct column c = { .dataset = dataset,
				    .pipeline = pipeline,
				    .is_output = i >= n_in,
				    .i = i < n_in ? i : i - n_in };

		c.type = c.is_output ? pipeline_output_type(pipeline, c.i)
				     : pipeline_input_type(pipeline, c.i);
		report(&c, writer);
	}
	json_write_array_end(writer);
}
