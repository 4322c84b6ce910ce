/* SPDX-License-Identifier: Apache-2.0 */
#include "server/codec_v2.h"

enum { LENGTH_BYTES = 4 };

static const char *name_of(const struct inference *inference, unsigned port)
{
	return inference->signature->input[port].name;
}

static uint32_t length_at(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return (uint32_t)byte[0] | (uint32_t)byte[1] << 8 |
	       (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

/* Each element is its length, 4 bytes little-endian, and its bytes, which stay
 * where they are. */
static enum err_code take_strings(struct inference *inference, unsigned port,
				  const char *at, size_t size, struct err *err)
{
	struct tensor_view *input = &inference->input[port];
	const size_t count = (size_t)shape_count(&input->shape);
	const char *end = at + size;
	size_t n = 0;
	enum err_code rc;

	if (count > size / LENGTH_BYTES)
		return err_set(err, ERR_INVALID,
			       "input '%s': %zu bytes are too few for %zu "
			       "elements",
			       name_of(inference, port), size, count);
	rc = inference_alloc_input(inference, port, count * sizeof(struct str),
				   err);
	if (rc)
		return rc;
	for (; n < count && end - at >= LENGTH_BYTES; n++) {
		const uint32_t len = length_at(at);

		at += LENGTH_BYTES;
		if (len > (size_t)(end - at))
			break;
		((struct str *)input->data)[n] = (struct str){ at, len };
		at += len;
	}
	if (n < count || at != end)
		return err_set(err, ERR_INVALID,
			       "input '%s': expected %zu elements, each its "
			       "length in 4 bytes and its bytes, in exactly "
			       "%zu bytes",
			       name_of(inference, port), count, size);
	return ERR_NONE;
}

static enum err_code check_bools(const struct inference *inference,
				 unsigned port, const char *at, size_t size,
				 struct err *err)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] & ~1)
			return err_set(err, ERR_INVALID,
				       "input '%s': byte %zu: a BOOL is 0 or "
				       "1, got %d",
				       name_of(inference, port), i,
				       (unsigned char)at[i]);
	return ERR_NONE;
}

enum err_code codec_blob_take(struct inference *inference, unsigned port,
			      size_t size, struct codec_blob *blob,
			      struct err *err)
{
	struct tensor_view *input = &inference->input[port];
	const char *at = blob->at;
	size_t bytes;

	if (size > blob->len)
		return err_set(err, ERR_INVALID,
			       "input '%s': binary_data_size is %zu, and %zu "
			       "bytes are left in the body",
			       name_of(inference, port), size, blob->len);
	blob->at += size;
	blob->len -= size;
	if (input->dtype == DTYPE_STRING)
		return take_strings(inference, port, at, size, err);
	bytes = tensor_bytes(input->dtype, &input->shape);
	if (size != bytes)
		return err_set(err, ERR_SHAPE,
			       "input '%s': its shape has %zu bytes, "
			       "binary_data_size is %zu",
			       name_of(inference, port), bytes, size);
	/* only ever copied from: it need not be aligned, and stays const */
	memcpy(&input->data, &at, sizeof(at));
	return input->dtype == DTYPE_BOOL
		   ? check_bools(inference, port, at, size, err)
		   : ERR_NONE;
}

size_t codec_blob_size(const struct tensor_view *tensor)
{
	const struct str *strings = tensor->data;
	const int64_t n = shape_count(&tensor->shape);
	size_t size = 0;

	if (tensor->dtype != DTYPE_STRING)
		return tensor_bytes(tensor->dtype, &tensor->shape);
	for (int64_t i = 0; i < n; i++)
		size += LENGTH_BYTES + strings[i].len;
	return size;
}

void codec_blob_write(struct buf *buf, const struct tensor_view *tensor)
{
	const struct str *strings = tensor->data;
	const int64_t n = shape_count(&tensor->shape);

	if (tensor->dtype != DTYPE_STRING) {
		if (n)
			buf_put(buf, tensor->data,
				tensor_bytes(tensor->dtype, &tensor->shape));
		return;
	}
	for (int64_t i = 0; i < n; i++) {
		for (unsigned shift = 0; shift < 32; shift += 8)
			buf_putc(buf, (char)(strings[i].len >> shift & 0xff));
		buf_put(buf, strings[i].bytes, strings[i].len);
	}
}

/* The shape that a body of that many bytes has: its open extent is what the
 * length says, the batch is one. */
static enum err_code shape_raw(const struct inference *inference, size_t len,
			       struct shape *ret_shape, struct err *err)
{
	const struct signature_port *port = &inference->signature->input[0];
	const size_t size = dtype_info(port->dtype)->size;
	size_t known = size;
	int open = -1;

	ret_shape->rank = port->rank;
	for (unsigned d = 0; d < port->rank; d++) {
		int64_t extent = port->dim[d].extent;

		if (d == 0 && inference->model->max_batch)
			extent = 1;
		if (extent < 0 && open >= 0)
			return err_set(err, ERR_INVALID,
				       "input '%s' has several open extents; a "
				       "bare body does not tell them",
				       port->name);
		if (extent < 0)
			open = (int)d;
		else if (__builtin_mul_overflow(known, (size_t)extent, &known))
			known = 0;
		ret_shape->dim[d] = extent;
	}
	if (open >= 0 && known)
		ret_shape->dim[open] = (int64_t)(len / known);
	return ERR_NONE;
}

/* A body of strings is one string. */
static enum err_code take_raw_string(struct inference *inference,
				     const char *body, size_t len,
				     struct err *err)
{
	const struct signature_port *port = &inference->signature->input[0];
	struct shape shape = { .rank = port->rank };
	size_t bytes;
	enum err_code rc;

	for (unsigned d = 0; d < port->rank; d++)
		shape.dim[d] = 1;
	rc = inference_shape_input(inference, 0, DTYPE_STRING, &shape, &bytes,
				   err);
	if (!rc)
		rc = inference_alloc_input(inference, 0, sizeof(struct str),
					   err);
	if (!rc)
		*(struct str *)inference->input[0].data =
		    (struct str){ body, len };
	return rc;
}

enum err_code codec_v2_read_raw(struct inference *inference, const char *body,
				size_t len, struct err *err)
{
	const struct signature_port *port = &inference->signature->input[0];
	struct codec_blob blob = { body, len };
	struct shape shape = { 0 };
	size_t bytes;
	enum err_code rc;

	if (inference->signature->n_inputs != 1 || !port->has_rank)
		return err_set(err, ERR_INVALID,
			       "a bare body is one tensor; model '%s' has %u "
			       "inputs, or one of any rank",
			       inference->model->package->name,
			       inference->signature->n_inputs);
	rc = inference_want_all(inference, true, err);
	if (rc)
		return rc;
	if (port->dtype == DTYPE_STRING)
		return take_raw_string(inference, body, len, err);
	rc = shape_raw(inference, len, &shape, err);
	if (!rc)
		rc = inference_shape_input(inference, 0, port->dtype, &shape,
					   &bytes, err);
	if (!rc && bytes != len)
		rc = err_set(err, ERR_SHAPE,
			     "input '%s' has %zu bytes, the body %zu",
			     port->name, bytes, len);
	return rc ? rc : codec_blob_take(inference, 0, len, &blob, err);
}
