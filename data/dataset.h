/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Dataset: rows of raw values for the features of a pipeline, split in parts.
 *
 * Ownership: create/destroy; borrows the pipeline. Raw values borrow from it.
 * Threads:   read only once made; values from any thread.
 * Limits:    2^31 - 1 rows; files beneath the data roots only.
 */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "base/digest.h"
#include "base/field.h"
#include "data/pipeline.h"

enum dataset_part { PART_TRAIN, PART_VALID, PART_TEST, PART_COUNT };

enum split_type {
	SPLIT_AUTO,
	SPLIT_FIXED,
	SPLIT_RANDOM,
	SPLIT_STRATIFY,
	SPLIT_HASH,
	SPLIT_DATETIME,
};
/** Which rows an epoch of training takes (data/sampling.h). */
enum sampling_type {
	SAMPLING_NONE,
	SAMPLING_OVERSAMPLE,
	SAMPLING_UNDERSAMPLE,
	SAMPLING_WEIGHTED,
};

/** The map `data` of a job. */
struct dataset_spec {
	const char *source; /**< "path:/folder", of a file, "upload:name", or
			       "synthetic" */
	const char *format; /**< NULL: told from the folder */
	int64_t rows;	    /**< synthetic */
	struct field_strings columns; /**< csv without a line of names */
	const struct doc *split_map;
	int split_type; /**< enum split_type */
	struct field_doubles probabilities;
	int64_t split_seed; /**< -1: the job's */
	const char *split_column;
	const struct doc *sampling_map;
	int sampling; /**< enum sampling_type */
};

struct dataset;

/** Reads and checks `data`; nothing is opened. */
MUST_USE enum err_code dataset_spec_read(const struct doc *map,
					 struct dataset_spec *ret,
					 struct arena *arena, struct err *err);
/** The resolved members, into the object that is open. */
void dataset_spec_write(const struct dataset_spec *spec,
			struct json_writer *writer);

/** The members of its JSON Schema. */
void dataset_spec_schema(struct json_writer *writer);

struct dataset_options {
	const struct dataset_spec *spec;
	const struct pipeline *pipeline;
	const char *const *roots; /**< where paths may lead */
	size_t n_roots;
	const char *uploads; /**< folder of "upload:" sources; NULL: none */
	uint64_t seed;
};

MUST_USE enum err_code dataset_create(const struct dataset_options *options,
				      struct dataset **ret_dataset,
				      struct err *err);
void dataset_destroy(struct dataset *dataset);

int64_t dataset_n(const struct dataset *dataset, enum dataset_part part);
/** Row numbers of a part. */
const int64_t *dataset_rows(const struct dataset *dataset,
			    enum dataset_part part);
/** Does row i + 1 go on where row i ends? Then parts are stretches, with
 * their rows in order. */
bool dataset_is_stream(const struct dataset *dataset);
MUST_USE enum err_code dataset_input(const struct dataset *dataset, int64_t row,
				     unsigned i, struct raw_value *ret,
				     struct err *err);
MUST_USE enum err_code dataset_target(const struct dataset *dataset,
				      int64_t row, unsigned i,
				      struct raw_value *ret, struct err *err);
/** SHA-256 over source, parts and a sample of values: a resumed job refuses
 * other data. */
void dataset_fingerprint(const struct dataset *dataset,
			 char ret_hex[DIGEST_HEX_MAX]);

/** Fits the pipeline's features on the training part. */
MUST_USE enum err_code dataset_fit(const struct dataset *dataset,
				   struct pipeline *pipeline, struct err *err);

#endif
