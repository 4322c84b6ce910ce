/* SPDX-License-Identifier: Apache-2.0 */
#include "models/calibration.h"

#include <string.h>

#include "base/arena.h"
#include "models/package_priv.h"
#include "models/tensor_file.h"

enum { MADE_ROWS = 8, OPEN_EXTENT = 32 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "calibration: out of memory");
}

/* Run number i of a tensor that holds n of them; borrows. */
static struct tensor_view part_of(const struct tensor_view *view, int64_t i,
				  int64_t n)
{
	struct tensor_view part = *view;

	if (n == 1)
		return part;
	part.shape.dim[0] /= n;
	part.data = (char *)view->data +
		    (size_t)i * tensor_bytes(part.dtype, &part.shape);
	return part;
}

/* How many runs the tensor of one input holds; 0: it tells nothing. */
static int64_t runs_in(const struct package *package, unsigned input,
		       const struct tensor_view *view)
{
	const struct signature_port *port = &package->signature.input[input];

	if (!view->shape.rank)
		return 0;
	if (package->batches)
		return view->shape.dim[0];
	if (!port->has_rank || !port->rank || port->dim[0].extent < 1 ||
	    view->shape.dim[0] % port->dim[0].extent)
		return 0;
	return view->shape.dim[0] / port->dim[0].extent;
}

/* The runs that the tensors of all inputs hold. */
static int64_t count_runs(const struct package *package,
			  const struct tensor_view *whole)
{
	int64_t n =
	    package->signature.n_inputs ? runs_in(package, 0, whole) : 0;

	for (unsigned i = 1; i < package->signature.n_inputs; i++)
		if (runs_in(package, i, &whole[i]) != n)
			n = package->batches ? -1 : 0;
	return n ? n : package->batches ? 0 : 1;
}

static enum err_code cut(const struct package *package,
			 const struct tensor_view *whole, struct arena *arena,
			 struct calibration *ret, struct err *err)
{
	const unsigned n = package->signature.n_inputs;
	const int64_t given = count_runs(package, whole);
	const unsigned rows =
	    given < PRECISION_ROWS_MAX ? (unsigned)given : PRECISION_ROWS_MAX;
	const struct tensor_view **row;

	if (given < 1)
		return err_set(err, ERR_SHAPE,
			       given ? "inputs have different numbers of rows"
				     : "there are no rows");
	row = arena_array(arena, (size_t)rows + 1, sizeof(void *));
	if (!row)
		return no_memory(err);
	for (unsigned i = 0; i < rows; i++) {
		struct tensor_view *input =
		    arena_array(arena, (size_t)n + 1, sizeof(*input));

		if (!input)
			return no_memory(err);
		for (unsigned k = 0; k < n; k++)
			input[k] = part_of(&whole[k], i, given);
		row[i] = input;
	}
	*ret = (struct calibration){ .n_rows = rows,
				     .n_given = given,
				     .row = row };
	return ERR_NONE;
}

/* ---- given --------------------------------------------------------------- */

static bool is_one_file(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".npy") || !strcmp(dot, ".pb"));
}

/* All rows have the shapes of the first. */
static enum err_code check(const struct package *package,
			   const struct tensor_view *row, struct arena *arena,
			   struct err *err)
{
	const struct model_signature *signature = &package->signature;
	struct shape *shape =
	    arena_array(arena, (size_t)signature->n_inputs + 1, sizeof(*shape));

	if (!shape)
		return no_memory(err);
	for (unsigned i = 0; i < signature->n_inputs; i++) {
		const struct signature_port *port = &signature->input[i];

		if (row[i].dtype != port->dtype)
			return err_set(
			    err, ERR_INVALID, "input '%s': expected %s, got %s",
			    port->name, dtype_info(port->dtype)->name,
			    dtype_info(row[i].dtype)->name);
		shape[i] = row[i].shape;
	}
	return signature_bind(signature, shape, err);
}

static enum err_code read_all(const struct file_root *root, const char *path,
			      const struct package *package,
			      struct arena *arena, struct tensor_view *whole,
			      struct err *err)
{
	const struct model_signature *signature = &package->signature;
	enum err_code rc = ERR_NONE;

	if (is_one_file(path)) {
		if (signature->n_inputs != 1)
			return err_set(err, ERR_INVALID,
				       "the model has %u inputs: expected a "
				       "folder with a tensor for each",
				       signature->n_inputs);
		return tensor_file_load(root, path, arena, whole, err);
	}
	for (unsigned i = 0; i < signature->n_inputs && !rc; i++) {
		const struct tensor_name name = { signature->input[i].name,
						  "input", i };

		rc = tensor_file_read(root, path, &name, arena, &whole[i], err);
	}
	return rc;
}

enum err_code calibration_read(const struct file_root *root, const char *path,
			       const struct package *package,
			       struct arena *arena, struct calibration *ret,
			       struct err *err)
{
	const size_t n = package->signature.n_inputs;
	struct tensor_view *whole = arena_array(arena, n + 1, sizeof(*whole));
	enum err_code rc;

	if (!whole)
		return no_memory(err);
	rc = read_all(root, path, package, arena, whole, err);
	if (!rc)
		rc = cut(package, whole, arena, ret, err);
	if (!rc)
		rc = check(package, ret->row[0], arena, err);
	return rc ? err_prefix(err, "calibration '%s'", path) : ERR_NONE;
}

/* ---- made ---------------------------------------------------------------- */

/* The first extent that makes MADE_ROWS runs, where count_runs() will see so
 * many; 0: the model's own. */
static int64_t made_extent(const struct package *package,
			   const struct signature_port *port)
{
	const struct model_signature *signature = &package->signature;

	if (package->batches)
		return MADE_ROWS;
	for (unsigned i = 0; i < signature->n_inputs; i++)
		if (!signature->input[i].has_rank ||
		    !signature->input[i].rank ||
		    signature->input[i].dim[0].extent < 1)
			return 0;
	return port->dim[0].extent * MADE_ROWS;
}

enum err_code calibration_make(const struct package *package,
			       struct arena *arena, struct calibration *ret,
			       struct err *err)
{
	const struct model_signature *signature = &package->signature;
	const size_t n = signature->n_inputs;
	struct tensor_view *whole = arena_array(arena, n + 1, sizeof(*whole));

	if (!whole)
		return no_memory(err);
	*ret = (struct calibration){ 0 };
	for (unsigned i = 0; i < n; i++) {
		const struct signature_port *port = &signature->input[i];
		struct tensor_view *view = &whole[i];

		view->dtype = port->dtype;
		if (!package_input_shape(port, made_extent(package, port),
					 OPEN_EXTENT, &view->shape))
			return ERR_NONE;
		view->data = arena_aligned(
		    arena, tensor_bytes(view->dtype, &view->shape) + 1);
		if (!view->data)
			return no_memory(err);
		package_fill_random(view, i, true);
	}
	return cut(package, whole, arena, ret, err);
}
