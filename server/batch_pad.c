/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_pad.h"

#include <string.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/str.h"

enum { NOWHERE = -1 };

/* Which dimension of which input an output's dimension is as long as. */
struct origin_dim {
	int input;
	unsigned d;
};

struct batch_pad {
	const struct model_signature *signature;
	bool *grows;				     /* by input */
	double *value;				     /* by input */
	struct origin_dim (*origin)[SHAPE_MAX_RANK]; /* by output */
};

void batch_pad_destroy(struct batch_pad *pad)
{
	if (!pad)
		return;
	mem_free(pad->grows);
	mem_free(pad->value);
	mem_free(pad->origin);
	mem_free(pad);
}

/* --- what the configuration says --- */

static bool is_same_symbol(const struct signature_dim *a,
			   const struct signature_dim *b)
{
	return a->extent < 0 && b->extent < 0 && a->symbol && b->symbol &&
	       str_equal(a->symbol, b->symbol);
}

static enum err_code take_input(struct batch_pad *pad, const struct doc *row,
				struct err *err)
{
	const struct model_signature *signature = pad->signature;
	unsigned i = 0;

	while (i < signature->n_inputs &&
	       !str_equal(signature->input[i].name, row->key))
		i++;
	if (i == signature->n_inputs)
		return err_set(
		    err, ERR_INVALID,
		    "config.yaml: pad_inputs: the model has no input "
		    "'%.64s'",
		    row->key);
	if (row->kind != DOC_INT && row->kind != DOC_DOUBLE)
		return err_set(err, ERR_INVALID,
			       "config.yaml: pad_inputs: '%s' needs a number",
			       row->key);
	if (signature->input[i].dtype == DTYPE_STRING)
		return err_set(err, ERR_INVALID,
			       "config.yaml: pad_inputs: '%s' holds strings, "
			       "which are not filled up",
			       row->key);
	pad->grows[i] = true;
	pad->value[i] = row->number;
	return ERR_NONE;
}

/* One input cannot grow alone where another has the same dimension. */
static enum err_code check_symbols(const struct batch_pad *pad, unsigned i,
				   unsigned d, struct err *err)
{
	const struct model_signature *signature = pad->signature;
	const struct signature_port *port = &signature->input[i];

	for (unsigned j = 0; j < signature->n_inputs; j++) {
		const struct signature_port *other = &signature->input[j];

		for (unsigned e = 1; e < other->rank; e++)
			if (!pad->grows[j] &&
			    is_same_symbol(&port->dim[d], &other->dim[e]))
				return err_set(
				    err, ERR_INVALID,
				    "config.yaml: pad_inputs: '%s' has the "
				    "dimension '%s' of '%s', and must be there "
				    "too",
				    other->name, other->dim[e].symbol,
				    port->name);
	}
	return ERR_NONE;
}

static enum err_code check_inputs(const struct batch_pad *pad, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < pad->signature->n_inputs; i++)
		for (unsigned d = 1; d < pad->signature->input[i].rank && !rc;
		     d++)
			if (batch_pad_may_grow(pad, i, d))
				rc = check_symbols(pad, i, d, err);
	return rc;
}

static struct origin_dim find_origin(const struct batch_pad *pad,
				     const struct signature_dim *dim)
{
	for (unsigned i = 0; i < pad->signature->n_inputs; i++) {
		const struct signature_port *port = &pad->signature->input[i];

		for (unsigned d = 1; d < port->rank; d++)
			if (pad->grows[i] && is_same_symbol(dim, &port->dim[d]))
				return (struct origin_dim){ (int)i, d };
	}
	return (struct origin_dim){ NOWHERE, 0 };
}

static enum err_code trace_output(struct batch_pad *pad, unsigned j,
				  struct err *err)
{
	const struct signature_port *port = &pad->signature->output[j];
	bool is_open = !port->has_rank;

	for (unsigned d = 0; d < SHAPE_MAX_RANK; d++)
		pad->origin[j][d].input = NOWHERE;
	for (unsigned d = 1; d < port->rank; d++) {
		pad->origin[j][d] = find_origin(pad, &port->dim[d]);
		is_open = is_open || (port->dim[d].extent < 0 &&
				      (pad->origin[j][d].input == NOWHERE ||
				       port->dtype == DTYPE_STRING));
	}
	if (is_open)
		return err_set(err, ERR_INVALID,
			       "config.yaml: pad_inputs: output '%s' has an "
			       "open dimension that no input has, or strings, "
			       "and could not be cut back",
			       port->name);
	return ERR_NONE;
}

enum err_code batch_pad_create(const struct model_signature *signature,
			       const struct doc *config,
			       struct batch_pad **ret_pad, struct err *err)
{
	struct batch_pad *pad = mem_zero(sizeof(*pad));
	const size_t n_in = (size_t)signature->n_inputs + 1;
	const size_t n_out = (size_t)signature->n_outputs + 1;
	enum err_code rc = ERR_NONE;

	if (pad) {
		pad->signature = signature;
		pad->grows = mem_array(n_in, sizeof(*pad->grows));
		pad->value = mem_array(n_in, sizeof(*pad->value));
		pad->origin = mem_array(n_out, sizeof(*pad->origin));
	}
	if (!pad || !pad->grows || !pad->value || !pad->origin)
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	else if (config->kind != DOC_MAP)
		rc = err_set(err, ERR_INVALID,
			     "config.yaml: pad_inputs: expected a map of "
			     "inputs to numbers");
	for (const struct doc *row = rc ? NULL : config->first; row && !rc;
	     row = row->next)
		rc = take_input(pad, row, err);
	if (!rc)
		rc = check_inputs(pad, err);
	for (unsigned j = 0; j < signature->n_outputs && !rc; j++)
		rc = trace_output(pad, j, err);
	if (rc)
		batch_pad_destroy(pad);
	else
		*ret_pad = pad;
	return rc;
}

/* --- shapes --- */

bool batch_pad_may_grow(const struct batch_pad *pad, unsigned input, unsigned d)
{
	const struct signature_port *port;

	if (!pad || !d || !pad->grows[input])
		return false;
	port = &pad->signature->input[input];
	return port->has_rank && d < port->rank && port->dim[d].extent < 0;
}

/* Three leading bits: 1 to 8, 10, 12, 14, 16, 20 ... */
int64_t batch_pad_length(int64_t extent)
{
	int64_t step = 1;

	while (extent > 8 * step)
		step *= 2;
	return (extent + step - 1) / step * step;
}

void batch_pad_grow(const struct batch_pad *pad, unsigned input,
		    const struct shape *call, struct shape *shape)
{
	for (unsigned d = 1; d < shape->rank; d++) {
		const int64_t length = batch_pad_length(call->dim[d]);

		if (batch_pad_may_grow(pad, input, d) && length > shape->dim[d])
			shape->dim[d] = length;
	}
}

void batch_pad_crop(const struct batch_pad *pad, unsigned output,
		    const struct tensor_view *inputs, struct shape *shape)
{
	for (unsigned d = 1; d < shape->rank; d++) {
		const struct origin_dim *origin = &pad->origin[output][d];

		if (origin->input != NOWHERE)
			shape->dim[d] =
			    inputs[origin->input].shape.dim[origin->d];
	}
}

/* --- elements --- */

void batch_pad_fill(const struct batch_pad *pad, unsigned input,
		    enum dtype dtype, void *to, size_t n)
{
	const size_t size = dtype_info(dtype)->size;
	char *at = to;

	if (!n)
		return;
	dtype_convert(DTYPE_F64, &pad->value[input], dtype, at, 1, true);
	for (size_t i = 1; i < n; i++)
		memcpy(at + i * size, at, size);
}

/* One row: rank - 1 dimensions, the last of which lies dense in both. */
static void copy_row(char *to, const struct shape *to_shape, const char *from,
		     const struct shape *from_shape, size_t size)
{
	const unsigned rank = to_shape->rank;
	int64_t n[SHAPE_MAX_RANK] = { 0 }, at[SHAPE_MAX_RANK] = { 0 };
	unsigned d;

	for (d = 1; d < rank; d++) {
		n[d] = to_shape->dim[d] < from_shape->dim[d]
			   ? to_shape->dim[d]
			   : from_shape->dim[d];
		if (!n[d])
			return;
	}
	do {
		int64_t i = 0, j = 0;

		for (d = 1; d < rank; d++) {
			i = i * to_shape->dim[d] + at[d];
			j = j * from_shape->dim[d] + at[d];
		}
		memcpy(to + (size_t)i * size, from + (size_t)j * size,
		       (size_t)(rank > 1 ? n[rank - 1] : 1) * size);
		for (d = rank > 2 ? rank - 2 : 0; d > 0; d--) {
			if (++at[d] < n[d])
				break;
			at[d] = 0;
		}
	} while (d > 0);
}

void batch_pad_copy(void *to, const struct shape *to_shape, const void *from,
		    const struct shape *from_shape, size_t size, int64_t rows)
{
	const size_t to_row =
	    (size_t)shape_range(to_shape, 1, to_shape->rank) * size;
	const size_t from_row =
	    (size_t)shape_range(from_shape, 1, from_shape->rank) * size;

	for (int64_t i = 0; i < rows; i++)
		copy_row((char *)to + (size_t)i * to_row, to_shape,
			 (const char *)from + (size_t)i * from_row, from_shape,
			 size);
}
