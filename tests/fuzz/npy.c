/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>

#include "base/arena.h"
#include "base/buf.h"
#include "models/npy.h"

enum { MEMORY = 16 << 20 };

/* What was accepted is written and read back as the same. */
static void round_trip(const struct tensor_view *view, struct arena *arena)
{
	struct tensor_view again;
	struct buf buf;

	buf_init(&buf, MEMORY);
	if (!npy_write(view, "fuzz", &buf, NULL)) {
		enum err_code rc =
		    npy_parse(buf.data, buf.len, "again", arena, &again, NULL);

		assert(rc == ERR_NONE || rc == ERR_NO_MEMORY);
		assert(rc || shape_equal(&view->shape, &again.shape));
		assert(rc || !memcmp(view->data, again.data,
				     tensor_bytes(view->dtype, &view->shape)));
	}
	buf_finish(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(MEMORY);
	struct tensor_view view;
	struct err err;

	if (!arena)
		return 0;
	if (!npy_parse(data, size, "fuzz", arena, &view, &err))
		round_trip(&view, arena);
	arena_destroy(arena);
	return 0;
}
