/* SPDX-License-Identifier: Apache-2.0 */
#include "training/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/kernels/blas.h"
#include "training/artifact.h"
#include "training/embeddings.h"
#include "training/job.h"
#include "training/publish.h"
#include "training/report.h"
#include "training/watch.h"
#include "training/worker_priv.h"

#define BLAS_BUFFER_BYTES ((int64_t)129 << 20)

enum { SPEC_MAX = 16 << 20, LOCK_MS = 60000 };
enum { WARM = 128, STATUS_MAX = 65536, SPARE = 64 << 20 };

/* --- events --- */

static void send_eval(void *ctx, const struct trainer_eval *eval)
{
	struct worker *worker = ctx;
	struct json_writer *w = worker_link_begin(worker->link, "eval");

	json_write_int(w, "epoch", eval->epoch);
	json_write_int(w, "step", eval->step);
	json_write_bool(w, "is_best", eval->is_best);
	json_write_object(w, "metrics");
	artifact_write_metrics(eval, w);
	json_write_object_end(w);
	json_write_string(w, "diagnosis", diagnosis_name(eval->diagnosis));
	if (eval->diagnosis == DIAGNOSIS_OVERFITTING) {
		json_write_double(w, "gap", eval->gap);
		json_write_int(w, "since_epoch", eval->since_epoch);
	}
	watch_write(eval->watch, w);
	worker_link_end(worker->link);
}

static void send_checkpoint(void *ctx, int64_t step, const char *name)
{
	struct worker *worker = ctx;
	struct json_writer *w = worker_link_begin(worker->link, "checkpoint");

	json_write_int(w, "step", step);
	json_write_string(w, "path", name);
	worker_link_end(worker->link);
}

/* A curve that cannot be written is still in the event. */
static void send_lr_find(void *ctx, const struct lr_curve *curve, size_t phase,
			 double rate)
{
	struct worker *worker = ctx;
	struct json_writer *w = worker_link_begin(worker->link, "lr_find");
	char *dir = arena_printf(worker->arena, "%s/artifacts",
				 worker->options->job_dir);
	struct err err = { 0 };

	json_write_int(w, "phase", (int64_t)phase + 1);
	json_write_double(w, "learning_rate", rate);
	lr_curve_write(curve, w);
	worker_link_end(worker->link);
	if (dir && report_save_curve(curve, phase, rate, dir, &err))
		worker_link_warning(worker->link, "no_artifact", err.msg);
}

static void send_warning(void *ctx, const char *code, const char *message)
{
	struct worker *worker = ctx;

	worker_link_warning(worker->link, code, message);
}

static enum trainer_order ask_order(void *ctx)
{
	struct worker *worker = ctx;

	return worker_link_order(worker->link);
}

/* --- preparing --- */

/* One worker a job: another one, left by a daemon that was killed, ends within
 * a step when its input ends. */
static enum err_code lock_folder(struct worker *worker, struct err *err)
{
	char path[4096];
	int64_t deadline = clock_deadline_ns(LOCK_MS);

	(void)snprintf(path, sizeof(path), "%s/lock", worker->options->job_dir);
	worker->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (worker->lock_fd < 0)
		return file_err(err, errno, "open", path);
	while (flock(worker->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return file_err(err, errno, "lock", path);
		if (clock_monotonic_ns() > deadline)
			return err_set(err, ERR_CONFLICT,
				       "another worker holds '%s'", path);
		clock_sleep_ms(20);
	}
	return ERR_NONE;
}

static enum err_code read_spec(struct worker *worker, struct err *err)
{
	char path[4096], *text = NULL;
	size_t len;
	enum err_code rc;

	if (snprintf(path, sizeof(path), "%s/spec.json",
		     worker->options->job_dir) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       worker->options->job_dir);
	rc = file_read_all(path, SPEC_MAX, &text, &len, err);
	if (rc)
		return rc;
	digest_sha256(text, len, worker->spec_digest);
	rc = job_spec_parse(text, len, "spec.json", &worker->spec,
			    worker->arena, err);
	mem_free(text);
	return rc;
}

/* Where memory runs out, a job goes before the daemon that serves. */
static void offer_to_the_oom_killer(void)
{
	static const char score[] = "500";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* no /proc: nothing to offer */
	(void)!write(fd, score, sizeof(score) - 1);
	(void)close(fd);
}

/* OpenBLAS maps its buffer at a thread's first product, and where it cannot
 * it tries for ever: so before memory is limited. */
static enum err_code prepare_blas(struct err *err)
{
	const struct blas_product product = {
		.m = WARM,
		.n = WARM,
		.k = WARM,
		.lda = WARM,
		.ldb = WARM,
		.ldc = WARM,
		.alpha = 1,
	};
	const size_t area = (size_t)WARM * WARM;
	float *block;
	enum err_code rc = blas_init(err);

	if (rc)
		return rc;
	block = mem_array(3 * area, sizeof(*block));
	if (!block)
		return err_set(err, ERR_NO_MEMORY, "worker: out of memory");
	blas_product_f32(&product, block, block + area, block + 2 * area);
	mem_free(block);
	return ERR_NONE;
}

/* Bytes of data that this process has mapped; 0 where nobody says. */
static int64_t mapped_bytes(void)
{
	char *text, *line;
	int64_t kib = 0;
	size_t len;

	if (file_read_all("/proc/self/status", STATUS_MAX, &text, &len, NULL))
		return 0;
	line = strstr(text, "VmData:");
	if (line)
		kib = strtoll(line + strlen("VmData:"), NULL, 10);
	mem_free(text);
	return kib * 1024;
}

/* What may be mapped on top of what is; 0: anything. The helpers' buffers are
 * mapped later; most of each is never touched. */
static enum err_code limit_growth(const struct worker *worker, int64_t bytes,
				  struct err *err)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (!worker->spec.resources.memory_limit)
		return ERR_NONE;
	if (bytes)
		limit.rlim_cur =
		    (rlim_t)(bytes + mapped_bytes() +
			     (worker->threads - 1) * BLAS_BUFFER_BYTES);
	if (setrlimit(RLIMIT_DATA, &limit))
		return file_err(err, errno, "set", "the memory limit");
	return ERR_NONE;
}

/* What is planned is within the limit; this is for what nobody foresaw. */
static enum err_code limit_rest(const struct worker *worker, struct err *err)
{
	int64_t left =
	    worker->spec.resources.memory_limit - (int64_t)mem_resident();

	/* stacks and buffers of libraries are mapped whole */
	return limit_growth(worker, (left > 0 ? left : 0) + SPARE, err);
}

/* Of this process only. */
static enum err_code limit_resources(struct worker *worker, struct err *err)
{
	const struct worker_options *o = worker->options;
	const struct resources_spec *r = &worker->spec.resources;
	unsigned wish = (unsigned)r->threads;

	if (setpriority(PRIO_PROCESS, 0, (int)r->nice) && errno != EACCES)
		return file_err(err, errno, "set", "the nice level");
	offer_to_the_oom_killer();
	worker->threads = o->threads ? o->threads : pool_cpus();
	if (wish && wish < worker->threads)
		worker->threads = wish;
	if (worker->threads > TEAM_MAX)
		worker->threads = TEAM_MAX;
	return limit_growth(worker, r->memory_limit, err);
}

static enum err_code open_data(struct worker *worker, struct err *err)
{
	const struct dataset_options options = {
		.spec = &worker->spec.data,
		.pipeline = worker->pipeline,
		.roots = worker->options->data_roots,
		.n_roots = worker->options->n_data_roots,
		.uploads = worker->options->datasets,
		.seed = (uint64_t)worker->spec.trainer.seed,
	};
	enum err_code rc;

	rc = dataset_create(&options, &worker->dataset, err);
	if (!rc)
		rc = dataset_fit(worker->dataset, worker->pipeline, err);
	if (!rc)
		dataset_fingerprint(worker->dataset, worker->fingerprint);
	return rc;
}

static enum err_code build_network(struct worker *worker, struct err *err)
{
	const struct pipeline *p = worker->pipeline;
	struct network_port in[STEPPER_MAX_PORTS];
	const struct network_places places = {
		.repository = worker->options->model_repository,
		.roots = worker->options->data_roots,
		.n_roots = worker->options->n_data_roots,
	};
	struct network_target out;
	struct network_request request = {
		.model = worker->spec.model,
		.places = &places,
		.in = in,
		.out = &out,
		.n_in = pipeline_n_inputs(p),
		.n_out = 1,
		.seed = (uint64_t)worker->spec.trainer.seed,
	};
	enum err_code rc = network_ports(p, in, STEPPER_MAX_PORTS, &out, err);

	if (rc)
		return rc;
	return network_build(&request, &worker->network, err);
}

static enum err_code make_trainer(struct worker *worker,
				  const struct trainer_events *events,
				  struct err *err)
{
	const struct worker_options *o = worker->options;
	struct trainer_options options = {
		.spec = &worker->spec,
		.dataset = worker->dataset,
		.pipeline = worker->pipeline,
		.graph = worker->network.graph,
		.state = worker->network.state,
		.job_dir =
		    !o->task || o->task == WORKER_EVALUATE ? o->job_dir : NULL,
		.spill_dir = o->job_dir,
		.spec_digest = worker->spec_digest,
		.events = events,
	};
	enum err_code rc;

	rc = pool_create(worker->threads - 1, &worker->pool, err);
	if (rc)
		return rc;
	options.pool = worker->pool;
	options.threads = worker->threads;
	return trainer_create(&options, &worker->trainer, err);
}

static enum err_code prepare(struct worker *worker,
			     const struct trainer_events *events,
			     struct err *err)
{
	enum err_code rc;

	worker_link_state(worker->link, job_state_name(JOB_VALIDATING));
	rc = lock_folder(worker, err);
	if (!rc)
		rc = read_spec(worker, err);
	if (!rc)
		rc = prepare_blas(err);
	if (!rc)
		rc = limit_resources(worker, err);
	if (rc)
		return rc;
	worker_link_state(worker->link, job_state_name(JOB_PREPARING));
	rc = pipeline_create(worker->spec.input_features,
			     worker->spec.output_features, &worker->pipeline,
			     err);
	if (!rc)
		rc = open_data(worker, err);
	/* a limit that the job is above is told in a sentence: so nothing fails
	 * before that is known */
	if (!rc)
		rc = limit_growth(worker, 0, err);
	if (!rc)
		rc = build_network(worker, err);
	if (!rc)
		rc = make_trainer(worker, events, err);
	return rc ? rc : limit_rest(worker, err);
}

/* --- the end --- */

static enum err_code publish(struct worker *worker,
			     const struct artifacts *artifacts, struct err *err)
{
	const struct publish_spec *spec = &worker->spec.publish;
	const struct publish_request request = {
		.repository = worker->options->model_repository,
		.model = spec->model,
		.version = spec->version,
		.job_id = worker->job_id,
		.artifacts = artifacts,
	};
	struct json_writer *w;
	enum err_code rc;

	if (!spec->model)
		return ERR_NONE;
	if (!request.repository) {
		worker_link_warning(worker->link, "not_published",
				    "there is no model repository");
		return ERR_NONE;
	}
	if (spec->condition && !condition_holds(spec->condition, worker_figure,
						&worker->result.last)) {
		const char *why = arena_printf(
		    worker->arena, "it does not hold that %s", spec->when);

		worker_link_warning(worker->link, "not_published",
				    why ? why : spec->when);
		return ERR_NONE;
	}
	rc = publish_once(&request, worker->arena, &worker->published_version,
			  err);
	if (rc)
		return rc;
	worker->published_model = spec->model;
	w = worker_link_begin(worker->link, "published");
	json_write_string(w, "model", spec->model);
	json_write_int(w, "version", worker->published_version);
	json_write_bool(w, "set_default", spec->set_default);
	worker_link_end(worker->link);
	return ERR_NONE;
}

static enum err_code leave_artifacts(struct worker *worker, struct err *err)
{
	const struct artifact_source source = {
		.spec = &worker->spec,
		.pipeline = worker->pipeline,
		.graph = worker->network.graph,
		.signature = &worker->network.signature,
		.eval = &worker->result.last,
		.job_id = worker->job_id,
		.fingerprint = worker->fingerprint,
	};
	struct artifacts artifacts = { 0 };
	char *dir = arena_printf(worker->arena, "%s/artifacts",
				 worker->options->job_dir);
	enum err_code rc;

	if (!dir)
		return err_set(err, ERR_NO_MEMORY, "worker: out of memory");
	if (access(worker->options->job_dir, W_OK | X_OK))
		return err_set(err, ERR_IO,
			       "the job's folder '%s' is lost or closed",
			       worker->options->job_dir);
	rc = artifacts_init(&artifacts, &source, err);
	if (rc)
		return rc;
	rc = artifacts_save(&artifacts, dir, err);
	if (!rc)
		rc = report_save(
		    &(struct report_source){
			.spec = &worker->spec,
			.trainer = worker->trainer,
			.result = &worker->result,
			.summary = &worker->network.summary,
			.job_id = worker->job_id,
		    },
		    dir, err);
	if (!rc)
		rc = embeddings_save(worker->network.graph, dir, err);
	if (!rc)
		rc = publish(worker, &artifacts, err);
	artifacts_finish(&artifacts);
	return rc;
}

static const struct {
	enum job_state state;
	const char *reason;
} ends[] = {
	[STOP_COMPLETED] = { JOB_SUCCEEDED, "completed" },
	[STOP_EARLY] = { JOB_SUCCEEDED, "early_stopped" },
	[STOP_MAX_TIME] = { JOB_SUCCEEDED, "max_time" },
	[STOP_MAX_STEPS] = { JOB_SUCCEEDED, "max_steps" },
	[STOP_CANCELLED] = { JOB_CANCELLED, "cancelled" },
	[STOP_PAUSED] = { JOB_PAUSED, "paused" },
	[STOP_INTERRUPTED] = { JOB_INTERRUPTED, "interrupted" },
	[STOP_NAN] = { JOB_FAILED, "nan" },
};

static void write_result(const struct worker *worker, struct json_writer *w)
{
	const struct trainer_result *r = &worker->result;

	json_write_object(w, "result");
	json_write_double(w, "seconds", r->seconds);
	json_write_int(w, "step", r->last.step);
	json_write_string(w, "diagnosis", diagnosis_name(r->diagnosis));
	json_write_object(w, "baseline");
	json_write_double(w, "loss", r->baseline.loss);
	json_write_double(w, "accuracy", r->baseline.accuracy);
	json_write_object_end(w);
	json_write_object(w, "metrics");
	artifact_write_metrics(&r->last, w);
	json_write_object_end(w);
	worker_write_best(worker, &r->best, w);
	if (worker->published_model) {
		json_write_object(w, "published");
		json_write_string(w, "model", worker->published_model);
		json_write_int(w, "version", worker->published_version);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void send_done(struct worker *worker)
{
	enum stop_reason reason = worker->result.reason;
	struct json_writer *w = worker_link_begin(worker->link, "done");

	json_write_string(w, "state", job_state_name(ends[reason].state));
	json_write_string(w, "stop_reason", ends[reason].reason);
	if (reason == STOP_NAN)
		json_write_string(w, "error",
				  "the gradient is not finite any more (NaN or "
				  "infinite); a lower learning_rate or "
				  "gradient_clipping usually helps");
	write_result(worker, w);
	worker_link_end(worker->link);
}

/* What the job's author can mend, and what not. */
static const char *failure_reason(enum err_code code)
{
	switch (code) {
	case ERR_NO_MEMORY:
		return "out_of_memory";
	case ERR_NO_SPACE:
		return "no_space";
	case ERR_IO:
		return "io_error";
	case ERR_INVALID:
	case ERR_SHAPE:
	case ERR_UNSUPPORTED:
	case ERR_NOT_FOUND:
	case ERR_FORBIDDEN:
	case ERR_CONFLICT:
	case ERR_FORMAT:
	case ERR_TOO_LARGE:
	case ERR_MEDIA_TYPE: /* a file of the data */
		return "bad_data";
	default:
		return "internal";
	}
}

static void send_failure(struct worker *worker, const struct err *err)
{
	struct json_writer *w = worker_link_begin(worker->link, "done");

	json_write_string(w, "state", job_state_name(JOB_FAILED));
	json_write_string(w, "stop_reason", failure_reason(err->code));
	json_write_string(w, "error", err->msg);
	worker_link_end(worker->link);
}

/* --- the whole --- */

/* Before the first step. */
static void tell_memory(struct worker *worker)
{
	const struct job_memory *memory = trainer_memory(worker->trainer);
	struct json_writer *w = worker_link_begin(worker->link, "memory");
	char text[256];

	job_memory_write(memory, w);
	worker_link_end(worker->link);
	job_memory_describe(memory, text, sizeof(text));
	log_write(LOG_LEVEL_INFO, "training", "job '%s': %s", worker->job_id,
		  text);
}

static enum err_code work(struct worker *worker, struct err *err)
{
	const struct trainer_events events = {
		.ctx = worker,
		.step = worker_send_step,
		.eval = send_eval,
		.checkpoint = send_checkpoint,
		.lr_find = send_lr_find,
		.warning = send_warning,
		.poll = ask_order,
	};
	enum err_code rc;

	if (worker->options->task == WORKER_UNPACK)
		return worker_unpack(worker, err);
	rc = prepare(worker, &events, err);
	if (rc)
		return rc;
	if (worker->options->task == WORKER_DRY_RUN)
		return worker_dry_run(worker, err);
	if (worker->options->task == WORKER_CHECK)
		return worker_check(worker, err);
	if (worker->options->task == WORKER_EVALUATE)
		return worker_evaluate(worker, err);
	if (worker->options->task == WORKER_LR_FIND)
		return worker_lr_find(worker, err);
	tell_memory(worker);
	worker_link_state(worker->link, job_state_name(JOB_RUNNING));
	rc = trainer_run(worker->trainer, &worker->result, err);
	if (rc)
		return rc;
	if (ends[worker->result.reason].state == JOB_SUCCEEDED) {
		worker_link_state(worker->link, job_state_name(JOB_STOPPING));
		trainer_rest(worker->trainer);
		rc = leave_artifacts(worker, err);
	}
	if (!rc)
		send_done(worker);
	return rc;
}

static const char *last_segment(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int worker_main(const struct worker_options *options)
{
	struct worker worker = { .options = options,
				 .lock_fd = -1,
				 .job_id = last_segment(options->job_dir) };
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	(void)signal(SIGPIPE, SIG_IGN);
	worker.arena = arena_create((size_t)256 << 20);
	if (!worker.arena || worker_link_create(options->in_fd, options->out_fd,
						&worker.link, &err))
		goto out;
	if (work(&worker, &err))
		send_failure(&worker, &err);
	status = EXIT_SUCCESS;
out:
	trainer_destroy(worker.trainer);
	pool_destroy(worker.pool);
	graph_destroy(worker.network.graph);
	dataset_destroy(worker.dataset);
	pipeline_destroy(worker.pipeline);
	worker_link_destroy(worker.link);
	if (worker.lock_fd >= 0)
		(void)close(worker.lock_fd);
	arena_destroy(worker.arena);
	return status;
}
