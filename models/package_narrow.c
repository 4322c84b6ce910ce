/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A package in a precision below fp32.
 */
#include "base/arena.h"
#include "models/calibration.h"
#include "models/package_priv.h"

#define ROWS_BYTES_MAX ((size_t)1 << 30)

enum err_code package_narrow(struct package *package,
			     const struct package_precision *wish,
			     struct err *err)
{
	struct precision_options options = { .precision = wish->precision,
					     .cpu = precision_cpu(),
					     .plan = wish->plan };
	struct calibration rows = { 0 };
	struct arena *arena = NULL;
	enum err_code rc = ERR_NONE;

	if (wish->calibration)
		rows = *wish->calibration;
	else if (wish->precision != PRECISION_FP32)
		arena = arena_create(ROWS_BYTES_MAX);
	if (arena)
		rc = calibration_make(package, arena, &rows, err);
	options.n_rows = rows.n_rows;
	options.row = rows.row;
	if (!rc)
		rc = precision_apply(package->graph, &options,
				     &package->precision, err);
	arena_destroy(arena);
	package->is_calibrated = wish->calibration != NULL;
	if (!rc && wish->precision != PRECISION_FP32)
		rc = package_settle_constants(package, err);
	if (rc && rc != ERR_UNSUPPORTED && !wish->calibration)
		(void)err_prefix(err, "calibration on random rows, as none are "
				      "given");
	return rc ? err_prefix(err, "model '%s'", package->name) : ERR_NONE;
}
