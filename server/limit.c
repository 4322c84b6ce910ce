/* SPDX-License-Identifier: Apache-2.0 */
#include "server/limit.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { SHARE = 4, FALLBACK_BYTES = 256 << 20 };

/* A cgroup's file with one number; SIZE_MAX for "max" or none. */
static size_t read_limit(const char *path)
{
	uint64_t value = UINT64_MAX;
	char *text;
	size_t len;

	if (file_read_all(path, 4096, &text, &len, NULL))
		return SIZE_MAX;
	text[strcspn(text, "\n")] = '\0';
	if (!str_parse_uint64(text, &value))
		value = UINT64_MAX;
	mem_free(text);
	return (size_t)value;
}

size_t limit_usable_bytes(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES);
	const long page = sysconf(_SC_PAGESIZE);
	size_t machine = pages > 0 && page > 0 ? (size_t)pages * (size_t)page
					       : FALLBACK_BYTES;
	size_t cgroup = read_limit("/sys/fs/cgroup/memory.max");

	return cgroup < machine ? cgroup : machine;
}

void limit_init(struct limit *limit, size_t max_bytes)
{
	limit->max_bytes = max_bytes ? max_bytes : limit_usable_bytes() / SHARE;
	atomic_init(&limit->held_bytes, 0);
	atomic_init(&limit->n_refused, 0);
}

enum err_code limit_take(struct limit *limit, size_t bytes, struct err *err)
{
	size_t held = atomic_fetch_add_explicit(&limit->held_bytes, bytes,
						memory_order_relaxed);

	if (bytes <= limit->max_bytes && held <= limit->max_bytes - bytes)
		return ERR_NONE;
	limit_give(limit, bytes);
	atomic_fetch_add_explicit(&limit->n_refused, 1, memory_order_relaxed);
	if (bytes > limit->max_bytes)
		return err_set(err, ERR_TOO_LARGE,
			       "%zu bytes are more than all requests together "
			       "may hold, which is %zu",
			       bytes, limit->max_bytes);
	return err_set(err, ERR_BUSY,
		       "the requests under way hold %zu of %zu bytes; %zu more "
		       "do not fit now",
		       held, limit->max_bytes, bytes);
}

void limit_give(struct limit *limit, size_t bytes)
{
	atomic_fetch_sub_explicit(&limit->held_bytes, bytes,
				  memory_order_relaxed);
}
