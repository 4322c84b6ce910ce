/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/trial.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/args.h"
#include "base/buf.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/kernels/blas.h"
#include "engine/plan_cache.h"
#include "models/calibration.h"

#define ROWS_BYTES_MAX ((size_t)4 << 30)

enum err_code trial_init(struct err *err)
{
	return blas_init(err);
}

static enum err_code check_ports(const struct package *package, struct err *err)
{
	unsigned n = package->signature.n_inputs;

	if (n > TRIAL_MAX_PORTS)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: at most %d inputs, got %u", package->name,
			       (int)TRIAL_MAX_PORTS, n);
	return ERR_NONE;
}

static enum err_code read_precision(const struct args *args,
				    struct trial_options *ret, struct err *err)
{
	const char *path = args_text(args, "calibration", "");
	enum err_code rc = precision_parse(args_text(args, "precision", "fp32"),
					   &ret->precision, err);

	ret->calibration = *path ? path : NULL;
	return rc ? err_prefix(err, "--precision") : ERR_NONE;
}

enum err_code trial_read_flags(const struct args *args,
			       struct trial_options *ret, struct err *err)
{
	const char *tuning = args_text(args, "tuning", NULL);
	enum err_code rc =
	    pass_switch_parse(args_text(args, "passes", ""), &ret->passes, err);

	if (rc)
		return err_prefix(err, "--passes");
	rc = read_precision(args, ret, err);
	if (rc)
		return rc;
	ret->strict_numerics = args_has(args, "strict-numerics");
	ret->tuning_file = args_text(args, "tuning-file", NULL);
	ret->tunes = ret->tunes || ret->tuning_file;
	if (!tuning)
		return ERR_NONE;
	ret->tunes = str_equal(tuning, "load");
	if (ret->tunes || str_equal(tuning, "off"))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "--tuning: expected load or off, got '%s'", tuning);
}

static enum err_code make_tuner(struct trial *trial, const char *file,
				struct err *err)
{
	enum err_code rc;

	trial->tuner = mem_zero(sizeof(*trial->tuner));
	if (!trial->tuner)
		return err_set(err, ERR_NO_MEMORY, "tuning: out of memory");
	rc = tuning_create(file, &trial->tuning, err);
	tuner_init(trial->tuner, trial->tuning, TUNER_BUDGET_NS);
	return rc;
}

void trial_write_precision(const struct trial *trial, struct json_writer *w)
{
	const struct precision_report *report = &trial->package->precision;

	json_write_string(w, "precision", precision_name(report->precision));
	json_write_uint(w, "layers", report->n_layers);
	json_write_uint(w, "narrow_layers", report->n_narrow);
	json_write_uint(w, "calibration_rows", report->n_rows);
	json_write_bool(w, "calibration_random",
			!trial->package->is_calibrated);
	json_write_double(w, "deviation", report->deviation);
	json_write_double(w, "largest_output", report->largest);
}

/* To the person: how far it is from fp32. */
static void tell(const struct package *package)
{
	struct buf buf;

	buf_init(&buf, 1024);
	precision_print(&package->precision, &buf);
	if (!package->is_calibrated)
		buf_printf(&buf, "; the rows are random: --calibration PATH "
				 "gives real ones");
	if (!buf_check(&buf, "the report", NULL))
		(void)fprintf(stderr, "%s\n", buf.data);
	buf_finish(&buf);
}

static enum err_code narrow(struct trial *trial,
			    const struct trial_options *options,
			    const struct plan_options *plan, struct err *err)
{
	struct package_precision wish = { .precision = options->precision,
					  .plan = *plan };
	struct calibration rows;
	struct arena *arena = NULL;
	enum err_code rc = ERR_NONE;

	if (options->calibration) {
		arena = arena_create(ROWS_BYTES_MAX);
		rc = arena ? calibration_read(NULL, options->calibration,
					      trial->package, arena, &rows, err)
			   : err_set(err, ERR_NO_MEMORY, "out of memory");
		wish.calibration = &rows;
	}
	if (!rc)
		rc = package_narrow(trial->package, &wish, err);
	arena_destroy(arena);
	if (!rc && options->precision != PRECISION_FP32)
		tell(trial->package);
	return rc;
}

enum err_code trial_open(const char *path, const struct trial_options *options,
			 struct trial *ret_trial, struct err *err)
{
	struct plan_cache_options plans = {
		.plan = { .threads = options->threads,
			  .numerics = options->strict_numerics
					  ? NUMERICS_STRICT
					  : NUMERICS_REPEATABLE,
			  .passes = options->passes },
	};
	struct trial trial = { .threads = options->threads };
	enum err_code rc;

	rc = package_load_file(path, &trial.package, err);
	if (!rc)
		rc = check_ports(trial.package, err);
	if (!rc)
		rc = package_prepare(trial.package, options->passes, err);
	if (!rc) {
		plans.plan.packs = trial.package->packs;
		rc = narrow(&trial, options, &plans.plan, err);
	}
	if (!rc)
		rc = pool_create(options->threads - 1, &trial.pool, err);
	if (!rc && options->tunes)
		rc = make_tuner(&trial, options->tuning_file, err);
	if (!rc) {
		plans.plan.tuner = trial.tuner;
		rc = plan_cache_create(trial.package->graph, &plans,
				       &trial.plans, err);
	}
	if (rc) {
		trial_close(&trial);
		return rc;
	}
	*ret_trial = trial;
	return ERR_NONE;
}

static enum err_code check_inputs(const struct model_signature *signature,
				  const struct tensor_view *input,
				  struct err *err)
{
	struct shape shape[TRIAL_MAX_PORTS];

	for (unsigned i = 0; i < signature->n_inputs; i++) {
		const struct signature_port *port = &signature->input[i];

		if (input[i].dtype != port->dtype)
			return err_set(
			    err, ERR_INVALID, "input '%s': expected %s, got %s",
			    port->name, dtype_info(port->dtype)->name,
			    dtype_info(input[i].dtype)->name);
		shape[i] = input[i].shape;
	}
	return signature_bind(signature, shape, err);
}

enum err_code trial_prepare(struct trial *trial,
			    const struct tensor_view *input, struct err *err)
{
	const struct model_signature *ports = &trial->package->signature;
	struct fact fact[TRIAL_MAX_PORTS] = { 0 };
	const struct signature signature = { ports->n_inputs, fact };
	enum err_code rc = check_inputs(ports, input, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < ports->n_inputs; i++) {
		fact[i].type.elem = input[i].dtype;
		fact[i].shape = input[i].shape;
		fact[i].has_shape = true;
		fact[i].value = input[i].data;
	}
	if (trial->instance)
		plan_cache_release(trial->plans, trial->instance);
	trial->instance = NULL;
	rc =
	    plan_cache_acquire(trial->plans, &signature, &trial->instance, err);
	if (!rc && trial->tuning)
		rc = tuning_save(trial->tuning, err);
	for (unsigned i = 0; i < ports->n_inputs && !rc; i++) {
		size_t size = tensor_bytes(input[i].dtype, &input[i].shape);

		if (size)
			memcpy(instance_input(trial->instance, i).data,
			       input[i].data, size);
	}
	return rc;
}

enum err_code trial_run(struct trial *trial, struct err *err)
{
	struct team team;
	enum err_code rc;

	team_borrow(trial->pool, trial->threads - 1, &team);
	rc = instance_run(trial->instance, &team, err);
	team_return(&team);
	return rc;
}

void trial_close(struct trial *trial)
{
	if (trial->instance)
		plan_cache_release(trial->plans, trial->instance);
	plan_cache_destroy(trial->plans);
	pool_destroy(trial->pool);
	mem_free(trial->tuner);
	tuning_destroy(trial->tuning);
	package_unref(trial->package);
	*trial = (struct trial){ 0 };
}
