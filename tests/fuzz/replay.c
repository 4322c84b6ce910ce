/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILES_MAX = 100000, FILE_BYTES_MAX = 1 << 24 };

/* Every prefix of a small file is a case of its own: lengths are where
 * parsers of bytes go wrong. */
enum { PREFIX_MAX = 2048 };

static enum err_code replay(const char *path, struct err *err)
{
	char *data;
	size_t len;
	enum err_code rc;

	rc = file_read_all(path, FILE_BYTES_MAX, &data, &len, err);
	if (rc)
		return rc;
	LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	for (size_t n = 0; n < len && len <= PREFIX_MAX; n++) {
		/* a copy of its own, so that a read past its end is seen */
		uint8_t *copy = mem_alloc(n + 1);

		if (!copy)
			break;
		memcpy(copy, data, n);
		LLVMFuzzerTestOneInput(copy, n);
		mem_free(copy);
	}
	mem_free(data);
	return ERR_NONE;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_create(64 << 20);
	struct err err = { 0 };
	const char **names = NULL;
	size_t n = 0;
	enum err_code rc;

	if (argc != 2 || !arena) {
		(void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	rc = file_list_dir(argv[1], FILES_MAX, arena, &names, &n, &err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = replay(arena_printf(arena, "%s/%s", argv[1], names[i]),
			    &err);
	if (rc)
		(void)fprintf(stderr, "%s\n", err.msg);
	else
		printf("%zu files replayed\n", n);
	arena_destroy(arena);
	return rc || !n;
}
