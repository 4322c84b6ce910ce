/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "training/job_spec.h"

enum { ARENA = 64 << 20, TEXT_MAX = 1 << 24 };

static void write_spec(const struct job_spec *spec, struct buf *buf)
{
	struct err err = { 0 };

	buf_init(buf, TEXT_MAX);
	assert(job_spec_write(spec, buf, &err) == ERR_NONE);
}

/* What was read is written so that it reads back to the same. */
static void check(const struct job_spec *spec, struct arena *arena)
{
	struct job_spec again;
	struct buf once, twice;
	struct err err = { 0 };

	write_spec(spec, &once);
	if (!job_spec_parse(once.data, once.len, "again", &again, arena,
			    &err)) {
		write_spec(&again, &twice);
		assert(once.len == twice.len &&
		       !memcmp(once.data, twice.data, once.len));
		buf_finish(&twice);
	} else {
		assert(err.code == ERR_NO_MEMORY);
	}
	buf_finish(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(ARENA);
	struct job_spec spec;
	struct err err = { 0 };

	if (!arena)
		return 0;
	if (job_spec_parse((const char *)data, size, "input", &spec, arena,
			   &err))
		assert(*err.msg);
	else
		check(&spec, arena);
	arena_destroy(arena);
	return 0;
}
