/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/feature.h"
#include "data/reader.h"
#include "data/split.h"

enum { FINGERPRINT_ROWS = 64 };

static const char *const split_names[] = { "auto",     "fixed", "random",
					   "stratify", "hash",	"datetime",
					   NULL };
static const char *const sampling_names[] = { "none", "oversample",
					      "undersample", "weighted", NULL };

static const struct field spec_fields[] = {
	{ .name = "source",
	  .help =
	      "path:FOLDER or path:FILE beneath a data root, upload:NAME, or "
	      "synthetic",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct dataset_spec, source),
	  .flags = FIELD_REQUIRED },
	{ .name = "format",
	  .help =
	      "csv, idx, image_folder, synthetic or text; told from the source "
	      "when left out",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct dataset_spec, format) },
	{ .name = "rows",
	  .help = "of synthetic data",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct dataset_spec, rows),
	  .min = 1,
	  .max = 1e8,
	  .def = 4096 },
	{ .name = "columns",
	  .help = "names of a table's columns, where no line names them",
	  .kind = FIELD_STRINGS,
	  .offset = offsetof(struct dataset_spec, columns) },
	{ .name = "split",
	  .help = "map of type, column, probabilities, seed",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct dataset_spec, split_map) },
	{ .name = "sampling",
	  .help = "map of type",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct dataset_spec, sampling_map) },
	{ 0 },
};

static const struct field split_fields[] = {
	{ .name = "type",
	  .help = "fixed: the parts that the data has; random; stratify, hash, "
		  "datetime: by a column; auto: fixed where the data has parts",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct dataset_spec, split_type),
	  .names = split_names },
	{ .name = "column",
	  .help = "that decides; stratify: the output feature's if left out",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct dataset_spec, split_column) },
	{ .name = "probabilities",
	  .help = "shares of training, validation and test part",
	  .kind = FIELD_DOUBLES,
	  .offset = offsetof(struct dataset_spec, probabilities),
	  .min = 0,
	  .max = 1 },
	{ .name = "seed",
	  .help = "of the random split; -1: the job's",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct dataset_spec, split_seed),
	  .min = -1,
	  .max = 9e15,
	  .def = -1 },
	{ 0 },
};

static const struct field sampling_fields[] = {
	{ .name = "type",
	  .help = "classes equally often in training, by rows that come again "
		  "(oversample), that are left out (undersample), or by chance "
		  "(weighted)",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct dataset_spec, sampling),
	  .names = sampling_names },
	{ 0 },
};

struct dataset {
	const struct reader *reader;
	void *state;
	struct file_root *root;
	unsigned *input_column, *target_column;
	struct split_parts parts;
	const struct pipeline *pipeline;
	bool is_stream;
	struct digest identity; /* of the spec */
};

static enum err_code check_shares(struct dataset_spec *spec,
				  struct arena *arena, struct err *err)
{
	static const double usual[PART_COUNT] = { 0.8, 0.1, 0.1 };
	struct field_doubles *p = &spec->probabilities;
	double sum = 0;

	if (p->n == 0) {
		p->v = arena_copy(arena, usual, sizeof(usual));
		if (!p->v)
			return err_set(err, ERR_NO_MEMORY,
				       "data.split: out of memory");
		p->n = PART_COUNT;
	}
	for (size_t i = 0; i < p->n; i++)
		sum += p->v[i];
	if (p->n < 2 || p->n > PART_COUNT || fabs(sum - 1) > 1e-6 ||
	    p->v[0] <= 0)
		return err_set(err, ERR_INVALID,
			       "data.split.probabilities: expected 2 or 3 "
			       "shares that sum to 1 with a training part, got "
			       "%zu with the sum %g",
			       p->n, sum);
	return ERR_NONE;
}

static enum err_code refuse_format(const char *format, struct arena *arena,
				   struct err *err)
{
	const char *const *name = reader_names();
	const char *near = field_nearest(format, name), *all = "";

	for (; *name && all; name++)
		all =
		    arena_printf(arena, "%s%s%s", all, *all ? ", " : "", *name);
	return err_set(err, ERR_INVALID,
		       near ? "data.format: there is no format '%s', did you "
			      "mean '%s'?"
			    : "data.format: there is no format '%s' (there are "
			      "%s)",
		       format,
		       near  ? near
		       : all ? all
			     : "others");
}

enum err_code dataset_spec_read(const struct doc *map, struct dataset_spec *ret,
				struct arena *arena, struct err *err)
{
	struct dataset_spec spec = { 0 };
	enum err_code rc;

	rc = field_read(spec_fields, map, "data", NULL, &spec, arena, err);
	if (rc)
		return rc;
	rc = field_read(split_fields, spec.split_map, "data.split", NULL, &spec,
			arena, err);
	if (rc)
		return rc;
	rc = field_read(sampling_fields, spec.sampling_map, "data.sampling",
			NULL, &spec, arena, err);
	if (!rc)
		rc = check_shares(&spec, arena, err);
	if (rc)
		return rc;
	if (str_equal(spec.source, "synthetic"))
		spec.format = "synthetic";
	else if (!str_starts_with(spec.source, "path:") &&
		 !str_starts_with(spec.source, "upload:"))
		return err_set(err, ERR_INVALID,
			       "data.source: expected path:FOLDER, path:FILE, "
			       "upload:NAME or synthetic, got '%s'",
			       spec.source);
	if (spec.format && !reader_find(spec.format))
		return refuse_format(spec.format, arena, err);
	*ret = spec;
	return ERR_NONE;
}

void dataset_spec_schema(struct json_writer *writer)
{
	static const struct field_sub subs[] = {
		{ .name = "split", .table = split_fields },
		{ .name = "sampling", .table = sampling_fields },
		{ 0 },
	};

	field_schema(spec_fields, NULL, subs, writer);
}

void dataset_spec_write(const struct dataset_spec *spec,
			struct json_writer *writer)
{
	/* all but its maps, which follow as they were resolved */
	for (const struct field *f = spec_fields; f->name; f++) {
		const struct field row[2] = { *f, { 0 } };

		if (f->kind != FIELD_DOC)
			field_write(row, spec, writer);
	}
	json_write_object(writer, "split");
	field_write(split_fields, spec, writer);
	json_write_object_end(writer);
	json_write_object(writer, "sampling");
	field_write(sampling_fields, spec, writer);
	json_write_object_end(writer);
}

static enum err_code open_source(struct dataset *dataset,
				 const struct dataset_options *options,
				 struct reader_source *source, struct err *err)
{
	const char *path = options->spec->source + strlen("path:");
	int fd;
	enum err_code rc;

	source->shown = path;
	for (size_t i = 0; i < options->n_roots && !source->path; i++) {
		source->path = file_path_in(path, options->roots[i]);
		if (!source->path)
			continue;
		rc = file_root_open(options->roots[i], &dataset->root, err);
		if (rc)
			return rc;
	}
	if (!source->path)
		return err_set(err, ERR_INVALID,
			       "data.source: '%s' is not beneath a data root "
			       "(%s%s)",
			       path,
			       options->n_roots ? "the first is "
						: "none is configured: "
						  "--data-root DIR",
			       options->n_roots ? options->roots[0] : "");
	source->root = dataset->root;
	rc = file_root_openat(dataset->root, source->path, 0, &fd, err);
	if (rc)
		rc = file_root_openat(dataset->root, source->path, FILE_FOLDER,
				      &fd, err);
	if (rc) {
		(void)err_prefix(err, "data.source");
		return rc;
	}
	(void)close(fd);
	return ERR_NONE;
}

/* training/datasets.h: its files are in NAME/data. */
static enum err_code open_upload(struct dataset *dataset,
				 const struct dataset_options *options,
				 struct reader_source *source, struct err *err)
{
	const char *name = options->spec->source + strlen("upload:");
	struct file_root *all = NULL;
	char path[PATH_MAX];
	enum err_code rc;

	source->shown = name;
	source->path = ".";
	(void)snprintf(path, sizeof(path), "%s/data", name);
	rc = options->uploads ? file_root_open(options->uploads, &all, err)
			      : ERR_NOT_FOUND;
	if (!rc)
		rc = file_root_enter(all, path, &dataset->root, err);
	file_root_close(all);
	source->root = dataset->root;
	if (rc == ERR_NOT_FOUND || rc == ERR_FORBIDDEN)
		return err_set(err, ERR_NOT_FOUND,
			       "data.source: there is no dataset '%s' (PUT "
			       "/datasets/%s sends one)",
			       name, name);
	return rc;
}

static enum err_code choose_reader(struct dataset *dataset,
				   const struct dataset_spec *spec,
				   const struct reader_source *source,
				   struct err *err)
{
	if (spec->format)
		dataset->reader = reader_find(spec->format);
	else
		dataset->reader = reader_detect(source->root, source->path);
	if (dataset->reader)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "data.format: '%s' looks like none of the known formats "
		       "(csv, idx, image_folder, text); say which it is",
		       source->shown);
}

static enum err_code find_columns(struct dataset *dataset, struct err *err)
{
	const struct pipeline *p = dataset->pipeline;
	unsigned n_in = pipeline_n_inputs(p), n_out = pipeline_n_outputs(p);
	enum err_code rc = ERR_NONE;

	dataset->input_column = mem_array(n_in, sizeof(unsigned));
	dataset->target_column = mem_array(n_out, sizeof(unsigned));
	if (!dataset->input_column || !dataset->target_column)
		return err_set(err, ERR_NO_MEMORY, "data: out of memory");
	for (unsigned i = 0; i < n_in && !rc; i++)
		rc = dataset->reader->column(dataset->state,
					     pipeline_input_name(p, i), false,
					     &dataset->input_column[i], err);
	for (unsigned i = 0; i < n_out && !rc; i++)
		rc = dataset->reader->column(dataset->state,
					     pipeline_output_name(p, i), true,
					     &dataset->target_column[i], err);
	return rc;
}

/* The column that decides: that of a feature, or any that a table has. */
static enum err_code find_key_column(const struct dataset *dataset,
				     const struct dataset_spec *spec,
				     unsigned *ret, struct err *err)
{
	const struct pipeline *p = dataset->pipeline;
	const char *name = spec->split_column;
	bool is_output;
	enum err_code rc;

	if (!name && spec->split_type != SPLIT_STRATIFY)
		return err_set(err, ERR_INVALID,
			       "data.split: type %s needs a 'column'",
			       split_names[spec->split_type]);
	is_output = !name || str_equal(name, pipeline_output_name(p, 0));
	rc = dataset->reader->column(dataset->state,
				     name ? name : pipeline_output_name(p, 0),
				     is_output, ret, err);
	if (rc)
		(void)err_prefix(err, "data.split.column");
	return rc;
}

static enum err_code read_key(const struct dataset *dataset,
			      const struct dataset_spec *spec, unsigned column,
			      int64_t row, uint64_t *ret, struct err *err)
{
	struct raw_value value;
	char text[128];
	enum err_code rc =
	    dataset->reader->value(dataset->state, row, column, &value, err);

	if (rc)
		return rc;
	if (spec->split_type != SPLIT_DATETIME)
		*ret = split_hash(&value);
	else if (!split_rank(&value, ret))
		return err_set(err, ERR_INVALID,
			       "data.split.column: '%s' of row %lld is neither "
			       "a number nor a date such as 2024-05-31, got %s",
			       spec->split_column, (long long)row,
			       raw_value_text(&value, text, sizeof(text)));
	return ERR_NONE;
}

static enum err_code split_by_column(struct dataset *dataset,
				     const struct dataset_spec *spec, int64_t n,
				     uint64_t seed, struct err *err)
{
	struct split_key *key = NULL;
	unsigned column = 0;
	enum err_code rc;

	if (dataset->is_stream)
		return err_set(err, ERR_INVALID,
			       "data.split: rows of a text follow from each "
			       "other: expected type fixed or random, got %s",
			       split_names[spec->split_type]);
	rc = find_key_column(dataset, spec, &column, err);
	if (rc)
		return rc;
	key = mem_array((size_t)n, sizeof(*key));
	if (!key)
		return err_set(err, ERR_NO_MEMORY, "data: out of memory");
	split_random(n, &spec->probabilities, seed, &dataset->parts);
	for (int64_t i = 0; i < n && !rc; i++) {
		key[i].place = i;
		rc = read_key(dataset, spec, column, dataset->parts.row[i],
			      &key[i].key, err);
	}
	if (!rc)
		split_by_key((enum split_type)spec->split_type, n,
			     &spec->probabilities, key, &dataset->parts);
	mem_free(key);
	return rc;
}

static enum err_code choose_parts(struct dataset *dataset,
				  const struct dataset_spec *spec, int64_t n,
				  uint64_t seed, struct err *err)
{
	const struct field_doubles *shares = &spec->probabilities;
	const int64_t n_train = dataset->reader->n_fixed_train(dataset->state);
	const int type = spec->split_type;

	if (type == SPLIT_FIXED && n_train < 0)
		return err_set(err, ERR_INVALID,
			       "data.split: type fixed needs data with a "
			       "training and a test part; '%s' has one part: "
			       "use type random",
			       spec->source);
	if (n_train >= 0 && (type == SPLIT_AUTO || type == SPLIT_FIXED))
		split_fixed(n, n_train, &dataset->parts);
	else if (type > SPLIT_RANDOM)
		return split_by_column(dataset, spec, n, seed, err);
	else if (dataset->is_stream) /* its rows stay in order */
		split_in_order(n, shares, &dataset->parts);
	else
		split_random(n, shares, seed, &dataset->parts);
	return ERR_NONE;
}

static enum err_code split(struct dataset *dataset,
			   const struct dataset_options *options,
			   struct err *err)
{
	const struct dataset_spec *spec = options->spec;
	int64_t n = dataset->reader->n_rows(dataset->state);
	uint64_t seed =
	    spec->split_seed < 0 ? options->seed : (uint64_t)spec->split_seed;
	enum err_code rc;

	if (n < 1 || n > INT32_MAX)
		return err_set(err, ERR_INVALID,
			       "data.source: '%s' has %lld rows; 1 to 2^31 - 1 "
			       "are accepted",
			       spec->source, (long long)n);
	dataset->parts.row = mem_array((size_t)n, sizeof(int64_t));
	if (!dataset->parts.row)
		return err_set(err, ERR_NO_MEMORY,
			       "data: no memory for %lld row numbers",
			       (long long)n);
	rc = choose_parts(dataset, spec, n, seed, err);
	if (rc)
		return rc;
	if (dataset->parts.n[PART_TRAIN] < 1)
		return err_set(err, ERR_INVALID,
			       "data.source: '%s' has no training rows",
			       spec->source);
	return ERR_NONE;
}

/* Targets of a language model are what follows in a stream. */
static enum err_code check_stream(struct dataset *dataset, const char *shown,
				  struct err *err)
{
	const struct reader *reader = dataset->reader;

	dataset->is_stream =
	    reader->is_stream && reader->is_stream(dataset->state);
	if (dataset->is_stream || !pipeline_is_language(dataset->pipeline))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "data.format: a text output needs plain text (format: "
		       "text); '%s' is %s, whose rows do not follow from each "
		       "other",
		       shown, reader->name);
}

enum err_code dataset_create(const struct dataset_options *options,
			     struct dataset **ret_dataset, struct err *err)
{
	struct dataset *dataset = mem_zero(sizeof(*dataset));
	struct reader_source source = { .shown = options->spec->source,
					.rows = options->spec->rows,
					.columns = options->spec->columns,
					.seed = options->seed,
					.pipeline = options->pipeline };
	enum err_code rc = ERR_NONE;

	if (!dataset)
		return err_set(err, ERR_NO_MEMORY, "data: out of memory");
	dataset->pipeline = options->pipeline;
	digest_init(&dataset->identity);
	digest_update(&dataset->identity, options->spec->source,
		      strlen(options->spec->source));
	if (str_starts_with(options->spec->source, "path:"))
		rc = open_source(dataset, options, &source, err);
	else if (str_starts_with(options->spec->source, "upload:"))
		rc = open_upload(dataset, options, &source, err);
	if (!rc)
		rc = choose_reader(dataset, options->spec, &source, err);
	if (!rc)
		rc = dataset->reader->open(&source, &dataset->state, err);
	if (!rc)
		rc = find_columns(dataset, err);
	if (!rc)
		rc = check_stream(dataset, source.shown, err);
	if (!rc)
		rc = split(dataset, options, err);
	if (rc)
		goto out;
	*ret_dataset = dataset;
	dataset = NULL;
out:
	dataset_destroy(dataset);
	return rc;
}

void dataset_destroy(struct dataset *dataset)
{
	if (!dataset)
		return;
	if (dataset->state)
		dataset->reader->close(dataset->state);
	file_root_close(dataset->root);
	mem_free(dataset->input_column);
	mem_free(dataset->target_column);
	mem_free(dataset->parts.row);
	mem_free(dataset);
}

int64_t dataset_n(const struct dataset *dataset, enum dataset_part part)
{
	return dataset->parts.n[part];
}

const int64_t *dataset_rows(const struct dataset *dataset,
			    enum dataset_part part)
{
	return dataset->parts.row + dataset->parts.first[part];
}

bool dataset_is_stream(const struct dataset *dataset)
{
	return dataset->is_stream;
}

enum err_code dataset_input(const struct dataset *dataset, int64_t row,
			    unsigned i, struct raw_value *ret, struct err *err)
{
	return dataset->reader->value(dataset->state, row,
				      dataset->input_column[i], ret, err);
}

enum err_code dataset_target(const struct dataset *dataset, int64_t row,
			     unsigned i, struct raw_value *ret, struct err *err)
{
	return dataset->reader->value(dataset->state, row,
				      dataset->target_column[i], ret, err);
}

static void hash_value(struct digest *digest, const struct raw_value *value)
{
	digest_update(digest, &value->kind, sizeof(value->kind));
	if (value->kind == RAW_NUMBER)
		digest_update(digest, &value->number, sizeof(value->number));
	else if (value->kind == RAW_TENSOR)
		digest_update(
		    digest, value->tensor.data,
		    tensor_bytes(value->tensor.dtype, &value->tensor.shape));
	else
		digest_update(digest, value->bytes, value->len);
}

void dataset_fingerprint(const struct dataset *dataset,
			 char ret_hex[DIGEST_HEX_MAX])
{
	struct digest digest = dataset->identity;
	const struct pipeline *p = dataset->pipeline;
	int64_t total = 0;

	digest_update(&digest, dataset->parts.n, sizeof(dataset->parts.n));
	for (int part = 0; part < PART_COUNT; part++)
		total += dataset->parts.n[part];
	for (int64_t s = 0; s < FINGERPRINT_ROWS; s++) {
		int64_t row = dataset->parts.row[total * s / FINGERPRINT_ROWS];
		struct raw_value value;

		for (unsigned i = 0; i < pipeline_n_inputs(p); i++) {
			if (!dataset_input(dataset, row, i, &value, NULL))
				hash_value(&digest, &value);
		}
		for (unsigned i = 0; i < pipeline_n_outputs(p); i++) {
			if (!dataset_target(dataset, row, i, &value, NULL))
				hash_value(&digest, &value);
		}
	}
	digest_finish(&digest, ret_hex);
}

static enum err_code fit_feature(const struct dataset *dataset,
				 struct feature *feature, unsigned i,
				 struct err *err)
{
	const int64_t *row = dataset_rows(dataset, PART_TRAIN);
	struct raw_value value;
	enum err_code rc;

	if (!feature->kind->fit_begin)
		return ERR_NONE;
	rc = feature->kind->fit_begin(feature, err);
	for (int64_t r = 0; r < dataset->parts.n[PART_TRAIN] && !rc; r++) {
		rc = feature->is_output
			 ? dataset_target(dataset, row[r], i, &value, err)
			 : dataset_input(dataset, row[r], i, &value, err);
		if (!rc)
			rc = feature->kind->fit_value(feature, &value, err);
		if (rc)
			(void)err_prefix(err, "row %lld", (long long)row[r]);
	}
	if (rc && feature->kind->fit_drop)
		feature->kind->fit_drop(feature);
	return rc ? rc : feature->kind->fit_end(feature, err);
}

enum err_code dataset_fit(const struct dataset *dataset,
			  struct pipeline *pipeline, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < pipeline_n_inputs(pipeline) && !rc; i++)
		rc = fit_feature(dataset, pipeline_feature(pipeline, false, i),
				 i, err);
	for (unsigned i = 0; i < pipeline_n_outputs(pipeline) && !rc; i++)
		rc = fit_feature(dataset, pipeline_feature(pipeline, true, i),
				 i, err);
	return rc;
}
