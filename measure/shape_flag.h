/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Shape flag: `--input-shape NAME:AxBxC`, split at the last colon because
 * names may hold colons; nothing after it is a scalar.
 *
 * Threads: pure functions.
 */
#ifndef MEASURE_SHAPE_FLAG_H
#define MEASURE_SHAPE_FLAG_H

#include "base/args.h"
#include "models/signature.h"

/** "1x3x224" or "". ERR_INVALID quotes the whole flag. */
MUST_USE enum err_code shape_flag_parse(const char *flag, size_t *ret_name_len,
					struct shape *ret_shape,
					struct err *err);
/** The last --input-shape that names `name`, if there is one. */
MUST_USE enum err_code shape_flag_find(const struct args *args,
				       const char *name, bool *ret_given,
				       struct shape *ret_shape,
				       struct err *err);
/** Every flag names an input of the model. */
MUST_USE enum err_code shape_flag_check(const struct args *args,
					const struct model_signature *signature,
					struct err *err);

#endif
