/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows of the declared features, drawn from the seed: for benchmarks and
 * tests. A row has a hidden class k = row mod 10; an output category is
 * k mod num_classes, an output number is k. Inputs lean on k, so that there is
 * something to learn: element i of a picture is uniform in 0..127, plus 128
 * where i mod 10 = k, and so is that of a vector; a number is normal around
 * k/4; a category is (k plus noise) mod its classes; a text is
 * data/readers/synthetic_text.h's. Place i of an output vector is 1 where
 * i mod 10 = k, else 0.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "data/feature.h"
#include "data/reader.h"
#include "data/readers/synthetic_text.h"

#define SYNTHETIC_MAX_BYTES ((size_t)4 << 30)

enum { STREAM_SYNTHETIC = 0x51, HIDDEN_CLASSES = 10 };

struct synthetic {
	int64_t rows;
	uint64_t seed;
	unsigned n_inputs;
	const struct pipeline *pipeline;
	struct tensor_view *picture; /* by input: all rows; data NULL: scalar */
	struct tensor_view target; /* a row for each class; data NULL: scalar */
	struct synthetic_text *text; /* by input; bytes NULL: none */
};

static struct rng stream_of(const struct synthetic *all, unsigned input,
			    int64_t row)
{
	return (struct rng){ .seed = all->seed,
			     .stream = STREAM_SYNTHETIC + input,
			     .step = (uint32_t)row };
}

static void draw_picture(const struct synthetic *all, unsigned input,
			 int64_t row, int64_t n, unsigned char *out)
{
	struct rng rng = stream_of(all, input, row);
	int64_t k = row % HIDDEN_CLASSES;

	for (int64_t i = 0; i < n; i += 4) {
		uint32_t word = rng_u32(rng, (uint64_t)i);

		for (int64_t j = i; j < n && j < i + 4; j++, word >>= 8) {
			unsigned lean = j % HIDDEN_CLASSES == k ? 128 : 0;

			out[j] = (unsigned char)((word & 127) + lean);
		}
	}
}

static enum err_code draw_pictures(struct synthetic *all, unsigned input,
				   const struct shape *row, struct err *err)
{
	struct tensor_view *view = &all->picture[input];
	int64_t n = shape_count(row);

	if (row->rank >= SHAPE_MAX_RANK ||
	    (size_t)n > SYNTHETIC_MAX_BYTES / (size_t)all->rows)
		return err_set(err, ERR_TOO_LARGE,
			       "data: %lld synthetic rows of %lld values are "
			       "more than 4 GiB",
			       (long long)all->rows, (long long)n);
	view->data = mem_alloc((size_t)n * (size_t)all->rows);
	if (!view->data)
		return err_set(err, ERR_NO_MEMORY,
			       "data: no memory for %lld synthetic rows",
			       (long long)all->rows);
	view->dtype = DTYPE_U8;
	view->shape = *row;
	for (int64_t r = 0; r < all->rows; r++)
		draw_picture(all, input, r, n,
			     (unsigned char *)view->data + r * n);
	return ERR_NONE;
}

/* The rows of the hidden classes, where the output is a vector. */
static enum err_code draw_targets(struct synthetic *all, struct err *err)
{
	struct tensor_view *view = &all->target;
	enum dtype dtype;
	struct shape row;
	int64_t n;

	pipeline_target_row(all->pipeline, 0, &dtype, &row, &n);
	if (dtype != DTYPE_F32 || n < 2)
		return ERR_NONE;
	view->data = mem_alloc((size_t)n * HIDDEN_CLASSES);
	if (!view->data)
		return err_set(err, ERR_NO_MEMORY, "data: out of memory");
	view->dtype = DTYPE_U8;
	view->shape = row;
	for (int64_t i = 0; i < n * HIDDEN_CLASSES; i++)
		((unsigned char *)view->data)[i] =
		    i % n % HIDDEN_CLASSES == i / n;
	return ERR_NONE;
}

static enum err_code draw_text(struct synthetic *all, unsigned input,
			       const struct text_cut *cut, struct err *err)
{
	const bool is_stream = pipeline_is_language(all->pipeline);
	/* two numbers are no token's */
	const struct synthetic_text_options options = {
		.cut = *cut,
		.rows = all->rows,
		.n_symbols = pipeline_input_width(all->pipeline, input) - 2,
		.n_classes = is_stream ? 0 : HIDDEN_CLASSES,
		.rng = stream_of(all, input, 0),
	};

	return synthetic_text_init(&all->text[input], &options, err);
}

static void synthetic_close(void *state)
{
	struct synthetic *all = state;

	if (!all)
		return;
	mem_free(all->target.data);
	for (unsigned i = 0; all->picture && i < all->n_inputs; i++)
		mem_free(all->picture[i].data);
	for (unsigned i = 0; all->text && i < all->n_inputs; i++)
		synthetic_text_finish(&all->text[i]);
	mem_free(all->picture);
	mem_free(all->text);
	mem_free(all);
}

static enum err_code synthetic_open(const struct reader_source *source,
				    void **ret_state, struct err *err)
{
	struct synthetic *all = mem_zero(sizeof(*all));
	enum err_code rc = ERR_NONE;

	if (!all)
		goto no_memory;
	all->rows = source->rows;
	all->seed = source->seed;
	all->pipeline = source->pipeline;
	all->n_inputs = pipeline_n_inputs(source->pipeline);
	all->picture = mem_array(all->n_inputs, sizeof(*all->picture));
	all->text = mem_array(all->n_inputs, sizeof(*all->text));
	if (!all->picture || !all->text)
		goto no_memory;
	rc = draw_targets(all, err);
	for (unsigned i = 0; i < all->n_inputs && !rc; i++) {
		struct text_cut cut;
		enum dtype dtype;
		struct shape row;

		pipeline_input_raw_row(source->pipeline, i, &dtype, &row);
		if (pipeline_input_cut(source->pipeline, i, &cut))
			rc = draw_text(all, i, &cut, err);
		else if (dtype == DTYPE_F32 &&
			 (row.rank > 1 || shape_count(&row) > 1))
			rc = draw_pictures(all, i, &row, err);
	}
	if (rc)
		goto out;
	*ret_state = all;
	all = NULL;
	goto out;
no_memory:
	rc = err_set(err, ERR_NO_MEMORY, "data: out of memory");
out:
	synthetic_close(all);
	return rc;
}

static int64_t synthetic_n_rows(const void *state)
{
	return ((const struct synthetic *)state)->rows;
}

static int64_t synthetic_n_fixed_train(const void *state)
{
	(void)state;
	return -1;
}

static bool synthetic_is_stream(const void *state)
{
	return pipeline_is_language(
	    ((const struct synthetic *)state)->pipeline);
}

/* The input whose tokens an output predicts. */
static unsigned source_of(const struct synthetic *all, unsigned output)
{
	const char *name = pipeline_output_name(all->pipeline, output);
	unsigned i = 0;

	while (i + 1 < all->n_inputs &&
	       !str_equal(pipeline_input_name(all->pipeline, i), name))
		i++;
	return i;
}

/* columns: inputs first, then outputs, both in the pipeline's order */
static enum err_code synthetic_column(const void *state, const char *feature,
				      bool is_output, unsigned *ret_column,
				      struct err *err)
{
	const struct synthetic *all = state;
	const struct pipeline *p = all->pipeline;
	unsigned n = is_output ? pipeline_n_outputs(p) : all->n_inputs;

	for (unsigned i = 0; i < n; i++) {
		const char *name = is_output ? pipeline_output_name(p, i)
					     : pipeline_input_name(p, i);
		if (strcmp(name, feature) == 0) {
			*ret_column = is_output ? all->n_inputs + i : i;
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_INVALID, "data: there is no feature '%s'",
		       feature);
}

static enum err_code synthetic_value(const void *state, int64_t row,
				     unsigned column, struct raw_value *ret,
				     struct err *err)
{
	const struct synthetic *all = state;
	int64_t k = row % HIDDEN_CLASSES;
	enum dtype dtype;
	struct shape shape;

	(void)err;
	*ret = (struct raw_value){ .kind = RAW_NUMBER, .number = (double)k };
	if (column >= all->n_inputs) {
		const unsigned output = column - all->n_inputs;
		int64_t width;

		if (str_equal(pipeline_output_type(all->pipeline, output),
			      "text")) {
			text_windows_value(
			    &all->text[source_of(all, output)].windows, row,
			    TEXT_COLUMN_TARGET, ret);
			return ERR_NONE;
		}
		pipeline_target_row(all->pipeline, column - all->n_inputs,
				    &dtype, &shape, &width);
		if (dtype == DTYPE_I64 && width > 0)
			ret->number = (double)(k % width);
		if (all->target.data &&
		    width == shape_count(&all->target.shape)) {
			ret->kind = RAW_TENSOR;
			ret->tensor = all->target;
			ret->tensor.data = (char *)ret->tensor.data + k * width;
		}
		return ERR_NONE;
	}
	if (all->text[column].bytes) {
		text_windows_value(&all->text[column].windows, row,
				   TEXT_COLUMN_INPUT, ret);
		return ERR_NONE;
	}
	if (all->picture[column].data) {
		ret->kind = RAW_TENSOR;
		ret->tensor = all->picture[column];
		ret->tensor.data = (char *)ret->tensor.data +
				   row * shape_count(&ret->tensor.shape);
		return ERR_NONE;
	}
	ret->number = (double)rng_normal(stream_of(all, column, row), 0) +
		      0.25 * (double)k;
	pipeline_input_row(all->pipeline, column, &dtype, &shape);
	if (dtype == DTYPE_I64) {
		uint64_t noise = rng_below(stream_of(all, column, row), 1, 2);
		/* one index stands for what is no label */
		int64_t n = pipeline_input_width(all->pipeline, column) - 1;

		ret->number = (double)((k + (int64_t)noise) % (n > 0 ? n : 1));
	}
	return ERR_NONE;
}

extern const struct reader reader_synthetic;
const struct reader reader_synthetic = {
	.name = "synthetic",
	.help = "rows of the declared features, drawn from the seed",
	.open = synthetic_open,
	.n_rows = synthetic_n_rows,
	.n_fixed_train = synthetic_n_fixed_train,
	.is_stream = synthetic_is_stream,
	.column = synthetic_column,
	.value = synthetic_value,
	.close = synthetic_close,
};
