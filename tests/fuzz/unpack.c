/* SPDX-License-Identifier: Apache-2.0 */
/* An archive from outside: whatever its bytes are, nothing is written but
 * beneath the folder, and no more than the limits say. */
#include "data/unpack.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

enum { BYTES_MAX = 1 << 16, FILES_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unpack_limits limits = { BYTES_MAX, FILES_MAX };
	char dir[] = "/tmp/fuzz-unpack-XXXXXX", into[64], path[64];
	struct unpack_result result = { 0 };
	struct err err = { 0 };
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || !mkdtemp(dir) || write(fd, data, size) != (ssize_t)size)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)snprintf(into, sizeof(into), "%s/data", dir);
	if (!file_make_dirs(into, &err)) {
		if (unpack_archive(path, into, &limits, &result, &err))
			assert(*err.msg);
		else
			assert(result.n_bytes <= BYTES_MAX &&
			       result.n_files <= FILES_MAX &&
			       result.n_files > 0);
	}
	assert(file_remove_tree(dir, &err) == ERR_NONE);
	(void)close(fd);
	return 0;
}
