/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A pipeline and a dataset from a YAML text, for the tests of data/.
 *
 * Ownership: text_pipeline_finish() ends both. Threads: one.
 */
#ifndef TESTS_UNIT_DATA_PIPELINE_TEXT_H
#define TESTS_UNIT_DATA_PIPELINE_TEXT_H

#include <criterion/criterion.h>

#include "data/dataset.h"

struct text_pipeline {
	struct arena *arena;
	struct doc *doc;
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct err err;
};

static inline enum err_code text_pipeline_init(struct text_pipeline *t,
					       const char *yaml)
{
	*t = (struct text_pipeline){ .arena = arena_create(1 << 20) };
	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "test", t->arena,
				    &t->doc, &t->err),
		     ERR_NONE, "%s", t->err.msg);
	return pipeline_create(doc_find(t->doc, "input_features"),
			       doc_find(t->doc, "output_features"),
			       &t->pipeline, &t->err);
}

static inline enum err_code text_dataset_init(struct text_pipeline *t,
					      const char *root)
{
	const char *roots[] = { root };
	struct dataset_spec spec;
	struct dataset_options options = { .spec = &spec,
					   .pipeline = t->pipeline,
					   .roots = roots,
					   .n_roots = root ? 1 : 0,
					   .seed = 7 };
	enum err_code rc = dataset_spec_read(doc_find(t->doc, "data"), &spec,
					     t->arena, &t->err);

	return rc ? rc : dataset_create(&options, &t->dataset, &t->err);
}

static inline void text_pipeline_finish(struct text_pipeline *t)
{
	dataset_destroy(t->dataset);
	pipeline_destroy(t->pipeline);
	arena_destroy(t->arena);
}

#endif
