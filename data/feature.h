/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Feature: one kind of column, a row of features.def.
 *
 * The options struct of a kind holds what the user declared and what was
 * fitted; its one table of fields reads both from a job spec or from
 * model.yaml and writes them back.
 *
 * Ownership: a feature lives in its pipeline's arena.
 * Threads:   fit in one thread; a fitted feature is read only.
 */
#ifndef DATA_FEATURE_H
#define DATA_FEATURE_H

#include "base/field.h"
#include "data/augment.h"
#include "data/pipeline.h"

struct feature {
	const struct feature_kind *kind;
	const char *name;
	bool is_output;
	void *state; /**< kind->size bytes, filled by kind->fields */
	struct arena *arena;
};

/** What a kind knows of tokens. */
struct feature_language {
	/** Numbers of a value's tokens, of which cap fit; how many there are.
	 */
	size_t (*tokens)(const struct feature *feature,
			 const struct raw_value *value, int64_t *id,
			 size_t cap);
	/** A token's own bytes; *ret_blank: a blank parts it from the one
	 * before. Nothing of what is unknown. */
	struct token (*spell)(const struct feature *feature, int64_t before,
			      int64_t id, bool *ret_blank);
	/** Characters that n tokens in a row stand for. */
	double (*characters)(const struct feature *feature, const int64_t *id,
			     int64_t n);
	void (*cut)(const struct feature *feature, struct text_cut *ret);
};

/** Also every feature's own keys: name and type. */
struct feature_kind {
	const char *name, *help;
	const struct field *fields;
	size_t size;
	/** Checks the options together, fills what follows from them. */
	enum err_code (*create)(struct feature *feature, struct err *err);
	/** Of an output that goes by an input: the one of its name, or NULL.
	 * NULL: it stands alone. */
	enum err_code (*link)(struct feature *feature, struct feature *input,
			      struct err *err);
	/** One row of the tensor; width: what the network gives for an output.
	 */
	void (*row)(const struct feature *feature, enum dtype *ret_dtype,
		    struct shape *ret_row, int64_t *ret_width);
	/** Numbers of a raw value, where row() says another count. NULL: the
	 * row is as the raw value. */
	int64_t (*count)(const struct feature *feature);
	/** Of an input that is an index below the width; 0: the network
	 * chooses. NULL: it is no index. */
	int64_t (*embedding_size)(const struct feature *feature);
	/* Fitting: begin, each training value, end. NULL where none is needed.
	 */
	enum err_code (*fit_begin)(struct feature *feature, struct err *err);
	enum err_code (*fit_value)(struct feature *feature,
				   const struct raw_value *value,
				   struct err *err);
	enum err_code (*fit_end)(struct feature *feature, struct err *err);
	/** In place of fit_end() where a value failed. */
	void (*fit_drop)(struct feature *feature);
	enum err_code (*encode)(const struct feature *feature,
				const struct raw_value *value, void *out,
				struct err *err);
	/** Changes a row as encode() wrote it; room is as large. NULL: there is
	 * nothing to change. */
	void (*augment)(const struct feature *feature,
			const struct augment_spec *spec,
			const struct augment_place *place, void *row,
			void *room);
	/** NULL: cannot be an output. */
	void (*decode)(const struct feature *feature, const float *row,
		       int64_t width, struct json_writer *writer);
	/** Of an index that it encodes to; NULL: of none. The function may be
	 * NULL: there are no labels. */
	const char *(*label)(const struct feature *feature, int64_t index);
	const struct feature_language *language; /**< NULL: no text */
};

const struct feature_kind *feature_kind_find(const char *name);
const char *const *feature_kind_names(void);

/** "a number", "text", "a picture's bytes", "an array of [28,28]". */
const char *raw_value_text(const struct raw_value *value, char *text,
			   size_t cap);
/** Element i of a numeric tensor as a double. */
double raw_value_element(const struct tensor_view *view, int64_t i);

/* data/pipeline.c, for dataset_fit() */
struct feature *pipeline_feature(struct pipeline *pipeline, bool is_output,
				 unsigned i);

#endif
