/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/shape_flag.h"

#include <ctype.h>

#include "base/str.h"

static enum err_code read_extent(const char **at, int64_t *ret_extent)
{
	int64_t extent = 0;

	if (!isdigit((unsigned char)**at))
		return ERR_INVALID;
	while (isdigit((unsigned char)**at)) {
		extent = extent * 10 + (*(*at)++ - '0');
		if (extent > SHAPE_MAX_EXTENT)
			return ERR_INVALID;
	}
	*ret_extent = extent;
	return ERR_NONE;
}

enum err_code shape_flag_parse(const char *flag, size_t *ret_name_len,
			       struct shape *ret_shape, struct err *err)
{
	const char *colon = strrchr(flag, ':'), *at = colon;
	struct shape shape = { 0 };
	bool is_good = colon && colon > flag;

	while (is_good && at[1]) {
		at++;
		is_good = shape.rank < SHAPE_MAX_RANK &&
			  !read_extent(&at, &shape.dim[shape.rank++]) &&
			  (!*at || *at == 'x') && (!*at || at[1]);
		if (is_good && !*at)
			break;
	}
	if (!is_good)
		return err_set(err, ERR_INVALID,
			       "--input-shape: expected NAME:AxBxC, got '%s'",
			       flag);
	*ret_name_len = (size_t)(colon - flag);
	*ret_shape = shape;
	return shape_check(ret_shape, flag, err);
}

static bool is_shape_flag(const struct args_given *given)
{
	return str_equal(given->flag->name, "input-shape");
}

enum err_code shape_flag_find(const struct args *args, const char *name,
			      bool *ret_given, struct shape *ret_shape,
			      struct err *err)
{
	*ret_given = false;
	for (unsigned i = 0; i < args->n_given; i++) {
		struct shape shape;
		size_t len;
		enum err_code rc;

		if (!is_shape_flag(&args->given[i]))
			continue;
		rc = shape_flag_parse(args->given[i].value, &len, &shape, err);
		if (rc)
			return rc;
		if (strlen(name) == len &&
		    !memcmp(name, args->given[i].value, len)) {
			*ret_given = true;
			*ret_shape = shape;
		}
	}
	return ERR_NONE;
}

static bool is_input(const struct model_signature *signature, const char *name,
		     size_t len)
{
	for (unsigned i = 0; i < signature->n_inputs; i++) {
		const char *input = signature->input[i].name;

		if (strlen(input) == len && !memcmp(input, name, len))
			return true;
	}
	return false;
}

enum err_code shape_flag_check(const struct args *args,
			       const struct model_signature *signature,
			       struct err *err)
{
	for (unsigned i = 0; i < args->n_given; i++) {
		const char *value = args->given[i].value;
		struct shape shape;
		size_t len;
		enum err_code rc;

		if (!is_shape_flag(&args->given[i]))
			continue;
		rc = shape_flag_parse(value, &len, &shape, err);
		if (rc)
			return rc;
		if (!is_input(signature, value, len))
			return err_set(err, ERR_INVALID,
				       "--input-shape: the model has no input "
				       "'%.*s'",
				       (int)len, value);
	}
	return ERR_NONE;
}
