/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reader: one kind of source of rows, a row of readers.def.
 *
 * open() looks at everything that can be wrong; value() then gives raw values
 * of any row to any thread.
 *
 * Ownership: the state is the dataset's; raw values borrow from it.
 * Threads:   value() from any thread.
 */
#ifndef DATA_READER_H
#define DATA_READER_H

#include "base/field.h"
#include "data/pipeline.h"

struct file_root;

/** What a reader opens. */
struct reader_source {
	const struct file_root *root; /**< NULL: the source is no path */
	const char *path;	      /**< beneath root; "." is root itself */
	const char *shown;	      /**< as the user wrote it, for messages */
	int64_t rows;		      /**< synthetic: how many */
	struct field_strings columns; /**< csv: names that no line tells */
	uint64_t seed;
	const struct pipeline *pipeline;
};

struct reader {
	const char *name, *help;
	/** Does the file or folder look like one of this kind? NULL: never.
	 */
	bool (*detects)(const struct file_root *root, const char *path);
	enum err_code (*open)(const struct reader_source *source,
			      void **ret_state, struct err *err);
	int64_t (*n_rows)(const void *state);
	/** Rows before this are the given training part; -1: none is given. */
	int64_t (*n_fixed_train)(const void *state);
	/** Is row i + 1 what follows row i? NULL: no. Such rows stay in order.
	 */
	bool (*is_stream)(const void *state);
	/** Column for a feature; ERR_INVALID lists those that exist. */
	enum err_code (*column)(const void *state, const char *feature,
				bool is_output, unsigned *ret_column,
				struct err *err);
	enum err_code (*value)(const void *state, int64_t row, unsigned column,
			       struct raw_value *ret, struct err *err);
	void (*close)(void *state);
};

/** NULL when there is none of that name. */
const struct reader *reader_find(const char *name);
/** The first whose detects() says yes, or NULL. */
const struct reader *reader_detect(const struct file_root *root,
				   const char *path);
/** Names, ending with NULL. */
const char *const *reader_names(void);
/** Is it a folder beneath the root? */
bool reader_is_folder(const struct file_root *root, const char *path);
struct reader_files {
	const char **name;
	size_t n;
};
/** Names in a folder beneath the root, `max` at most, in byte order. */
MUST_USE enum err_code reader_list(const struct file_root *root,
				   const char *path, size_t max,
				   struct arena *arena,
				   struct reader_files *ret, struct err *err);

#endif
