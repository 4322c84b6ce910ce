/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

enum { NAME_MAX_LEN = 128, FILE_MAX_BYTES = 1 << 24 };

/* Another set need not have what generate_more.py makes. */
static const char *folder(const char *name)
{
	const char *dir = getenv("PREDICTD_REFERENCE_DIR");
	char path[4096];

	if (!dir || !dir[0])
		return PREDICTD_REFERENCE_DEFAULT;
	if (!str_ends_with(name, "_more"))
		return dir;
	snprintf(path, sizeof(path), "%s/%s.json", dir, name);
	return access(path, R_OK) ? PREDICTD_REFERENCE_DEFAULT : dir;
}

void reference_open_meta(const char *name, struct reference *ret)
{
	struct file_map text = { NULL, 0 };
	struct err err = { .code = ERR_NONE };
	char path[4096];

	*ret = (struct reference){ .arena = arena_create(FILE_MAX_BYTES) };
	cr_assert(ret->arena);
	snprintf(path, sizeof(path), "%s/%s.json", folder(name), name);
	cr_assert_eq(file_map_open(path, &text, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(doc_parse_json((const char *)text.data, text.len, path,
				    ret->arena, &ret->meta, &err),
		     ERR_NONE, "%s", err.msg);
	file_map_close(&text);
}

static void read_tensors(const char *name, struct reference *ret)
{
	struct err err = { .code = ERR_NONE };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.safetensors", folder(name), name);
	cr_assert_eq(file_map_open(path, &ret->map, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(safetensors_parse(ret->map.data, ret->map.len, path,
				       ret->arena, &ret->file, &err),
		     ERR_NONE, "%s", err.msg);
	ret->is_seen = arena_array(ret->arena, ret->file.n + 1, sizeof(bool));
	cr_assert(ret->is_seen);
}

void reference_open(const char *name, struct reference *ret)
{
	reference_open_meta(name, ret);
	read_tensors(name, ret);
}

void reference_open_tensors(const char *name, struct reference *ret)
{
	*ret = (struct reference){ .arena = arena_create(FILE_MAX_BYTES) };
	cr_assert(ret->arena);
	read_tensors(name, ret);
}

void reference_close(struct reference *reference)
{
	file_map_close(&reference->map);
	arena_destroy(reference->arena);
}

static const struct tensor_view *look_up(const struct reference *reference,
					 const char *name)
{
	for (size_t i = 0; i < reference->file.n; i++) {
		if (!str_equal(reference->file.entry[i].name, name))
			continue;
		reference->is_seen[i] = true;
		return &reference->file.entry[i].view;
	}
	return NULL;
}

void reference_expect_all_seen(const struct reference *reference)
{
	for (size_t i = 0; i < reference->file.n; i++)
		cr_expect(reference->is_seen[i], "no test looks at '%s'",
			  reference->file.entry[i].name);
}

const struct tensor_view *reference_find(const struct reference *reference,
					 const char *format, ...)
{
	char name[NAME_MAX_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	return look_up(reference, name);
}

const struct tensor_view *reference_get(const struct reference *reference,
					const char *format, ...)
{
	const struct tensor_view *view;
	char name[NAME_MAX_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	view = look_up(reference, name);
	cr_assert(view, "the file has no '%s'", name);
	return view;
}

void reference_compare(const char *what, const struct tensor_view *want,
		       const float *got, double tolerance)
{
	const float *number = want->data;
	const int64_t n = shape_count(&want->shape);
	double largest = 0, worst = 0;
	int64_t at = 0;

	cr_assert_eq(want->dtype, DTYPE_F32);
	for (int64_t i = 0; i < n; i++) {
		const double off = fabs((double)got[i] - (double)number[i]);

		largest = fmax(largest, fabs((double)number[i]));
		if (!(off <= worst)) {
			worst = off;
			at = i;
		}
	}
	cr_expect(worst <= tolerance * largest,
		  "%s: element %lld is %.9g, expected %.9g: %.2g of the "
		  "largest, %.1g is allowed",
		  what, (long long)at, (double)got[at], (double)number[at],
		  worst / largest, tolerance);
}
