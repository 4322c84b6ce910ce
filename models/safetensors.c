/* SPDX-License-Identifier: Apache-2.0 */
#include "models/safetensors.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/doc.h"
#include "base/json_write.h"
#include "base/mem.h"

enum { LENGTH_BYTES = 8, HEADER_MAX = 16 << 20 };

static const char *const metadata_key = "__metadata__";

/* What one file looks like while it is read. */
struct reader {
	const char *name;
	struct arena *arena;
	const unsigned char *data; /* after the header */
	size_t data_len;
};

/* One header entry before it is known to fit with the others. */
struct span {
	size_t begin, end, index;
	struct safetensors_entry entry;
};

static enum err_code no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "%s: out of memory", name);
}

/* The tensor's dtype, shape and offsets, or a refusal: a misspelt fourth key
 * must not go unnoticed. */
static enum err_code entry_parts(const struct reader *r, const struct doc *map,
				 const struct doc *ret_part[3], struct err *err)
{
	static const char *const keys[3] = { "dtype", "shape", "data_offsets" };
	static const enum doc_kind kinds[3] = { DOC_STRING, DOC_LIST,
						DOC_LIST };

	for (unsigned i = 0; i < 3; i++) {
		ret_part[i] = doc_find(map, keys[i]);
		if (!ret_part[i] || ret_part[i]->kind != kinds[i])
			return err_set(err, ERR_FORMAT,
				       "%s: tensor '%s' needs '%s' as %s",
				       r->name, map->key, keys[i],
				       i ? "a list" : "a string");
	}
	if (map->n != 3)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has %zu keys; expected dtype, "
			       "shape and data_offsets",
			       r->name, map->key, map->n);
	return ERR_NONE;
}

static enum err_code read_type(const struct reader *r, const struct doc *map,
			       const char *text, enum dtype *ret_dtype,
			       struct err *err)
{
	enum dtype dtype = dtype_find_safetensors(text);

	if (dtype == DTYPE_NONE || dtype_info(dtype)->file_bits < 8)
		return err_set(
		    err, ERR_UNSUPPORTED,
		    "%s: tensor '%s' has dtype '%.32s', which is not "
		    "supported",
		    r->name, map->key, text);
	*ret_dtype = dtype;
	return ERR_NONE;
}

static enum err_code read_shape(const struct reader *r, const struct doc *map,
				const struct doc *list, struct shape *ret_shape,
				struct err *err)
{
	struct shape shape = { 0 };

	if (list->n > SHAPE_MAX_RANK)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has rank %zu; at most %d is "
			       "supported",
			       r->name, map->key, list->n, SHAPE_MAX_RANK);
	for (const struct doc *d = list->first; d; d = d->next) {
		if (d->kind != DOC_INT || d->integer < 0)
			return err_set(err, ERR_FORMAT,
				       "%s: the shape of tensor '%s' must hold "
				       "whole numbers of at least 0",
				       r->name, map->key);
		shape.dim[shape.rank++] = d->integer;
	}
	*ret_shape = shape;
	return ERR_NONE;
}

static enum err_code read_offsets(const struct reader *r, const struct doc *map,
				  const struct doc *list, struct span *span,
				  struct err *err)
{
	const struct doc *begin = list->first;
	const struct doc *end = begin ? begin->next : NULL;

	if (list->n != 2 || !begin || !end || begin->kind != DOC_INT ||
	    end->kind != DOC_INT || begin->integer < 0 ||
	    end->integer < begin->integer ||
	    (uint64_t)end->integer > r->data_len)
		return err_set(
		    err, ERR_FORMAT,
		    "%s: data_offsets of tensor '%s' must be two "
		    "ascending whole numbers within the %zu bytes of "
		    "data",
		    r->name, map->key, r->data_len);
	span->begin = (size_t)begin->integer;
	span->end = (size_t)end->integer;
	return ERR_NONE;
}

/* Kernels may hold bools as bool, which has two values. */
static enum err_code check_bools(const struct reader *r, const char *key,
				 const struct span *span, struct err *err)
{
	for (size_t i = span->begin; i < span->end; i++) {
		if (r->data[i] > 1)
			return err_set(err, ERR_FORMAT,
				       "%s: tensor '%s' of BOOL holds the byte "
				       "%u; expected 0 or 1",
				       r->name, key, r->data[i]);
	}
	return ERR_NONE;
}

/* Borrowed where the alignment permits; files of mixed types may place a
 * float at an odd address. */
static enum err_code place(const struct reader *r, const struct span *span,
			   struct tensor_view *view, struct err *err)
{
	const unsigned char *from = r->data + span->begin;
	union {
		const void *from;
		void *to;
	} borrowed = { .from = from };

	if (!((uintptr_t)from % dtype_info(view->dtype)->size)) {
		view->data = borrowed.to;
		return ERR_NONE;
	}
	view->data = arena_copy(r->arena, from, span->end - span->begin);
	return view->data ? ERR_NONE : no_memory(r->name, err);
}

static enum err_code read_entry(const struct reader *r, const struct doc *map,
				struct span *span, struct err *err)
{
	const struct doc *part[3] = { NULL };
	struct tensor_view view = { 0 };
	size_t bytes = 0;
	enum err_code rc;

	if (map->kind != DOC_MAP)
		return err_set(err, ERR_FORMAT,
			       "%s: header entry '%s' must be a map", r->name,
			       map->key);
	rc = entry_parts(r, map, part, err);
	if (!rc)
		rc = read_type(r, map, part[0]->text, &view.dtype, err);
	if (!rc)
		rc = read_shape(r, map, part[1], &view.shape, err);
	if (!rc)
		rc =
		    tensor_bytes_checked(view.dtype, view.shape.rank,
					 view.shape.dim, map->key, &bytes, err);
	if (!rc)
		rc = read_offsets(r, map, part[2], span, err);
	if (rc)
		return rc;
	if (span->end - span->begin != bytes)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' needs %zu bytes by its dtype "
			       "and shape; data_offsets give %zu",
			       r->name, map->key, bytes,
			       span->end - span->begin);
	if (view.dtype == DTYPE_BOOL)
		rc = check_bools(r, map->key, span, err);
	if (!rc)
		rc = place(r, span, &view, err);
	span->entry.name = map->key;
	span->entry.view = view;
	return rc;
}

static enum err_code read_metadata(const struct reader *r,
				   const struct doc *map,
				   struct safetensors *file, struct err *err)
{
	if (map->kind != DOC_MAP)
		return err_set(err, ERR_FORMAT, "%s: %s must be a map", r->name,
			       metadata_key);
	file->metadata = arena_array(r->arena, map->n + 1, 2 * sizeof(char *));
	if (!file->metadata)
		return no_memory(r->name, err);
	for (const struct doc *d = map->first; d; d = d->next) {
		if (d->kind != DOC_STRING)
			return err_set(err, ERR_FORMAT,
				       "%s: %s '%s' must be a string", r->name,
				       metadata_key, d->key);
		file->metadata[2 * file->n_metadata] = d->key;
		file->metadata[2 * file->n_metadata + 1] = d->text;
		file->n_metadata++;
	}
	return ERR_NONE;
}

static int by_offset(const void *left, const void *right)
{
	const struct span *a = left, *b = right;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorted spans must tile the data: no hole, no overlap, nothing after it. */
static enum err_code check_tiling(const struct reader *r,
				  const struct span *span, size_t n,
				  struct err *err)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (span[i].begin != at)
			return err_set(err, ERR_FORMAT,
				       "%s: tensor '%s' begins at byte %zu of "
				       "the data; expected %zu, without holes "
				       "or overlap",
				       r->name, span[i].entry.name,
				       span[i].begin, at);
		at = span[i].end;
	}
	if (at != r->data_len)
		return err_set(err, ERR_FORMAT,
			       "%s: the tensors end at byte %zu of %zu bytes "
			       "of data",
			       r->name, at, r->data_len);
	return ERR_NONE;
}

static enum err_code read_entries(const struct reader *r,
				  const struct doc *header,
				  struct safetensors *file, struct err *err)
{
	struct span *span = arena_array(r->arena, header->n + 1, sizeof(*span));
	enum err_code rc = ERR_NONE;

	if (!span)
		return no_memory(r->name, err);
	for (const struct doc *d = header->first; d && !rc; d = d->next) {
		if (!strcmp(d->key, metadata_key)) {
			rc = read_metadata(r, d, file, err);
			continue;
		}
		span[file->n].index = file->n;
		rc = read_entry(r, d, &span[file->n], err);
		file->n++;
	}
	if (rc)
		return rc;
	qsort(span, file->n, sizeof(*span), by_offset);
	rc = check_tiling(r, span, file->n, err);
	if (rc)
		return rc;
	file->entry = arena_array(r->arena, file->n + 1, sizeof(*file->entry));
	if (!file->entry)
		return no_memory(r->name, err);
	for (size_t i = 0; i < file->n; i++)
		file->entry[i] = span[i].entry;
	return ERR_NONE;
}

static uint64_t read_length(const unsigned char *bytes)
{
	uint64_t length = 0;

	for (unsigned i = LENGTH_BYTES; i-- > 0;)
		length = length << 8 | bytes[i];
	return length;
}

enum err_code safetensors_parse(const void *bytes, size_t len, const char *name,
				struct arena *arena, struct safetensors *ret,
				struct err *err)
{
	struct safetensors file = { 0 };
	struct reader r = { .name = name, .arena = arena };
	const unsigned char *start = bytes;
	struct doc *header;
	uint64_t header_len;
	enum err_code rc;

	if (len < LENGTH_BYTES)
		return err_set(err, ERR_FORMAT,
			       "%s: %zu bytes are too few for a safetensors "
			       "file",
			       name, len);
	header_len = read_length(start);
	if (header_len > HEADER_MAX || header_len > len - LENGTH_BYTES)
		return err_set(
		    err, ERR_FORMAT,
		    "%s: the header says it has %llu bytes; the file "
		    "has %zu and the limit is %d",
		    name, (unsigned long long)header_len, len, HEADER_MAX);
	start += LENGTH_BYTES;
	if (!header_len || *start != '{')
		return err_set(err, ERR_FORMAT,
			       "%s: the header must begin with '{'", name);
	r.data = start + header_len;
	r.data_len = len - LENGTH_BYTES - (size_t)header_len;
	rc = doc_parse_json((const char *)start, (size_t)header_len, name,
			    arena, &header, err);
	if (rc)
		return rc;
	rc = read_entries(&r, header, &file, err);
	if (!rc)
		*ret = file;
	return rc;
}

const struct tensor_view *safetensors_find(const struct safetensors *file,
					   const char *name)
{
	for (size_t i = 0; i < file->n; i++) {
		if (!strcmp(file->entry[i].name, name))
			return &file->entry[i].view;
	}
	return NULL;
}

static int by_name(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static enum err_code check_names(const struct safetensors *file,
				 struct err *err)
{
	const char **name = mem_array(file->n + 1, sizeof(*name));
	enum err_code rc = ERR_NONE;

	if (!name)
		return no_memory("safetensors", err);
	for (size_t i = 0; i < file->n; i++)
		name[i] = file->entry[i].name;
	qsort(name, file->n, sizeof(*name), by_name);
	for (size_t i = 0; i < file->n && !rc; i++) {
		if (!strcmp(name[i], metadata_key) ||
		    (i && !strcmp(name[i], name[i - 1])))
			rc = err_set(err, ERR_INVALID,
				     "safetensors: the name '%s' is taken",
				     name[i]);
	}
	mem_free(name);
	return rc;
}

/* Also gives the bytes of the data in all. */
static enum err_code check_views(const struct safetensors *file,
				 size_t *ret_bytes, struct err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < file->n; i++) {
		const struct tensor_view *view = &file->entry[i].view;
		const struct dtype_info *info = dtype_info(view->dtype);

		if (!info->safetensors_name || info->file_bits < 8)
			return err_set(err, ERR_UNSUPPORTED,
				       "safetensors: tensor '%s' of %s cannot "
				       "be written",
				       file->entry[i].name, info->name);
		if (__builtin_add_overflow(
			total, tensor_bytes(view->dtype, &view->shape), &total))
			return err_set(err, ERR_TOO_LARGE,
				       "safetensors: the tensors are too large "
				       "for one file");
	}
	*ret_bytes = total;
	return ERR_NONE;
}

static void write_header(const struct safetensors *file, struct buf *buf)
{
	struct json_writer w;
	uint64_t at = 0;

	json_write_init(&w, buf);
	json_write_object(&w, NULL);
	if (file->n_metadata) {
		json_write_object(&w, metadata_key);
		for (size_t i = 0; i < file->n_metadata; i++)
			json_write_string(&w, file->metadata[2 * i],
					  file->metadata[2 * i + 1]);
		json_write_object_end(&w);
	}
	for (size_t i = 0; i < file->n; i++) {
		const struct tensor_view *view = &file->entry[i].view;

		json_write_object(&w, file->entry[i].name);
		json_write_string(&w, "dtype",
				  dtype_info(view->dtype)->safetensors_name);
		json_write_array(&w, "shape");
		for (unsigned d = 0; d < view->shape.rank; d++)
			json_write_int(&w, NULL, view->shape.dim[d]);
		json_write_array_end(&w);
		json_write_array(&w, "data_offsets");
		json_write_uint(&w, NULL, at);
		at += tensor_bytes(view->dtype, &view->shape);
		json_write_uint(&w, NULL, at);
		json_write_array_end(&w);
		json_write_object_end(&w);
	}
	json_write_object_end(&w);
}

enum err_code safetensors_write_header(const struct safetensors *file,
				       struct buf *buf, struct err *err)
{
	size_t start = buf->len, bytes = 0;
	uint64_t header_len;
	enum err_code rc;

	rc = check_names(file, err);
	if (!rc)
		rc = check_views(file, &bytes, err);
	if (rc)
		return rc;
	buf_put(buf, "\0\0\0\0\0\0\0", LENGTH_BYTES);
	write_header(file, buf);
	while (!buf->fault && (buf->len - start) % LENGTH_BYTES)
		buf_putc(buf, ' '); /* so that the data begins aligned */
	rc = buf_check(buf, "safetensors", err);
	if (rc)
		return rc;
	header_len = buf->len - start - LENGTH_BYTES;
	if (header_len > HEADER_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "safetensors: the header would have %llu bytes; "
			       "the limit is %d",
			       (unsigned long long)header_len, HEADER_MAX);
	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		buf->data[start + i] = (char)(header_len >> (8 * i) & 0xff);
	return ERR_NONE;
}

enum err_code safetensors_write(const struct safetensors *file, struct buf *buf,
				struct err *err)
{
	enum err_code rc = safetensors_write_header(file, buf, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < file->n; i++) {
		const struct tensor_view *view = &file->entry[i].view;

		buf_put(buf, view->data,
			tensor_bytes(view->dtype, &view->shape));
	}
	return buf_check(buf, "safetensors", err);
}
