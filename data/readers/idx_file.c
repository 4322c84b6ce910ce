/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/idx_file.h"

enum { HEADER = 4 };

static enum dtype element_type(unsigned char code)
{
	switch (code) {
	case 0x08:
		return DTYPE_U8;
	case 0x09:
		return DTYPE_I8;
	case 0x0B:
		return DTYPE_I16;
	case 0x0C:
		return DTYPE_I32;
	case 0x0D:
		return DTYPE_F32;
	case 0x0E:
		return DTYPE_F64;
	default:
		return DTYPE_NONE;
	}
}

static int64_t big_endian(const unsigned char *b)
{
	return ((int64_t)b[0] << 24) | ((int64_t)b[1] << 16) |
	       ((int64_t)b[2] << 8) | (int64_t)b[3];
}

static void swap_elements(unsigned char *data, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < size / 2; j++) {
			unsigned char *p = data + i * size;
			unsigned char t = p[j];

			p[j] = p[size - 1 - j];
			p[size - 1 - j] = t;
		}
	}
}

static enum err_code read_extents(const unsigned char *bytes, size_t len,
				  const char *name, struct tensor_view *view,
				  struct err *err)
{
	unsigned rank = bytes[3];

	if (rank < 1 || rank > SHAPE_MAX_RANK ||
	    len < HEADER + 4 * (size_t)rank)
		return err_set(err, ERR_INVALID,
			       "'%s': an IDX header of rank %u does not fit "
			       "a file of %zu bytes (rank 1 to 8)",
			       name, rank, len);
	view->shape.rank = rank;
	for (unsigned i = 0; i < rank; i++)
		view->shape.dim[i] = big_endian(bytes + HEADER + 4 * (size_t)i);
	return ERR_NONE;
}

enum err_code idx_parse(void *bytes, size_t len, const char *name,
			struct tensor_view *ret_view, struct err *err)
{
	unsigned char *b = bytes;
	struct tensor_view view = { 0 };
	size_t size, header;
	enum err_code rc;

	if (len < HEADER || b[0] || b[1])
		return err_set(err, ERR_INVALID,
			       "'%s': not an IDX file (the first two bytes are "
			       "not zero, or fewer than 4 bytes)",
			       name);
	view.dtype = element_type(b[2]);
	if (view.dtype == DTYPE_NONE)
		return err_set(err, ERR_INVALID,
			       "'%s': IDX element type 0x%02x is not known",
			       name, b[2]);
	rc = read_extents(b, len, name, &view, err);
	if (rc)
		return rc;
	rc = tensor_bytes_checked(view.dtype, view.shape.rank, view.shape.dim,
				  name, &size, err);
	if (rc)
		return rc;
	header = HEADER + 4 * (size_t)view.shape.rank;
	if (size != len - header)
		return err_set(err, ERR_INVALID,
			       "'%s': the header promises %zu bytes of data, "
			       "the file has %zu",
			       name, size, len - header);
	view.data = b + header;
	swap_elements(view.data, (size_t)shape_count(&view.shape),
		      dtype_info(view.dtype)->size);
	*ret_view = view;
	return ERR_NONE;
}
