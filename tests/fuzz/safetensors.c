/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/buf.h"
#include "models/safetensors.h"

/* What was accepted is written and read back as the same. */
static void round_trip(const struct safetensors *file, struct arena *arena)
{
	struct safetensors again;
	struct err err;
	struct buf buf;

	buf_init(&buf, 64 << 20);
	if (!safetensors_write(file, &buf, &err)) {
		enum err_code rc = safetensors_parse(buf.data, buf.len, "again",
						     arena, &again, &err);
		assert(rc == ERR_NONE || rc == ERR_NO_MEMORY);
		assert(rc || again.n == file->n);
	}
	buf_finish(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(64 << 20);
	struct safetensors file;
	struct err err;

	if (!arena)
		return 0;
	if (!safetensors_parse(data, size, "fuzz", arena, &file, &err))
		round_trip(&file, arena);
	arena_destroy(arena);
	return 0;
}
