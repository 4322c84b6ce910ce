/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Targets that a loss has no meaning for.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "training/baseline.h"

#define JOB                                                          \
	"input_features: [{name: x, type: number}]\n"                \
	"output_features: [{name: y, type: %s, loss: {type: %s}}]\n" \
	"data: {source: 'path:%s/t.csv'}\n"

/* What checking says of a table with two rows, whose targets are given. */
static enum err_code check(const char *type, const char *loss_type,
			   const char *targets, struct err *err)
{
	char folder[] = "/tmp/predictd-test-XXXXXX", text[512], path[256];
	struct arena *arena = arena_create(1 << 20);
	const char *roots[] = { folder };
	struct dataset_spec spec;
	struct dataset_options options = { .spec = &spec,
					   .roots = roots,
					   .n_roots = 1 };
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct loss loss;
	struct doc *doc;
	const struct doc *output;
	enum err_code rc;

	cr_assert(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/t.csv", folder);
	cr_assert_eq(file_write_atomic(path, targets, strlen(targets), err), 0);
	(void)snprintf(text, sizeof(text), JOB, type, loss_type, folder);
	cr_assert_eq(
	    doc_parse_yaml(text, strlen(text), "job", arena, &doc, err), 0);
	output = doc_find(doc, "output_features");
	cr_assert_eq(pipeline_create(doc_find(doc, "input_features"), output,
				     &pipeline, err),
		     0, "%s", err->msg);
	cr_assert_eq(
	    dataset_spec_read(doc_find(doc, "data"), &spec, arena, err), 0);
	options.pipeline = pipeline;
	cr_assert_eq(dataset_create(&options, &dataset, err), 0, "%s",
		     err->msg);
	cr_assert_eq(dataset_fit(dataset, pipeline, err), 0, "%s", err->msg);
	cr_assert_eq(loss_read(doc_find(output->first, "loss"), "number", 1,
			       &loss, arena, err),
		     0, "%s", err->msg);
	rc = baseline_check_targets(dataset, pipeline, &loss, err);
	dataset_destroy(dataset);
	pipeline_destroy(pipeline);
	arena_destroy(arena);
	cr_assert_eq(file_remove_tree(folder, NULL), 0);
	return rc;
}

Test(targets, shares_are_from_0_to_1)
{
	static const char *const losses[] = {
		"binary_cross_entropy", "binary_cross_entropy_with_logits",
		"dice", "focal"
	};
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		cr_expect_eq(
		    check("number", losses[i], "x,y\n1,0\n2,1\n3,0.5\n", &err),
		    ERR_NONE, "%s", err.msg);
		cr_expect_eq(
		    check("number", losses[i], "x,y\n1,0\n2,-0.5\n3,1\n", &err),
		    ERR_INVALID);
		cr_expect(strstr(err.msg, "row 1 has -0.5"), "%s", err.msg);
	}
	cr_expect_eq(check("number", "mse", "x,y\n1,0\n2,-7\n", &err),
		     ERR_NONE);
	cr_expect_eq(check("number", "hinge", "x,y\n1,-1\n2,1\n", &err),
		     ERR_NONE);
}
