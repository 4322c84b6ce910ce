/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/trial.h"

#include "base/args.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/kernels/blas.h"
#include "engine/plan_cache.h"

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

enum err_code trial_read_flags(const struct args *args,
			       struct trial_options *ret, struct err *err)
{
	const char *tuning = args_text(args, "tuning", NULL);
	enum err_code rc =
	    pass_switch_parse(args_text(args, "passes", ""), &ret->passes, err);

	if (rc)
		return err_prefix(err, "--passes");
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
	if (!rc)
		rc = pool_create(options->threads - 1, &trial.pool, err);
	if (!rc && options->tunes)
		rc = make_tuner(&trial, options->tuning_file, err);
	if (!rc) {
		plans.plan.tuner = trial.tuner;
		plans.plan.packs = trial.package->packs;
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
