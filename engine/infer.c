/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/op.h"

enum err_code infer_same(struct infer *infer, struct err *err)
{
	(void)err;
	infer->out[0].shape = infer->in[0].shape;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

enum err_code infer_broadcast(struct infer *infer, struct err *err)
{
	struct shape shape = { 0 };
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < infer->n_in && !rc; i++)
		if (infer->in[i].type.elem != DTYPE_NONE)
			rc = shape_broadcast(&shape, &infer->in[i].shape,
					     &shape, err);
	if (rc)
		return rc;
	infer->out[0].shape = shape;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

enum err_code infer_real(const struct infer *infer, struct err *err)
{
	const enum dtype elem = infer->out[0].type.elem;

	if (elem != DTYPE_STRING && elem != DTYPE_C64 && elem != DTYPE_C128)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "output 'output': expected a type of numbers, got %s",
		       dtype_info(elem)->name);
}

enum err_code infer_ints(const struct infer *infer, unsigned i,
			 int64_t list[SHAPE_MAX_RANK], size_t *ret_n,
			 struct err *err)
{
	const struct fact *fact = i < infer->n_in ? &infer->in[i] : NULL;
	int64_t n;

	if (!fact || fact->type.elem == DTYPE_NONE) {
		*ret_n = 0;
		return ERR_NONE;
	}
	if (!fact->value)
		return err_set(err, ERR_UNSUPPORTED,
			       "the value of input %u is known only by running",
			       i);
	n = shape_count(&fact->shape);
	if (fact->shape.rank > 1 || n > SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE,
			       "input %u holds %lld numbers in %u dimensions; "
			       "it must be a list of at most %d",
			       i, (long long)n, fact->shape.rank,
			       SHAPE_MAX_RANK);
	if (fact->type.elem != DTYPE_I64 && fact->type.elem != DTYPE_I32)
		return err_set(
		    err, ERR_SHAPE,
		    "input %u has type %s; it must be int32 or int64", i,
		    dtype_info(fact->type.elem)->name);
	dtype_convert(fact->type.elem, fact->value, DTYPE_I64, list, (size_t)n,
		      false);
	*ret_n = (size_t)n;
	return ERR_NONE;
}
