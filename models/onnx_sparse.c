/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sparse tensors, which become dense: values at indices, zeros elsewhere.
 */
#include "models/onnx_priv.h"

/* Field numbers of SparseTensorProto. */
enum { SPARSE_VALUES = 1, SPARSE_INDICES = 2, SPARSE_DIMS = 3 };

struct sparse {
	struct onnx_tensor values, indices;
	struct tensor_view dense;
};

static enum err_code broken(const struct onnx_reader *reader,
			    const struct sparse *sparse, const char *what,
			    struct err *err)
{
	return err_set(err, ERR_FORMAT, "%s: sparse tensor '%s': %s",
		       reader->name, sparse->values.name, what);
}

static enum err_code parse_parts(const struct onnx_reader *reader,
				 struct wire message, struct sparse *sparse,
				 struct err *err)
{
	struct wire_field field;
	struct wire child;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		if (field.number != SPARSE_VALUES &&
		    field.number != SPARSE_INDICES)
			continue;
		rc = wire_enter(&message, &field, "a sparse tensor", &child,
				err);
		if (!rc)
			rc = onnx_parse_tensor(reader, child, reader->scratch,
					       field.number == SPARSE_VALUES
						   ? &sparse->values
						   : &sparse->indices,
					       err);
		if (rc)
			return rc;
	}
}

static enum err_code parse_dims(const struct onnx_reader *reader,
				struct wire message, struct sparse *sparse,
				struct err *err)
{
	struct shape *shape = &sparse->dense.shape;
	struct wire_numbers dims;
	uint64_t dim;
	bool more;
	enum err_code rc;

	wire_numbers_init(&dims, &message, SPARSE_DIMS, WIRE_VARINT);
	for (;;) {
		rc = wire_numbers_next(&dims, &dim, &more, err);
		if (rc || !more)
			return rc;
		if (shape->rank == SHAPE_MAX_RANK)
			return broken(reader, sparse, "a rank above 8", err);
		shape->dim[shape->rank++] = (int64_t)dim;
	}
}

/* [n] places in the flat tensor, or [n, rank] indices. */
static enum err_code check_parts(const struct onnx_reader *reader,
				 const struct sparse *sparse, struct err *err)
{
	const struct tensor_view *values = &sparse->values.view;
	const struct tensor_view *indices = &sparse->indices.view;
	const struct shape *at = &indices->shape;

	if (values->dtype == DTYPE_NONE || values->dtype == DTYPE_STRING ||
	    values->shape.rank != 1)
		return broken(reader, sparse,
			      "its values must be a list of numbers", err);
	if (indices->dtype != DTYPE_I64 || at->rank < 1 || at->rank > 2 ||
	    at->dim[0] != values->shape.dim[0] ||
	    (at->rank == 2 && at->dim[1] != (int64_t)sparse->dense.shape.rank))
		return broken(reader, sparse,
			      "its indices must be int64, one for each value",
			      err);
	return ERR_NONE;
}

/* -1: out of the tensor. */
static int64_t place_of(const struct sparse *sparse, int64_t i)
{
	const struct shape *shape = &sparse->dense.shape;
	const int64_t *index = sparse->indices.view.data;
	int64_t place = 0;

	if (sparse->indices.view.shape.rank == 1)
		return index[i] < shape_count(shape) ? index[i] : -1;
	for (unsigned d = 0; d < shape->rank; d++) {
		const int64_t at = index[i * shape->rank + d];

		if (at < 0 || at >= shape->dim[d])
			return -1;
		place = place * shape->dim[d] + at;
	}
	return place;
}

static enum err_code scatter(const struct onnx_reader *reader,
			     const struct sparse *sparse, struct err *err)
{
	const struct tensor_view *values = &sparse->values.view;
	const size_t size = dtype_info(values->dtype)->size;
	const char *from = values->data;
	char *to = sparse->dense.data;

	for (int64_t i = 0; i < values->shape.dim[0]; i++) {
		const int64_t place = place_of(sparse, i);

		if (place < 0)
			return broken(reader, sparse,
				      "an index is out of its shape", err);
		memcpy(to + (size_t)place * size, from + (size_t)i * size,
		       size);
	}
	return ERR_NONE;
}

enum err_code onnx_parse_sparse(const struct onnx_reader *reader,
				struct wire message, struct arena *arena,
				struct onnx_tensor *ret, struct err *err)
{
	struct sparse sparse = { .values = { .name = "" },
				 .indices = { .name = "" } };
	struct tensor_view *dense = &sparse.dense;
	size_t bytes;
	enum err_code rc = parse_parts(reader, message, &sparse, err);

	if (!rc)
		rc = parse_dims(reader, message, &sparse, err);
	if (!rc)
		rc = check_parts(reader, &sparse, err);
	if (rc)
		return rc;
	dense->dtype = sparse.values.view.dtype;
	rc = tensor_bytes_checked(dense->dtype, dense->shape.rank,
				  dense->shape.dim, sparse.values.name, &bytes,
				  err);
	if (rc)
		return err_prefix(err, "%s", reader->name);
	dense->data = arena_aligned(arena, bytes ? bytes : 1);
	if (!dense->data)
		return onnx_no_memory(reader->name, err);
	rc = scatter(reader, &sparse, err);
	if (!rc)
		*ret = (struct onnx_tensor){ sparse.values.name, *dense };
	return rc;
}
