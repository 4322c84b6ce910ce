/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Scratch: a folder of a test's own, which ends with it.
 *
 * Threads: one folder a test.
 */
#ifndef TESTS_UNIT_MODELS_SCRATCH_H
#define TESTS_UNIT_MODELS_SCRATCH_H

#include <criterion/criterion.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct scratch {
	char path[64];
	char text[PATH_MAX];
};

static inline void scratch_begin(struct scratch *s)
{
	(void)snprintf(s->path, sizeof(s->path),
		       "/tmp/models-test-"
		       "XX"
		       "XX"
		       "XX");
	cr_assert_not_null(mkdtemp(s->path));
}

static inline void scratch_end(struct scratch *s)
{
	cr_assert_eq(file_remove_tree(s->path, NULL), ERR_NONE);
}

/** A path in it; good until the next call. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
	(void)snprintf(s->text, sizeof(s->text), "%s/%s", s->path, name);
	return s->text;
}

static inline void scratch_dir(struct scratch *s, const char *name)
{
	cr_assert_eq(file_make_dirs(scratch_path(s, name), NULL), ERR_NONE);
}

static inline void scratch_file(struct scratch *s, const char *name,
				const void *bytes, size_t len)
{
	struct err err;

	cr_assert_eq(file_write_atomic(scratch_path(s, name), bytes, len, &err),
		     ERR_NONE, "%s", err.msg);
}

#endif
