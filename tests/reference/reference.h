/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reference numbers: the files of this folder, or of PREDICTD_REFERENCE_DIR,
 * which may hold a set made with another seed. README.md says what they hold.
 * The files of generate.py must be in that folder; those of generate_more.py
 * are taken from here where it has none.
 *
 * Everything here asserts: a test has nothing to do without its numbers.
 */
#ifndef TESTS_REFERENCE_REFERENCE_H
#define TESTS_REFERENCE_REFERENCE_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/file.h"
#include "models/safetensors.h"

struct reference {
	struct arena *arena;
	struct file_map map;
	struct safetensors file;
	struct doc *meta; /**< the JSON of the same name */
	bool *is_seen;	  /**< by tensor: it was asked for */
};

/** NAME.safetensors and NAME.json. */
void reference_open(const char *name, struct reference *ret);
/** NAME.safetensors alone. */
void reference_open_tensors(const char *name, struct reference *ret);
/** NAME.json alone. */
void reference_open_meta(const char *name, struct reference *ret);
void reference_close(struct reference *reference);
/** NULL when there is none of that name. */
const struct tensor_view *reference_find(const struct reference *reference,
					 const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** It must be there. */
const struct tensor_view *reference_get(const struct reference *reference,
					const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Expects that every tensor of the file was asked for: one that no test looks
 * at is told by its name. */
void reference_expect_all_seen(const struct reference *reference);
/** Expects n floats within tolerance of the largest magnitude of want. */
void reference_compare(const char *what, const struct tensor_view *want,
		       const float *got, double tolerance);

#endif
