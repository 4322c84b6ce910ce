/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

/* No object is larger; refused here, where a sanitizer would stop. */
static const size_t size_limit = PTRDIFF_MAX - HUGE_PAGE;

/* Tests set it to walk through every failure; 0 never fails. */
static _Thread_local unsigned long fuse; /* NOLINT(*-global-variables) */

static bool fuse_blows(void)
{
	return fuse && --fuse == 0;
}

void mem_fail_at(unsigned long n)
{
	fuse = n;
}

void *mem_alloc(size_t size)
{
	if (size > size_limit || fuse_blows())
		return NULL;
	return malloc(size ? size : 1);
}

void *mem_zero(size_t size)
{
	return mem_array(1, size);
}

void *mem_array(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > size_limit ||
	    fuse_blows())
		return NULL;
	return calloc(1, bytes ? bytes : 1);
}

void *mem_resize(void *block, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > size_limit ||
	    fuse_blows())
		return NULL;
	return realloc(block, bytes ? bytes : 1);
}

void *mem_aligned(size_t size)
{
	if (size > size_limit || fuse_blows())
		return NULL;
	size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	return aligned_alloc(CACHE_LINE, size ? size : CACHE_LINE);
}

void *mem_large(size_t size)
{
	const size_t whole = size / HUGE_PAGE * HUGE_PAGE;
	void *block;

	if (!whole)
		return mem_aligned(size);
	if (size > size_limit - HUGE_PAGE || fuse_blows())
		return NULL;
	size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	if (posix_memalign(&block, HUGE_PAGE, size))
		return NULL;
	/* a refusal costs speed only */
	(void)madvise(block, whole, MADV_HUGEPAGE);
	return block;
}

char *mem_strdup(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = mem_alloc(size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = mem_alloc((size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void mem_set_regions(unsigned n_threads)
{
	/* before there are threads
	 * NOLINTNEXTLINE(concurrency-mt-unsafe) */
	(void)mallopt(M_ARENA_MAX, (int)(n_threads < 2 ? 2 : n_threads));
}

void mem_trim(void)
{
	(void)malloc_trim(0);
}

void mem_forget(void *bytes, size_t n)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t at = (uintptr_t)bytes;
	const uintptr_t first = (at + page - 1) / page * page;
	const uintptr_t end = (at + n) / page * page;

	if (first < end)
		(void)madvise((char *)bytes + (first - at), end - first,
			      MADV_DONTNEED);
}

size_t mem_resident(void)
{
	char text[128];
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *second;

	if (fd >= 0)
		(void)close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	second = strchr(text, ' ');
	return second ? (size_t)strtoull(second, NULL, 10) *
			    (size_t)sysconf(_SC_PAGESIZE)
		      : 0;
}

void mem_free(void *block)
{
	free(block);
}
