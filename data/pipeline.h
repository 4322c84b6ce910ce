/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pipeline: the features of a model, fitted on the training split, saved in
 * the model, applied by /predict: no difference between training and serving.
 *
 * A feature turns one column of raw values (a picture's bytes, a number, a
 * text) into one input or target tensor of the graph, and an output feature
 * turns a row of the network's output back into a prediction. Kinds are rows
 * of features.def (data/feature.h).
 *
 * Ownership: create/destroy; a fitted pipeline is immutable.
 * Threads:   a fitted pipeline may be applied from any thread.
 */
#ifndef DATA_PIPELINE_H
#define DATA_PIPELINE_H

#include <stdbool.h>

#include "base/doc.h"
#include "data/features/token.h"
#include "engine/tensor.h"

struct augment_place;
struct augment_spec;
struct field_sub;
struct json_writer;
struct pipeline;

/** How a text is cut into rows of tokens. */
struct text_cut {
	enum token_level level;
	int64_t length; /**< tokens of a row */
};

/** One raw value of one row, before any feature. */
enum raw_kind { RAW_MISSING, RAW_NUMBER, RAW_TEXT, RAW_BYTES, RAW_TENSOR };
struct raw_value {
	enum raw_kind kind;
	double number;
	const char *bytes; /**< RAW_TEXT, RAW_BYTES (an encoded picture) */
	size_t len;
	struct tensor_view tensor; /**< RAW_TENSOR: plain arrays, row by row */
};

/** From the maps `input_features` and `output_features` of a job spec or of
 * model.yaml; a saved state among their keys makes it fitted. */
MUST_USE enum err_code pipeline_create(const struct doc *input_features,
				       const struct doc *output_features,
				       struct pipeline **ret_pipeline,
				       struct err *err);
/** The members of the JSON Schema of a list of features. */
void pipeline_schema(bool is_output, const struct field_sub *sub,
		     struct json_writer *writer);
void pipeline_destroy(struct pipeline *pipeline);

unsigned pipeline_n_inputs(const struct pipeline *pipeline);
unsigned pipeline_n_outputs(const struct pipeline *pipeline);
const char *pipeline_input_name(const struct pipeline *pipeline, unsigned i);
const char *pipeline_output_name(const struct pipeline *pipeline, unsigned i);
/** Name of the kind: "image", "category", "number", "vector". */
const char *pipeline_input_type(const struct pipeline *pipeline, unsigned i);
const char *pipeline_output_type(const struct pipeline *pipeline, unsigned i);
/** Label of an index of a category; NULL: the index or the feature has none. */
const char *pipeline_label(const struct pipeline *pipeline, bool is_output,
			   unsigned i, int64_t index);
/** Type and shape of one row of input i. */
void pipeline_input_row(const struct pipeline *pipeline, unsigned i,
			enum dtype *ret_dtype, struct shape *ret_row);
/** The same of a raw value that is an array. */
void pipeline_input_raw_row(const struct pipeline *pipeline, unsigned i,
			    enum dtype *ret_dtype, struct shape *ret_row);
/** Indices that a category may give, 1 for a number, 0 where it says nothing.
 */
int64_t pipeline_input_width(const struct pipeline *pipeline, unsigned i);
/** Of an index: the width of its embedding, 0 where the network chooses; -1
 * where input i is none. */
int64_t pipeline_input_embedding_size(const struct pipeline *pipeline,
				      unsigned i);
/** Type and shape of one row of target i, and the width that the network
 * must give for it (classes of a category, 1 for a number). */
void pipeline_target_row(const struct pipeline *pipeline, unsigned i,
			 enum dtype *ret_dtype, struct shape *ret_row,
			 int64_t *ret_width);

/** Writes the row of input i into out (of pipeline_input_row's size).
 * ERR_INVALID names the feature, what it takes and what came. */
MUST_USE enum err_code pipeline_encode_input(const struct pipeline *pipeline,
					     unsigned i,
					     const struct raw_value *value,
					     void *out, struct err *err);
/** Changes rows of input i that were just encoded as they might have been;
 * room is as large as a row. False: that kind is never changed. */
bool pipeline_augment_input(const struct pipeline *pipeline, unsigned i,
			    const struct augment_spec *spec,
			    const struct augment_place *place, void *row,
			    void *room);
/** Would that change any input? */
bool pipeline_can_augment(const struct pipeline *pipeline);
MUST_USE enum err_code pipeline_encode_target(const struct pipeline *pipeline,
					      unsigned i,
					      const struct raw_value *value,
					      void *out, struct err *err);
/** Writes the prediction of output i from one row of the network's output
 * (logits of a category): {"label": .., "probability": .., ...}. */
void pipeline_decode_output(const struct pipeline *pipeline, unsigned i,
			    const float *row, int64_t width,
			    struct json_writer *writer);
/** Does the first output predict the tokens of a text? The rest is of such a
 * pipeline only. */
bool pipeline_is_language(const struct pipeline *pipeline);
struct text_cut pipeline_text_cut(const struct pipeline *pipeline);
/** The same of input i; false where it is no text. */
bool pipeline_input_cut(const struct pipeline *pipeline, unsigned i,
			struct text_cut *ret);
/** Numbers of a text's tokens, of which cap are kept; how many there are. */
size_t pipeline_tokens(const struct pipeline *pipeline,
		       const struct raw_value *value, int64_t *id, size_t cap);
/** A token's bytes, which a NUL does not end; *ret_blank: a blank parts it
 * from token `before`. What is unknown has none. */
const char *pipeline_spell(const struct pipeline *pipeline, int64_t before,
			   int64_t id, size_t *ret_len, bool *ret_blank);
/** Characters that n tokens in a row stand for. */
double pipeline_characters(const struct pipeline *pipeline, const int64_t *id,
			   int64_t n);
/** The members "input_features" and "output_features" with their fitted state,
 * into the object that is open: what pipeline_create() reads back. */
void pipeline_save(const struct pipeline *pipeline, struct json_writer *writer);

#endif
